"""What each task's target column holds: checked, one Python value a row."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, assert_never

from zenml_ftvr.data.inputs import and_more, as_list, is_unicode
from zenml_ftvr.data.read import Column
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import Task
from zenml_ftvr.values.task import (
    CausalLM,
    ImageClassification,
    Seq2Seq,
    TextClassification,
    TokenClassification,
)

__all__ = ["checked_targets", "has_targets", "label_of"]


def has_targets(task: Task) -> bool:
    """Whether the rows have a column of targets; what is to be said next is in the input itself."""
    return not isinstance(task, CausalLM) or task.form == "completion"


def checked_targets(
    task: Task, column: Column, called: str, separator: str | None, inputs: Sequence[Any]
) -> list[Any]:
    """The targets of rows whose `inputs` have been checked.

    Labels, sorted sets of labels, numbers, tags of words, or texts. Raises `DataError`, which names
    the first wrong row.
    """
    rows = range(len(column.values))
    match task:
        case TextClassification(target="multi"):
            return [_label_set(column, index, called, separator) for index in rows]
        case TextClassification(target="regression"):
            return [_number(column, index, called) for index in rows]
        case TextClassification() | ImageClassification():
            things = "images" if isinstance(task, ImageClassification) else "texts"
            return _labels(column, called, things)
        case TokenClassification():
            return [_tags(column, index, called, len(inputs[index])) for index in rows]
        case CausalLM() | Seq2Seq():
            return _texts(column, called)
        case _:
            assert_never(task)


def label_of(value: Any) -> str | None:
    """A label as text; None for what cannot be one."""
    if isinstance(value, str):
        return value.strip() or None if is_unicode(value) else None
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None


def _labels(column: Column, called: str, things: str) -> list[str]:
    labels: list[str] = []
    for index, value in enumerate(column.values):
        label = label_of(value)
        if label is None:
            what = "is missing" if value is None or value == "" else f"is {value!r:.60}"
            raise DataError(
                f"{column.place(index)}: '{called}' {what}. A label is a text or a whole number, "
                f"one a row: this task sorts {things} into classes."
            )
        labels.append(label)
    return labels


def _label_set(column: Column, index: int, called: str, separator: str | None) -> list[str]:
    value = column.values[index]
    found = as_list(value)
    if found is None and isinstance(value, str):
        found = _written_set(value, separator)
    if found is None:
        what = "is missing" if value is None or value == "" else f"is {value!r:.60}"
        raise DataError(
            f"{column.place(index)}: '{called}' {what}, which is no list of labels. Give a list "
            f'such as ["news", "sport"], or set label_separator to what stands between labels.'
        )
    labels = [label_of(one) for one in found]
    for one, label in zip(found, labels, strict=True):
        if label is None:
            raise DataError(
                f"{column.place(index)}: '{called}' holds {one!r:.60}. A label is a text or a "
                f"whole number."
            )
    return sorted({label for label in labels if label is not None})


def _written_set(text: str, separator: str | None) -> list[Any] | None:
    """The labels that a cell names: a JSON array, or between separators; None for neither."""
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text)
        except json.JSONDecodeError:
            found = None
        if isinstance(found, list):
            return found
    if separator is None:
        return None
    return [part for part in text.split(separator) if part.strip()]


def _number(column: Column, index: int, called: str) -> float:
    value = column.values[index]
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, str) and "_" not in value:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
    if not math.isfinite(number):
        what = "is missing" if value is None or value == "" else f"is {value!r:.60}"
        raise DataError(
            f"{column.place(index)}: '{called}' {what}, which is no finite number. Remove such "
            f"rows, or set label_column to a column of numbers."
        )
    return number


def _tags(column: Column, index: int, called: str, n_words: int) -> list[str]:
    value = column.values[index]
    found = as_list(value)
    if found is None:
        what = "is missing" if value is None or value == "" else f"is {value!r:.60}"
        raise DataError(
            f"{column.place(index)}: '{called}' {what}, which is no list of tags. Give each row a "
            f'list with a tag for every word, such as ["B-PER", "O"].'
        )
    if len(found) != n_words:
        raise DataError(
            f"{column.place(index)}: '{called}' has {len(found)} tags for {n_words} words. Give "
            f"every word one tag."
        )
    tags: list[str] = []
    for place, one in enumerate(found, start=1):
        tag = label_of(one)
        if tag is None:
            raise DataError(
                f"{column.place(index)}: tag {place} of '{called}' is {one!r:.60}. A tag is a text "
                f"or a whole number; of a word outside all names it is O."
            )
        tags.append(tag)
    return tags


def _texts(column: Column, called: str) -> list[str]:
    wrong = [
        index
        for index, value in enumerate(column.values)
        if not isinstance(value, str) or not value.strip() or not is_unicode(value)
    ]
    if wrong:
        first = column.values[wrong[0]]
        what = f"is {first!a:.60}, which is no text"
        if first is None or (isinstance(first, str) and not first.strip()):
            what = "is missing" if first is None else "is empty"
        raise DataError(
            f"{column.place(wrong[0])}: '{called}' {what}{and_more(wrong)}. Nothing can be learnt "
            f"from such rows: remove them, or set label_column to another column."
        )
    return column.values
