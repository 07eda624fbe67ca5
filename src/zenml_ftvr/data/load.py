"""From a `DataSource` to a `Dataset`."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from zenml_ftvr.data.assign import Placement
from zenml_ftvr.data.checks import refuse_fatal
from zenml_ftvr.data.corpora import CORPORA, read_corpus
from zenml_ftvr.data.documents import splits_by_position
from zenml_ftvr.data.files import COMPRESSIONS, files_of, format_of, is_text_file
from zenml_ftvr.data.hub import read_hub
from zenml_ftvr.data.image_folder import ImageFolder, image_folder, images_in, is_image_folder
from zenml_ftvr.data.inputs import WrongTextError, checked_inputs, is_text, refuse_unanswered
from zenml_ftvr.data.intake import Intake
from zenml_ftvr.data.memory import IN_MEMORY, InMemory, columns_in_memory
from zenml_ftvr.data.read import (
    Batch,
    Column,
    batches_of,
    is_file_name,
    read_batches,
    read_columns,
    read_pieces,
)
from zenml_ftvr.data.rows import BATCH_ROWS, Dataset, row_id_of
from zenml_ftvr.data.split import SPLITS, codes_of, divided, make_dataset, split_of
from zenml_ftvr.data.spool import work_folder
from zenml_ftvr.data.targets import checked_targets, has_targets
from zenml_ftvr.errors import ConfigurationError, DataError
from zenml_ftvr.values import DataSource, Task, TextClassification
from zenml_ftvr.values.data import SPLIT_COLUMNS
from zenml_ftvr.values.task import CausalLM, ImageClassification, TokenClassification

log = logging.getLogger(__name__)

__all__ = ["dataset_from", "load_dataset", "read_inputs", "read_texts", "refuse_local_path"]

SPLIT_FILES = {"validation_file": "validation", "test_file": "test"}
"""Settings that name a file with the rows of one split."""
IMAGES_AT_A_TIME = 64  # of a photograph's few megabytes, some hundred megabytes together
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
    return _made_of(source, task, _Reading(batches=batches_of(found, rows_at_a_time(task))))


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
    return _made_of(named, task, _Reading(batches=batches_of(found, rows_at_a_time(task))))


def _of_corpus(source: DataSource, task: Task) -> Dataset:
    _refuse_splits_of_corpus(source)
    match task:
        case TextClassification(target="single"):
            return make_dataset(source, *read_corpus(source.name))
        case CausalLM(form="text"):
            texts, _ = read_corpus(source.name)
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
class _Reading:
    """Batches as they are read, and what else their file says."""

    batches: Generator[Batch]
    splits: Callable[[], Sequence[str]] | None = None
    """Of every row, once all have been read, where folders name them or positions decide."""


def rows_at_a_time(task: Task) -> int:
    """Rows of a batch: fewer where each may be an image of megabytes."""
    return IMAGES_AT_A_TIME if isinstance(task, ImageClassification) else BATCH_ROWS


def _read(source: DataSource, task: Task, name: str, columns: dict[str, str]) -> _Reading:
    """The rows of files, of text files, or of a folder of images."""
    if isinstance(task, ImageClassification) and is_image_folder(name):
        return _read_image_folder(source, name, columns)
    if _is_running_text(task, name):
        if more := [setting for setting in SPLIT_COLUMNS if setting in columns]:
            raise DataError(
                f"{name} is a text file, so that data.{more[0]} names nothing in it. Leave it out, "
                f"or write the rows as JSONL."
            )
        counts: list[tuple[str, int]] = []
        return _Reading(
            batches=read_pieces(name, source.encoding, counts),
            splits=lambda: splits_by_position(source, counts),
        )
    _refuse_csv(task, name)
    batches = read_batches(name, columns, source.encoding, rows_at_a_time(task))
    return _Reading(batches=batches)


def _is_running_text(task: Task, name: str) -> bool:
    return (
        isinstance(task, CausalLM)
        and task.form == "text"
        and all(map(is_text_file, files_of(name)))
    )


def _refuse_csv(task: Task, name: str) -> None:
    if not isinstance(task, TokenClassification):
        return
    if (first := files_of(name)[0]).lower().endswith(COLUMNS_OF_TEXT):
        raise DataError(
            f"{first} has cells of text, and {task.kind} needs a list of words and one of tags a "
            f"row. Write it as JSONL, Parquet, or .conll with a word and its tag a line."
        )


def _read_image_folder(source: DataSource, name: str, columns: dict[str, str]) -> _Reading:
    if more := [setting for setting in SPLIT_COLUMNS if setting in columns]:
        raise DataError(
            f"{name} is a folder of images, so that data.{more[0]} names nothing in it. Leave it "
            f"out, or list images and classes in a CSV or JSONL file."
        )
    found = image_folder(name)
    if found.n_ignored:
        log.warning("%s: %d files are no images of a class, and left out.", name, found.n_ignored)
    splits = found.splits
    return _Reading(
        batches=_batches_of_images(found),
        splits=None if splits is None else lambda: _completed(source, splits, found.files),
    )


def _batches_of_images(found: ImageFolder) -> Generator[Batch]:
    for start in range(0, len(found.files), IMAGES_AT_A_TIME):
        files = found.files[start : start + IMAGES_AT_A_TIME]
        labels = list(found.labels[start : start + IMAGES_AT_A_TIME])
        places = range(start + 1, start + len(files) + 1)
        last = [file.rpartition("/")[2] for file in files]
        yield {
            "text_column": Column(last, places, "", list(enumerate(files))),
            "label_column": Column(labels, places, "", list(enumerate(files))),
        }


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


def _refuse_useless_separator(source: DataSource, task: Task) -> None:
    multi = isinstance(task, TextClassification) and task.target == "multi"
    if source.label_separator is not None and not multi:
        raise ConfigurationError(
            f"data.label_separator is '{source.label_separator}', but only text-classification "
            f"with target multi has several labels a row. Leave it out, or set the task so."
        )


def _made_of(source: DataSource, task: Task, reading: _Reading) -> Dataset:
    """Take in the rows of the main file and of others, batch by batch, and split them."""
    import numpy as np

    _refuse_useless_separator(source, task)
    placement = Placement(source)
    with work_folder() as folder, Intake(task, folder) as intake:
        for row_ids, columns in _taken_in(source, intake, reading):
            if reading.splits is None:
                placement.add(row_ids, columns)
        main = placement.codes() if reading.splits is None else codes_of(reading.splits())
        splits = [main]
        columns_of_file = {
            setting: column
            for setting, column in _columns_of(source, task).items()
            if setting not in SPLIT_COLUMNS
        }
        for setting, split in SPLIT_FILES.items():
            file = getattr(source, setting)
            if file is not None:
                more = _read(source, task, file, columns_of_file)
                n = sum(len(row_ids) for row_ids, _ in _taken_in(source, intake, more))
                splits.append(np.full(n, SPLITS.index(split), np.uint8))
        return _allowed(divided(source, intake, np.concatenate(splits), folder))


def _taken_in(
    source: DataSource, intake: Intake, reading: _Reading
) -> Iterator[tuple[list[str], Batch]]:
    """Check every batch and take it in: the ids of its rows, and its columns."""
    with closing(reading.batches) as batches:
        for columns in batches:
            try:
                inputs, targets = _checked_rows(source, intake.task, columns)
            except WrongTextError as error:
                raise _with_later(error, columns, batches) from None
            yield intake.add(inputs, targets), columns


def _with_later(error: WrongTextError, columns: Batch, batches: Generator[Batch]) -> WrongTextError:
    """The same error, with the wrong rows of the rest of the file counted too."""
    # Only texts raise it: which column, its own values tell.
    setting = next(setting for setting, one in columns.items() if not all(map(is_text, one.values)))
    return error.with_more(
        sum(not is_text(value) for batch in batches for value in batch[setting].values)
    )


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
