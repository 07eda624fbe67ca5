"""Read rows from files and URIs; every fault names its line."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import IO, Any

from zenml_ftvr.data.conll import TAGS, WORDS, sentences
from zenml_ftvr.data.decode import Lines, decoded
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
from zenml_ftvr.data.rows import BATCH_ROWS
from zenml_ftvr.errors import DataError
from zenml_ftvr.values.written import name_or_guess

__all__ = [
    "SUFFIXES",
    "Batch",
    "Column",
    "batches_of",
    "check_columns",
    "column_names",
    "is_file_name",
    "read_batches",
    "read_columns",
    "read_pieces",
]

BATCH_CHARACTERS = 2**23
"""Characters, bytes or items of lists that end a batch before it has its number of rows: with what
Python adds, some tens of megabytes."""
PIECES_AT_A_TIME = 128  # of running text, 10,000 characters each
PARQUET_BYTES = 2**20  # of a column that are read at a time
LONGEST_FIELD = 2**31 - 1  # characters: csv's own default, 131,072, is shorter than real texts


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one column, and the place in its file of each."""

    values: Sequence[Any]
    places: Sequence[int]
    place_name: str
    """What a place is called: `line`, `row` or `piece`; empty where a file is all of a row."""
    files: Sequence[tuple[int, str]]
    """The files that the values are from, each with the index of its first."""

    def place(self, index: int) -> str:
        """Where a value is from, such as `rows.csv, line 7`."""
        file = self.file(index)
        return f"{file}, {self.place_name} {self.places[index]}" if self.place_name else file

    def part(self, rows: slice) -> Column:
        """Some of the rows, whose values are then a list."""
        start = rows.start
        files = [(max(0, first - start), file) for first, file in self.files if first < rows.stop]
        # Of the files before `start`, the last is that of the first row.
        before = sum(first <= start for first, _ in self.files)
        files = files[max(0, before - 1) :]
        return Column(list(self.values[rows]), self.places[rows], self.place_name, files)

    def file(self, index: int) -> str:
        """The file that a value is from."""
        _, file = self.files[bisect_right(self.files, index, key=itemgetter(0)) - 1]
        return file


Batch = dict[str, Column]
"""Some rows of one file: the column that each setting names."""


def read_batches(
    name: str, columns: dict[str, str], encoding: str, n_rows: int = BATCH_ROWS
) -> Generator[Batch]:
    """The columns of a file, files or a URI, at most `n_rows` rows at a time.

    `columns` maps the setting's name to the column's. Raises `DataError` for a missing file or
    column, undecodable bytes, and broken lines.
    """
    files = _files_of_one_format(name)
    any_rows = False
    first: tuple[str, frozenset[str]] | None = None
    for file in files:
        with opened(file) as stream:
            part = _read_file(file, stream, columns, encoding, n_rows)
            for names, batch in part:
                if names and first is None:
                    first = file, names
                if names and first is not None and names != first[1]:
                    raise _other_columns(file, names, *first)
                n = len(next(iter(batch.values())).values)
                any_rows = any_rows or n > 0
                if n:
                    yield batch
    if not any_rows:
        raise _no_rows(name)


def read_columns(
    name: str, columns: dict[str, str], encoding: str, most_rows: int | None = None
) -> Batch:
    """All rows of `read_batches` in one, or the first `most_rows` and what comes with them."""
    batches, n_rows = [], 0
    with contextlib.closing(read_batches(name, columns, encoding)) as reading:
        for batch in reading:
            batches.append(batch)
            n_rows += len(next(iter(batch.values())).values)
            if most_rows is not None and n_rows >= most_rows:
                break
    return {setting: _joined([batch[setting] for batch in batches]) for setting in columns}


def _joined(columns: Sequence[Column]) -> Column:
    starts: list[tuple[int, str]] = []
    n_rows = 0
    for column in columns:
        file = column.file(0)
        if not starts or starts[-1][1] != file:
            starts.append((n_rows, file))
        n_rows += len(column.values)
    return Column(
        [value for column in columns for value in column.values],
        [place for column in columns for place in column.places],
        columns[0].place_name,
        starts,
    )


def read_pieces(name: str, encoding: str, counts: list[tuple[str, int]]) -> Generator[Batch]:
    """The pieces that text files are cut into; `counts` gets how many each of the files has."""
    for file in _files_of_one_format(name):
        n_pieces = 0
        with opened(file) as stream:
            pieces = pieces_of(decoded(file, stream, encoding).parts())
            while some := list(itertools.islice(pieces, PIECES_AT_A_TIME)):
                places = range(n_pieces + 1, n_pieces + len(some) + 1)
                n_pieces += len(some)
                yield {"text_column": Column(some, places, "piece", ((0, file),))}
        counts.append((file, n_pieces))
    if not any(n for _, n in counts):
        raise _no_rows(name)


