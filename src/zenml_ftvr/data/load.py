"""From a `DataSource` to a `Dataset`."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zenml_ftvr.data.assign import splits_of
from zenml_ftvr.data.checks import refuse_fatal
from zenml_ftvr.data.corpora import CORPORA, read_corpus
from zenml_ftvr.data.documents import splits_by_position
from zenml_ftvr.data.files import COMPRESSIONS, files_of, format_of
from zenml_ftvr.data.hub import read_hub
from zenml_ftvr.data.image_folder import image_folder, images_in, is_image_folder
from zenml_ftvr.data.inputs import checked_inputs, refuse_unanswered
from zenml_ftvr.data.memory import IN_MEMORY, InMemory, columns_in_memory
from zenml_ftvr.data.read import Column, is_file_name, read_columns, read_pieces
from zenml_ftvr.data.rows import Dataset, row_id_of, row_id_of_input
from zenml_ftvr.data.split import make_dataset, split_of
from zenml_ftvr.data.targets import checked_targets, has_targets
from zenml_ftvr.errors import ConfigurationError, DataError
from zenml_ftvr.values import DataSource, Task, TextClassification
from zenml_ftvr.values.data import SPLIT_COLUMNS
from zenml_ftvr.values.task import CausalLM, ImageClassification, TokenClassification

log = logging.getLogger(__name__)

__all__ = ["dataset_from", "load_dataset", "read_inputs", "read_texts", "refuse_local_path"]

SPLIT_FILES = {"validation_file": "validation", "test_file": "test"}
"""Settings that name a file with the rows of one split."""
COLUMNS_OF_TEXT = (
    ".csv",
    ".tsv",
    *(f"{end}{packed}" for end in (".csv", ".tsv") for packed in COMPRESSIONS),
)
"""Endings of files whose cells hold text alone."""


def load_dataset(source: DataSource, task: Task = TextClassification()) -> Dataset:  # noqa: B008
    """Read, check and split the rows of `source`, of the types that `task` needs.

    Raises `DataError`, which says what was wrong, where, and what to do.
    """
    if source.name in CORPORA:
        return _allowed(_of_corpus(source, task))
    if source.name == IN_MEMORY:
        raise DataError(
            "data 'in memory' has no file to be read again. Write the rows to one, and set "
            "data.name to it."
        )
    if is_file_name(source.name):
        return _made_of(source, task, _read(source, task, source.name, _columns_of(source, task)))
    found = read_hub(source, _columns_of(source, task))
    return _made_of(source, task, _Read(columns=found))


def dataset_from(
    rows: InMemory,
    source: DataSource | None = None,
    task: Task = TextClassification(),  # noqa: B008  (frozen)
) -> Dataset:
    """Check and split rows in memory, exactly as those of a file.

    `rows` is a pandas DataFrame, a `datasets.Dataset`, an Arrow table or a list of mappings;
    `source` says which columns to take and how to split, its name counts for nothing. Errors name
    the row, counted from 1.
    """
    named = dataclasses.replace(source or DataSource(name=IN_MEMORY), name=IN_MEMORY)
    found = columns_in_memory(IN_MEMORY, rows, _columns_of(named, task))
    return _made_of(named, task, _Read(columns=found))


def _of_corpus(source: DataSource, task: Task) -> Dataset:
    _refuse_splits_of_corpus(source)
    texts, labels = read_corpus(source.name)
    match task:
        case TextClassification(target="single"):
            return make_dataset(source, texts, labels)
        case CausalLM(form="text"):
            return make_dataset(source, texts, [None] * len(texts), task=task)
        case _:
            raise ConfigurationError(
                f"the built-in corpus '{source.name}' has texts, each of one class: no "
                f"{task.kind} of this kind can be learnt from it. Give a file, or leave task out."
            )


def _refuse_splits_of_corpus(source: DataSource) -> None:
    for setting in (*SPLIT_COLUMNS, *SPLIT_FILES):
        if getattr(source, setting) is not None:
            raise ConfigurationError(
                f"data.{setting} is '{getattr(source, setting)}', but the built-in corpus "
                f"'{source.name}' has texts and labels only. Leave it out."
            )


def _columns_of(source: DataSource, task: Task) -> dict[str, str]:
    """The column that each setting names, of those that are read."""
    named = {name: getattr(source, name) for name in SPLIT_COLUMNS}
    return {
        "text_column": source.text_column,
        **({"label_column": source.label_column} if has_targets(task) else {}),
        **{name: column for name, column in named.items() if column is not None},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """Columns as they were read, and what else their file says."""

    columns: dict[str, Column]
    splits: list[str] | None = None
    """Where folders name them, or positions decide."""


def _read(source: DataSource, task: Task, name: str, columns: dict[str, str]) -> _Read:
    """The columns of files, of text files, or of a folder of images."""
    if isinstance(task, ImageClassification) and is_image_folder(name):
        return _read_image_folder(source, name, columns)
    if _is_running_text(task, name):
        if more := [setting for setting in SPLIT_COLUMNS if setting in columns]:
            raise DataError(
                f"{name} is a text file, so that data.{more[0]} names nothing in it. Leave it out, "
                f"or write the rows as JSONL."
            )
        column, n_pieces = read_pieces(name, source.encoding)
        main = name == source.name
        splits = splits_by_position(source, n_pieces) if main else None
        return _Read(columns={"text_column": column}, splits=splits)
    _refuse_csv(task, name)
    return _Read(columns=read_columns(name, columns, source.encoding))


def _is_running_text(task: Task, name: str) -> bool:
    return (
        isinstance(task, CausalLM)
        and task.form == "text"
        and all(format_of(file) == "txt" for file in files_of(name))
    )


def _refuse_csv(task: Task, name: str) -> None:
    if not isinstance(task, TokenClassification):
        return
    if (first := files_of(name)[0]).lower().endswith(COLUMNS_OF_TEXT):
        raise DataError(
            f"{first} has cells of text, and {task.kind} needs a list of words and one of tags a "
            f"row. Write it as JSONL, Parquet, or .conll with a word and its tag a line."
        )


def _read_image_folder(source: DataSource, name: str, columns: dict[str, str]) -> _Read:
    if more := [setting for setting in SPLIT_COLUMNS if setting in columns]:
        raise DataError(
            f"{name} is a folder of images, so that data.{more[0]} names nothing in it. Leave it "
            f"out, or list images and classes in a CSV or JSONL file."
        )
    found = image_folder(name)
    if found.n_ignored:
        log.warning("%s: %d files are no images of a class, and left out.", name, found.n_ignored)
    places = range(1, len(found.files) + 1)
    files = list(enumerate(found.files))
    last = [file.rpartition("/")[2] for file in found.files]
    read = {
        "text_column": Column(last, places, "", files),
        "label_column": Column(list(found.labels), places, "", files),
    }
    if found.splits is None:
        return _Read(columns=read)
    return _Read(columns=read, splits=_completed(source, found.splits, found.files))


def _completed(source: DataSource, splits: Sequence[str], files: Sequence[str]) -> list[str]:
    """The splits that folders name; those without a folder are taken from the training images."""
    test = 0.0 if "test" in splits or source.test_file else source.test_fraction
    validation = 0.0
    if "validation" not in splits and not source.validation_file:
        validation = source.validation_fraction
    return [
        split_of(row_id_of(file), validation, test) if split == "train" else split
        for split, file in zip(splits, files, strict=True)
    ]


def _made_of(source: DataSource, task: Task, found: _Read) -> Dataset:
    inputs, targets = _checked_rows(source, task, found.columns)
    splits = found.splits
    if splits is None:
        row_ids = [row_id_of_input(value) for value in inputs]
        splits = splits_of(source, row_ids, found.columns)
    columns = {
        setting: column
        for setting, column in _columns_of(source, task).items()
        if setting not in SPLIT_COLUMNS
    }
    for setting, split in SPLIT_FILES.items():
        file = getattr(source, setting)
        if file is not None:
            more = _checked_rows(source, task, _read(source, task, file, columns).columns)
            inputs, targets = inputs + more[0], targets + more[1]
            splits = splits + [split] * len(more[0])
    return _allowed(make_dataset(source, inputs, targets, splits, task))


def _allowed(dataset: Dataset) -> Dataset:
    refuse_fatal(dataset)
    return dataset


def _checked_rows(
    source: DataSource, task: Task, columns: dict[str, Column]
) -> tuple[list[Any], list[Any]]:
    inputs = checked_inputs(task, columns["text_column"], source.text_column)
    if isinstance(task, CausalLM) and task.form == "chat":
        refuse_unanswered(columns["text_column"], source.text_column, inputs)
    if not has_targets(task):
        return inputs, [None] * len(inputs)
    called, separator = source.label_column, source.label_separator
    return inputs, checked_targets(task, columns["label_column"], called, separator, inputs)


def read_texts(path: str, text_column: str = "text", encoding: str = "utf-8") -> list[str]:
    """The texts of a file to predict for; checked as for training, but no label is needed."""
    return read_inputs(path, TextClassification(), text_column, encoding)


def read_inputs(
    path: str,
    task: Task = TextClassification(),  # noqa: B008  (frozen)
    text_column: str = "text",
    encoding: str = "utf-8",
) -> list[Any]:
    """The inputs of a file to predict for; checked as for training, but no target is needed.

    A text file has a text a line, whose words are what stands between blanks; of a folder of images
    all are read, however deep, in sorted order.
    """
    if not is_file_name(path):
        raise DataError(f"data file {path} does not exist. Give a file or a URI.")
    if isinstance(task, ImageClassification) and is_image_folder(path):
        files = images_in(path)
        last = [file.rpartition("/")[2] for file in files]
        column = Column(last, range(1, len(files) + 1), "", list(enumerate(files)))
        return checked_inputs(task, column, text_column)
    _refuse_csv(task, path)
    column = read_columns(path, {"text_column": text_column}, encoding)["text_column"]
    if isinstance(task, TokenClassification) and format_of(files_of(path)[0]) == "txt":
        column = dataclasses.replace(column, values=[text.split() for text in column.values])
    return checked_inputs(task, column, text_column)


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
