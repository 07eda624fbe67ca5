"""From a `DataSource` to a `Dataset`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zenml_ftvr.data.corpora import CORPORA, read_corpus
from zenml_ftvr.data.read import Column, is_file_name, read_columns
from zenml_ftvr.data.rows import Dataset
from zenml_ftvr.data.split import make_dataset
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource
from zenml_ftvr.values.written import name_or_guess

__all__ = ["load_dataset", "read_texts", "refuse_local_path"]


def load_dataset(source: DataSource) -> Dataset:
    """Read, check and split the rows of `source`.

    Raises `DataError`, which says what was wrong, where, and what to do.
    """
    if source.name in CORPORA:
        texts, labels = read_corpus(source.name)
        return make_dataset(source, texts, labels)
    columns = {"text_column": source.text_column, "label_column": source.label_column}
    if is_file_name(source.name):
        found = read_columns(source.name, columns, source.encoding)
    else:
        found = _read_hub(source, columns)
    texts = _checked_texts(source.name, found["text_column"], source.text_column)
    labels = _checked_labels(source.name, found["label_column"], source.label_column)
    return make_dataset(source, texts, labels)


def read_texts(path: str, text_column: str = "text", encoding: str = "utf-8") -> list[str]:
    """The texts of a file to predict for; checked as for training, but no label is needed."""
    if not is_file_name(path):
        raise DataError(f"data file {path} does not exist. Give a file or a URI.")
    found = read_columns(path, {"text_column": text_column}, encoding)
    return _checked_texts(path, found["text_column"], text_column)


def refuse_local_path(source: DataSource) -> None:
    """Refuse a local path where the steps run on another machine."""
    remote = "://" in source.name and not source.name.startswith("file://")
    if source.name in CORPORA or remote or not is_file_name(source.name):
        return
    raise DataError(
        f"data file {source.name} is on this machine, but the stack's orchestrator runs steps on "
        f"another. Put the file where they can read it, such as s3://, gs:// or az:// in the "
        f"stack's artifact store, and set data.name to that URI; a Hugging Face data set id works "
        f"too."
    )


def _checked_texts(name: str, column: Column, called: str) -> list[str]:
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
            f"{name}, {column.place_name} {column.places[wrong[0]]}: '{called}' {what}"
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


def _checked_labels(name: str, column: Column, called: str) -> list[str]:
    labels: list[str] = []
    for index, value in enumerate(column.values):
        label = _label(value)
        if label is None:
            what = "is missing" if value is None or value == "" else f"is {value!r:.60}"
            raise DataError(
                f"{name}, {column.place_name} {column.places[index]}: '{called}' {what}. A label "
                f"is a text or a whole number, one a row: this task sorts texts into classes."
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


def _read_hub(source: DataSource, columns: dict[str, str]) -> dict[str, Column]:
    """The columns of a data set on the Hugging Face Hub."""
    import datasets
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    tried = (
        f"data '{source.name}' was not found: it is no built-in corpus "
        f"({', '.join(sorted(CORPORA))}) and no file here, and as a Hugging Face data set"
    )
    elsewhere = (
        f"Files end in .csv, .jsonl or .parquet.{name_or_guess(source.name, sorted(CORPORA))}"
    )
    try:
        table = datasets.load_dataset(
            source.name, source.subset, split=source.hub_split, revision=source.revision
        )
    except (datasets.exceptions.DatasetNotFoundError, HFValidationError) as error:
        raise DataError(
            f"{tried} it does not exist or is private ({error}). {elsewhere}"
        ) from error
    except datasets.exceptions.DatasetsError as error:
        raise _unreadable_on_hub(source, error) from error
    except (HfHubHTTPError, httpx.HTTPError, OSError) as error:
        raise DataError(
            f"{tried} it cannot be reached ({type(error).__name__}). Check the name, the network "
            f"and HF_HUB_OFFLINE. {elsewhere}"
        ) from error
    except (ValueError, RuntimeError) as error:
        raise _unreadable_on_hub(source, error) from error
    for setting, column in columns.items():
        if column not in table.column_names:
            raise DataError(
                f"{source.name}: {setting.removesuffix('_column')} column '{column}' is absent."
                f"{name_or_guess(column, table.column_names)} Set {setting} to one of them."
            )
    if len(table) == 0:
        raise DataError(f"{source.name} holds no rows in its split '{source.hub_split}'.")
    places = range(1, len(table) + 1)
    found = {}
    for setting, column in columns.items():
        values = list(table[column])
        feature = table.features[column]
        if setting == "label_column" and isinstance(feature, datasets.ClassLabel):
            values = [None if value in (None, -1) else feature.int2str(value) for value in values]
        found[setting] = Column(values, places, "row")
    return found


def _unreadable_on_hub(source: DataSource, error: Exception) -> DataError:
    return DataError(
        f"data '{source.name}' on the Hugging Face Hub: {error}. Set subset, hub_split or "
        f"revision to one that it has."
    )
