"""Read rows from files and URIs; every fault names its line."""

from __future__ import annotations

import codecs
import csv
import io
import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import IO, Any

from zenml_ftvr.data.conll import TAGS, WORDS, sentences
from zenml_ftvr.data.documents import pieces_of
from zenml_ftvr.data.files import (
    ENDINGS,
    SUFFIXES,
    Format,
    files_of,
    format_of,
    is_file_name,
    opened,
)
from zenml_ftvr.errors import DataError
from zenml_ftvr.values.written import name_or_guess

__all__ = [
    "SUFFIXES",
    "Column",
    "check_columns",
    "column_names",
    "is_file_name",
    "read_columns",
    "read_pieces",
]

LONGEST_FIELD = 2**31 - 1  # characters: csv's own default, 131,072, is shorter than real texts


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one column, and the place in its file of each."""

    values: list[Any]
    places: Sequence[int]
    place_name: str
    """What a place is called: `line`, `row` or `piece`; empty where a file is all of a row."""
    files: Sequence[tuple[int, str]]
    """The files that the values are from, each with the index of its first."""

    def place(self, index: int) -> str:
        """Where a value is from, such as `rows.csv, line 7`."""
        file = self.file(index)
        return f"{file}, {self.place_name} {self.places[index]}" if self.place_name else file

    def file(self, index: int) -> str:
        """The file that a value is from."""
        _, file = self.files[bisect_right(self.files, index, key=itemgetter(0)) - 1]
        return file


@dataclass(frozen=True, slots=True)
class _Part:
    """The columns of one file."""

    columns: dict[str, Column]
    names: frozenset[str] | None
    """Of all its columns; None where every row names its own, or there is none."""
    n_rows: int


def read_columns(name: str, columns: dict[str, str], encoding: str) -> dict[str, Column]:
    """The columns of a file, files or a URI; `columns` maps the setting's name to the column's.

    Raises `DataError` for a missing file or column, undecodable bytes, and broken lines.
    """
    files = _files_of_one_format(name)
    parts = [_read_file(file, columns, encoding) for file in files]
    _check_equal_columns(files, parts)
    if not any(part.n_rows for part in parts):
        raise _no_rows(name)
    if len(parts) == 1:
        return parts[0].columns
    starts, n_rows = [], 0
    for file, part in zip(files, parts, strict=True):
        starts.append((n_rows, file))
        n_rows += part.n_rows
    return {
        setting: Column(
            [value for part in parts for value in part.columns[setting].values],
            [place for part in parts for place in part.columns[setting].places],
            parts[0].columns[setting].place_name,
            starts,
        )
        for setting in columns
    }


def read_pieces(name: str, encoding: str) -> tuple[Column, list[tuple[str, int]]]:
    """The pieces that text files are cut into, and how many each of the files has."""
    files = _files_of_one_format(name)
    values: list[str] = []
    places: list[int] = []
    starts, counts = [], []
    for file in files:
        starts.append((len(values), file))
        with opened(file) as stream:
            pieces = list(pieces_of(_decoded(file, stream, encoding)))
        values += pieces
        places += range(1, len(pieces) + 1)
        counts.append((file, len(pieces)))
    if not values:
        raise _no_rows(name)
    return Column(values, places, "piece", starts), counts


def column_names(name: str, encoding: str) -> list[str]:
    """The columns of a file, or of the first of several that has rows."""
    for file in _files_of_one_format(name):
        with opened(file) as stream:
            format_ = format_of(file)
            match format_:
                case "parquet":
                    import pyarrow.parquet as pq

                    with _parquet_faults(file):
                        return list(pq.read_schema(stream).names)
                case "txt":
                    raise _no_labels(file)
                case "conll":
                    return [WORDS, TAGS]
                case "csv" | "tsv" | "jsonl":
                    for _, record in _records(file, format_, _decoded(file, stream, encoding)):
                        return list(record)
    raise _no_rows(name)


def _no_rows(name: str) -> DataError:
    return DataError(f"{name} holds no rows. Give a file with a row a text.")


def _no_labels(name: str) -> DataError:
    return DataError(
        f"{name} has none of the endings of files with columns: {', '.join(ENDINGS)}. A text file "
        f"holds no labels: it can be predicted for, not trained on but by causal-lm (form: text)."
    )


def _no_more_columns(name: str, columns: dict[str, str]) -> DataError:
    more = next(one for one in columns if one not in ("text_column", "label_column"))
    return DataError(
        f"{name} has words and tags only, so that data.{more} names nothing in it. Leave it out, "
        f"or write the rows as JSONL."
    )


def _files_of_one_format(name: str) -> list[str]:
    files = files_of(name)
    for file in files[1:]:
        if format_of(file) != format_of(files[0]):
            raise DataError(
                f"{name}: {file} is of another kind than {files[0]}. Narrow the pattern, so that "
                f"all files are read in the same way."
            )
    return files


def _check_equal_columns(files: list[str], parts: list[_Part]) -> None:
    known = [(file, part.names) for file, part in zip(files, parts, strict=True) if part.names]
    for file, names in known[1:]:
        first, expected = known[0]
        if names is not None and expected is not None and names != expected:
            lacking = [f"lacks {name}" for name in sorted(expected - names)]
            more = [f"has {name} besides" for name in sorted(names - expected)]
            raise DataError(
                f"{file} has other columns than {first}: it {', '.join(lacking + more)}. Files "
                f"that are read together need the same columns."
            )


def _read_file(name: str, columns: dict[str, str], encoding: str) -> _Part:
    with opened(name) as stream:
        format_ = format_of(name)
        if format_ == "txt" and set(columns) != {"text_column"}:
            raise _no_labels(name)
        if format_ == "conll" and not set(columns) <= {"text_column", "label_column"}:
            raise _no_more_columns(name, columns)
        if format_ == "parquet":
            return _read_parquet(name, stream, columns)
        places: list[int] = []
        found = {setting: Column([], places, "line", ((0, name),)) for setting in columns}
        lines = _decoded(name, stream, encoding)
        if format_ == "txt":
            for line, text in _texts(lines):
                places.append(line)
                found["text_column"].values.append(text)
            return _Part(found, None, len(places))
        if format_ == "conll":
            for line, words, tags in sentences(name, lines):
                places.append(line)
                for setting in columns:
                    found[setting].values.append(words if setting == "text_column" else tags)
            return _Part(found, None, len(places))
        names: list[str] = []
        for line, record in _records(name, format_, lines):
            if not places:
                names = list(record)
                check_columns(name, names, columns)
            places.append(line)
            for setting, column in columns.items():
                found[setting].values.append(record.get(column))
    same = frozenset(names) if format_ != "jsonl" and names else None
    return _Part(found, same, len(places))


def _decoded(name: str, stream: IO[bytes], encoding: str) -> IO[str]:
    try:
        "".encode(encoding)
    except LookupError as error:
        raise DataError(
            f"encoding '{encoding}' is unknown. Use utf-8, latin-1 or cp1252."
        ) from error
    # A byte order mark is no part of the first column's name.
    exact = codecs.lookup(encoding).name
    exact = "utf-8-sig" if exact == "utf-8" else exact
    return _LineDecoder(name, stream, exact)  # type: ignore[return-value]


class _LineDecoder:
    """Lines of text; a byte that cannot be decoded is reported with its line."""

    def __init__(self, name: str, stream: IO[bytes], encoding: str) -> None:
        self._name, self._encoding = name, encoding
        self._wide = encoding.startswith(("utf-16", "utf-32"))
        self._stream = stream

    def __iter__(self) -> Iterator[str]:
        if self._wide:  # lines cannot be cut at the byte 0x0a
            yield from io.StringIO(self._all_decoded(), newline="")
            return
        for number, line in enumerate(self._stream, start=1):
            try:
                exact = self._encoding if number == 1 else self._encoding.removesuffix("-sig")
                yield line.decode(exact)
            except UnicodeDecodeError as error:
                what = f"byte 0x{error.object[error.start]:02x} at position {error.start}"
                raise self._undecodable(number, what) from error

    def _all_decoded(self) -> str:
        content = self._stream.read()
        try:
            # Unlike `bytes.decode`, it refuses utf-16 without a byte order mark.
            text = codecs.getincrementaldecoder(self._encoding)().decode(content, final=True)
        except UnicodeError as error:
            start = error.start if isinstance(error, UnicodeDecodeError) else 0
            before = content[:start].decode(self._encoding)
            raise self._undecodable(before.count("\n") + 1, "the text") from error
        return text.removeprefix("\ufeff")

    def _undecodable(self, line: int, what: str) -> DataError:
        return DataError(
            f"{self._name}, line {line}: {what} is not {self._encoding.removesuffix('-sig')}. Set "
            f"data.encoding to the file's, perhaps latin-1 or cp1252."
        )


def _texts(lines: Any) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, line.removesuffix("\n").removesuffix("\r")


def _records(name: str, format_: Format, lines: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    match format_:
        case "csv":
            return _records_csv(name, lines, ",")
        case "tsv":
            return _records_csv(name, lines, "\t")
        case _:
            return _records_jsonl(name, lines)


def _records_csv(name: str, lines: Any, delimiter: str) -> Iterator[tuple[int, dict[str, Any]]]:
    kind, separator = {",": ("CSV", "commas"), "\t": ("TSV", "tabs")}[delimiter]
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = next((fields for fields in reader if fields), None)
        if header is None:
            return
        if twice := sorted({column for column in header if header.count(column) > 1}):
            raise DataError(
                f"{name}: the header names {', '.join(twice)} more than once. Rename one of them."
            )
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(header):
                raise DataError(
                    f"{name}, line {reader.line_num}: {len(fields)} fields where the header has "
                    f"{len(header)}. Quote texts that hold {separator} or line breaks."
                )
            yield reader.line_num, dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise DataError(
            f"{name}, line {reader.line_num}: not valid {kind} ({error}). Quote texts that hold "
            f"{separator}, quotes or line breaks."
        ) from error


def _records_jsonl(name: str, lines: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{name}, line {number}: not valid JSON ({error.msg}). Write one object a line."
            ) from error
        if not isinstance(record, dict):
            raise DataError(
                f"{name}, line {number}: {line.strip()[:60]!r} is no JSON object. Write one "
                f"object a line, with the columns as keys."
            )
        yield number, record


def _read_parquet(name: str, stream: Any, columns: dict[str, str]) -> _Part:
    import pyarrow.parquet as pq

    with _parquet_faults(name):
        file = pq.ParquetFile(stream)
        names = list(file.schema_arrow.names)
        check_columns(name, names, columns)
        table = file.read(columns=list(columns.values()))
    places = range(1, table.num_rows + 1)
    found = {
        setting: Column(table.column(column).to_pylist(), places, "row", ((0, name),))
        for setting, column in columns.items()
    }
    return _Part(found, frozenset(names), table.num_rows)


@contextmanager
def _parquet_faults(name: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{name} is not a whole Parquet file ({str(error).strip()}). Write it again."
        ) from error


def check_columns(name: str, present: list[str], columns: dict[str, str]) -> None:
    """Refuse the absence of a column, with the nearest of those there are."""
    for setting, column in columns.items():
        if column not in present:
            raise DataError(
                f"{name}: {setting.removesuffix('_column')} column '{column}' is absent."
                f"{name_or_guess(column, present)} Set {setting} to one of them."
            )
