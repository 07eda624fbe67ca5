"""From a `DataSource` to a `Dataset`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from zenml_ftvr.data.assign import splits_of
from zenml_ftvr.data.checks import refuse_fatal
from zenml_ftvr.data.corpora import CORPORA, read_corpus
from zenml_ftvr.data.hub import read_hub
from zenml_ftvr.data.memory import IN_MEMORY, InMemory, columns_in_memory
from zenml_ftvr.data.read import Column, is_file_name, read_columns
from zenml_ftvr.data.rows import Dataset, row_id_of
from zenml_ftvr.data.split import make_dataset
from zenml_ftvr.errors import ConfigurationError, DataError
from zenml_ftvr.values import DataSource
from zenml_ftvr.values.data import SPLIT_COLUMNS

__all__ = ["dataset_from", "load_dataset", "read_texts", "refuse_local_path"]

SPLIT_FILES = {"validation_file": "validation", "test_file": "test"}
"""Settings that name a file with the rows of one split."""


def load_dataset(source: DataSource) -> Dataset:
    """Read, check and split the rows of `source`.

    Raises `DataError`, which says what was wrong, where, and what to do.
    """
    if source.name in CORPORA:
        _refuse_splits_of_corpus(source)
        return _allowed(make_dataset(source, *read_corpus(source.name)))
    if source.name == IN_MEMORY:
        raise DataError(
            "data 'in memory' has no file to be read again. Write the rows to one, and set "
            "data.name to it."
        )
    if is_file_name(source.name):
        found = read_columns(source.name, _columns_of(source), source.encoding)
    else:
        found = read_hub(source, _columns_of(source))
    return _made_of(source, found)


def dataset_from(rows: InMemory, source: DataSource | None = None) -> Dataset:
    """Check and split rows in memory, exactly as those of a file.

    `rows` is a pandas DataFrame, a `datasets.Dataset`, an Arrow table or a list of mappings;
    `source` says which columns to take and how to split, its name counts for nothing. Errors name
    the row, counted from 1.
    """
    named = dataclasses.replace(source or DataSource(name=IN_MEMORY), name=IN_MEMORY)
    return _made_of(named, columns_in_memory(IN_MEMORY, rows, _columns_of(named)))


def _refuse_splits_of_corpus(source: DataSource) -> None:
    for setting in (*SPLIT_COLUMNS, *SPLIT_FILES):
        if getattr(source, setting) is not None:
            raise ConfigurationError(
                f"data.{setting} is '{getattr(source, setting)}', but the built-in corpus "
                f"'{source.name}' has texts and labels only. Leave it out."
            )


def _columns_of(source: DataSource) -> dict[str, str]:
    """The column that each setting names, of those that are read."""
    named = {name: getattr(source, name) for name in SPLIT_COLUMNS}
    return {
        "text_column": source.text_column,
        "label_column": source.label_column,
        **{name: column for name, column in named.items() if column is not None},
    }


def _made_of(source: DataSource, found: dict[str, Column]) -> Dataset:
    texts, labels = _checked_rows(source, found)
    splits = splits_of(source, [row_id_of(text) for text in texts], found)
    columns = {"text_column": source.text_column, "label_column": source.label_column}
    for setting, split in SPLIT_FILES.items():
        file = getattr(source, setting)
        if file is not None:
            more = _checked_rows(source, read_columns(file, columns, source.encoding))
            texts, labels = texts + more[0], labels + more[1]
            splits += [split] * len(more[0])
    return _allowed(make_dataset(source, texts, labels, splits))


def _allowed(dataset: Dataset) -> Dataset:
    refuse_fatal(dataset)
    return dataset


def _checked_rows(source: DataSource, found: dict[str, Column]) -> tuple[list[str], list[str]]:
    return (
        _checked_texts(found["text_column"], source.text_column),
        _checked_labels(found["label_column"], source.label_column),
    )


def read_texts(path: str, text_column: str = "text", encoding: str = "utf-8") -> list[str]:
    """The texts of a file to predict for; checked as for training, but no label is needed."""
    if not is_file_name(path):
        raise DataError(f"data file {path} does not exist. Give a file or a URI.")
    found = read_columns(path, {"text_column": text_column}, encoding)
    return _checked_texts(found["text_column"], text_column)


def refuse_local_path(source: DataSource) -> None:
    """Refuse a local path where the steps run on another machine."""
    if source.name not in CORPORA and is_file_name(source.name):
        _refuse_local(source.name, "name", "; a Hugging Face data set id works too")
    for setting in SPLIT_FILES:
        file = getattr(source, setting)
        if file is not None:
            _refuse_local(file, setting, "")


def _refuse_local(file: str, setting: str, too: str) -> None:
    if "://" in file and not file.startswith("file://"):
        return
    raise DataError(
        f"data file {file} is on this machine, but the stack's orchestrator runs steps on another. "
        f"Put the file where they can read it, such as s3://, gs:// or az:// in the stack's "
        f"artifact store, and set data.{setting} to that URI{too}."
    )


def _checked_texts(column: Column, called: str) -> list[str]:
    wrong = [
        index
        for index, value in enumerate(column.values)
        if not isinstance(value, str) or not value.strip() or not _is_unicode(value)
    ]
    if wrong:
        first = column.values[wrong[0]]
        what = "is missing" if first is None else "is empty"
        if first is not None and not isinstance(first, str):
            what = f"is {first!r:.60}, which is no text"
        elif first is not None and not _is_unicode(first):
            what = f"is {first!a:.60}, which holds half a surrogate pair"
        raise DataError(
            f"{column.place(wrong[0])}: '{called}' {what}"
            f"{_and_more(wrong)}. Remove such rows, or set text_column to another column."
        )
    return column.values


def _is_unicode(text: str) -> bool:
    r"""False for half a surrogate pair, which JSON can spell (`\ud800`) and nothing can store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _and_more(wrong: Sequence[int]) -> str:
    return f" (and so in {len(wrong) - 1:,} more rows)" if len(wrong) > 1 else ""


def _checked_labels(column: Column, called: str) -> list[str]:
    labels: list[str] = []
    for index, value in enumerate(column.values):
        label = _label(value)
        if label is None:
            what = "is missing" if value is None or value == "" else f"is {value!r:.60}"
            raise DataError(
                f"{column.place(index)}: '{called}' {what}. A label is a text or a whole number, "
                f"one a row: this task sorts texts into classes."
            )
        labels.append(label)
    return labels


def _label(value: Any) -> str | None:
    """A label as text; None for what cannot be one."""
    if isinstance(value, str):
        return value.strip() or None if _is_unicode(value) else None
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None
