"""Read rows from files and URIs; every fault names its line."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from zenml_ftvr.errors import DataError
from zenml_ftvr.values.written import name_or_guess

__all__ = ["SUFFIXES", "Column", "column_names", "is_file_name", "read_columns"]

SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet", ".csv.gz", ".jsonl.gz", ".ndjson.gz")
LONGEST_FIELD = 2**31 - 1  # characters: csv's own default, 131,072, is shorter than real texts
BROKEN_GZIP = (gzip.BadGzipFile, EOFError, zlib.error)  # in its first bytes, its last, its middle


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one column, and the place in the file of each."""

    values: list[Any]
    places: Sequence[int]
    place_name: str
    """What a place is called: `line` or `row`."""


def is_file_name(name: str) -> bool:
    """Whether `name` means a file or URI, by its look or because it is there."""
    looks = name.startswith(("/", "./", "../", "~")) or "://" in name
    # A folder counts too, only to be refused: `datasets` would read it in place of the Hub's.
    return looks or name.lower().endswith(SUFFIXES) or Path(name).expanduser().exists()


def read_columns(name: str, columns: dict[str, str], encoding: str) -> dict[str, Column]:
    """The columns of a file or URI; `columns` maps the setting's name to the column's.

    Raises `DataError` for a missing file or column, undecodable bytes, and broken lines.
    """
    with _opened(name) as stream:
        if _suffix(name) == ".parquet":
            return _read_parquet(name, stream, columns)
        reader = _records_csv if _suffix(name) == ".csv" else _records_jsonl
        found: dict[str, Column] = {}
        places: list[int] = []
        for setting in columns:
            found[setting] = Column([], places, "line")
        for line, record in reader(name, _decoded(name, stream, encoding)):
            if not places:
                _check_columns(name, list(record), columns)
            places.append(line)
            for setting, column in columns.items():
                found[setting].values.append(record.get(column))
    if not places:
        raise DataError(f"{name} holds no rows. Give a file with a row a text.")
    return found


def column_names(name: str, encoding: str) -> list[str]:
    """The columns of a file."""
    with _opened(name) as stream:
        if _suffix(name) == ".parquet":
            import pyarrow.parquet as pq

            with _parquet_faults(name):
                return list(pq.read_schema(stream).names)
        reader = _records_csv if _suffix(name) == ".csv" else _records_jsonl
        for _, record in reader(name, _decoded(name, stream, encoding)):
            return list(record)
    raise DataError(f"{name} holds no rows. Give a file with a row a text.")


def _suffix(name: str) -> str:
    lower = name.lower().removesuffix(".gz")
    for suffix in (".csv", ".parquet"):
        if lower.endswith(suffix):
            return suffix
    if lower.endswith((".jsonl", ".ndjson")):
        return ".jsonl"
    raise DataError(
        f"{name} has none of the endings that can be read: {', '.join(SUFFIXES)}. Convert it, or "
        f"rename it if it is one of these."
    )


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    if "://" not in name:
        path = Path(name).expanduser()
        if not path.is_file():
            what = "is a folder, not a file" if path.is_dir() else "does not exist"
            raise DataError(
                f"data file {name} {what} (looked for {path.absolute()}). Check data.name and the "
                f"folder that the command runs in."
            )
        opener: Any = gzip.open if name.lower().endswith(".gz") else open
        try:
            with opener(path, "rb") as stream:
                yield stream
        except BROKEN_GZIP as error:
            raise _broken_gzip(name, error) from error
        except PermissionError as error:
            raise DataError(f"{name} may not be read: {error}. Change its permissions.") from error
        return
    import fsspec

    try:
        compression = "gzip" if name.lower().endswith(".gz") else None
        with fsspec.open(name, "rb", compression=compression) as stream:
            yield stream
    except ImportError as error:
        raise DataError(f"{name} cannot be read here: {error}.") from error
    except BROKEN_GZIP as error:
        raise _broken_gzip(name, error) from error
    except ValueError as error:
        raise DataError(f"{name} is no URI that can be read: {error}.") from error
    except OSError as error:
        raise DataError(
            f"{name} cannot be read: {error!r}. Check the URI and the credentials."
        ) from error


def _broken_gzip(name: str, error: Exception) -> DataError:
    return DataError(f"{name} is not a whole gzip file ({error}). Copy it again.")


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


def _records_csv(name: str, lines: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(lines, strict=True)
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
                    f"{len(header)}. Quote texts that hold commas or line breaks."
                )
            yield reader.line_num, dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise DataError(
            f"{name}, line {reader.line_num}: not valid CSV ({error}). Quote texts that hold "
            f"commas, quotes or line breaks."
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


def _read_parquet(name: str, stream: Any, columns: dict[str, str]) -> dict[str, Column]:
    import pyarrow.parquet as pq

    with _parquet_faults(name):
        file = pq.ParquetFile(stream)
        _check_columns(name, list(file.schema_arrow.names), columns)
        table = file.read(columns=list(columns.values()))
    if table.num_rows == 0:
        raise DataError(f"{name} holds no rows. Give a file with a row a text.")
    places = range(1, table.num_rows + 1)
    return {
        setting: Column(table.column(column).to_pylist(), places, "row")
        for setting, column in columns.items()
    }


@contextmanager
def _parquet_faults(name: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{name} is not a whole Parquet file ({str(error).strip()}). Write it again."
        ) from error


def _check_columns(name: str, present: list[str], columns: dict[str, str]) -> None:
    for setting, column in columns.items():
        if column not in present:
            raise DataError(
                f"{name}: {setting.removesuffix('_column')} column '{column}' is absent."
                f"{name_or_guess(column, present)} Set {setting} to one of them."
            )