def batches_of(columns: Mapping[str, Column], n_rows: int = BATCH_ROWS) -> Generator[Batch]:
    """Columns that are at hand, at most `n_rows` rows at a time."""
    n = len(next(iter(columns.values())).values)
    for start in range(0, n, n_rows):
        some = slice(start, start + n_rows)
        yield {setting: column.part(some) for setting, column in columns.items()}


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
                    for _, record in _records(file, format_, decoded(file, stream, encoding)):
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


def _other_columns(
    file: str, names: frozenset[str], first: str, expected: frozenset[str]
) -> DataError:
    lacking = [f"lacks {name}" for name in sorted(expected - names)]
    more = [f"has {name} besides" for name in sorted(names - expected)]
    return DataError(
        f"{file} has other columns than {first}: it {', '.join(lacking + more)}. Files that are "
        f"read together need the same columns."
    )


Named = tuple[frozenset[str] | None, Batch]
"""Rows of a file, and the names of all its columns: None where every row names its own, or there
are none."""


def _read_file(
    name: str, stream: IO[bytes], columns: dict[str, str], encoding: str, n_rows: int
) -> Iterator[Named]:
    format_ = format_of(name)
    if format_ == "txt" and set(columns) != {"text_column"}:
        raise _no_labels(name)
    if format_ == "conll" and not set(columns) <= {"text_column", "label_column"}:
        raise _no_more_columns(name, columns)
    match format_:
        case "parquet":
            return _read_parquet(name, stream, columns, n_rows)
        case "txt":
            lines = _texts(decoded(name, stream, encoding))
            texts = ((line, {"text_column": text}) for line, text in lines)
            return ((None, batch) for batch in _cut(name, columns, texts, n_rows))
        case "conll":
            found = sentences(name, decoded(name, stream, encoding))
            rows = (
                (line, {"text_column": words, "label_column": tags}) for line, words, tags in found
            )
            return ((None, batch) for batch in _cut(name, columns, rows, n_rows))
        case _:
            return _read_records(name, format_, decoded(name, stream, encoding), columns, n_rows)


def _read_records(
    name: str, format_: Format, lines: Lines, columns: dict[str, str], n_rows: int
) -> Iterator[Named]:
    records = _records(name, format_, lines)
    first = next(records, None)
    if first is None:
        return
    names = list(first[1])
    check_columns(name, names, columns)
    rows = (
        (line, {setting: record.get(column) for setting, column in columns.items()})
        for line, record in itertools.chain([first], records)
    )
    same = frozenset(names) if format_ != "jsonl" else None
    for batch in _cut(name, columns, rows, n_rows):
        yield same, batch


def _cut(
    name: str,
    columns: dict[str, str],
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    n_rows: int,
) -> Iterator[Batch]:
    """Batches of at most `n_rows` rows, or of fewer where their texts are long."""
    values: dict[str, list[Any]] = {setting: [] for setting in columns}
    places: list[int] = []
    size = 0

    def batch() -> Batch:
        files = ((0, name),)
        return {setting: Column(found, places, "line", files) for setting, found in values.items()}

    for line, row in rows:
        places.append(line)
        for setting, found in values.items():
            value = row[setting]
            found.append(value)
            size += len(value) if isinstance(value, str | list) else 0
        if len(places) >= n_rows or size >= BATCH_CHARACTERS:
            yield batch()
            values, places, size = {setting: [] for setting in columns}, [], 0
    if places:
        yield batch()


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


def _read_parquet(name: str, stream: Any, columns: dict[str, str], n_rows: int) -> Iterator[Named]:
    import pyarrow.parquet as pq

    with _parquet_faults(name):
        # Not a whole column at once, which its row group may hold very many rows of.
        file = pq.ParquetFile(stream, buffer_size=PARQUET_BYTES, pre_buffer=False)
        names = list(file.schema_arrow.names)
        check_columns(name, names, columns)
        row_bytes = _bytes_of(file.metadata) / max(1, file.metadata.num_rows)
        some = max(1, min(n_rows, int(BATCH_CHARACTERS / max(1.0, row_bytes))))
        reading = file.iter_batches(batch_size=some, columns=list(columns.values()))
    same = frozenset(names)
    start = 0
    while True:
        with _parquet_faults(name):
            found = next(reading, None)
            if found is None:
                break
            values = {
                setting: found.column(column).to_pylist() for setting, column in columns.items()
            }
        places = range(start + 1, start + found.num_rows + 1)
        start += found.num_rows
        yield (
            same,
            {setting: Column(one, places, "row", ((0, name),)) for setting, one in values.items()},
        )
    if not start:
        files = ((0, name),)
        yield same, {setting: Column([], [], "row", files) for setting in columns}


def _bytes_of(metadata: Any) -> int:
    """Bytes of all rows, decompressed."""
    groups = (metadata.row_group(place) for place in range(metadata.num_row_groups))
    return sum(int(group.total_byte_size) for group in groups)


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
