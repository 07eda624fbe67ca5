"""Several files in one, compressed ones, and text without columns."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import sys
import types
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zenml_ftvr.data import column_names, load_dataset, read_texts, refuse_local_path
from zenml_ftvr.data.files import files_of
from zenml_ftvr.data.read import Column, is_file_name, read_columns
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource

COLUMNS = {"text_column": "text", "label_column": "label"}
CSV = b"text,label\nfirst,a\nsecond,b\n"
TSV = b'text\tlabel\nfirst, with a comma\ta\n"two\nlines"\tb\n'
JSONL = b'{"text": "first", "label": "a"}\n{"text": "second", "label": "b"}\n'

Write = Callable[[str, bytes], str]


class ZstandardError(Exception):
    """What the stand-in for the package `zstandard` raises."""


class _Frame:
    """One frame of the stand-in's format, which is a zlib stream."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj()

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, packed: bytes) -> bytes:
        try:
            return self._zlib.decompress(packed)
        except zlib.error as error:
            raise ZstandardError(str(error)) from error


class _Decompressor:
    def decompressobj(self) -> _Frame:
        return _Frame()


@pytest.fixture
def zstandard(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], bytes]:
    """A stand-in for the package `zstandard`, and what compresses for it."""
    package = types.ModuleType("zstandard")
    package.ZstdDecompressor = _Decompressor  # type: ignore[attr-defined]
    package.ZstdError = ZstandardError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "zstandard", package)
    return zlib.compress


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file, and get its name."""

    def to_file(name: str, content: bytes) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    return to_file


@pytest.fixture
def write_in_memory() -> Iterator[Write]:
    """Write a file that only a URI leads to, and get the URI."""

    def to_memory(name: str, content: bytes) -> str:
        uri = f"memory://files-tests/{name}"
        with fsspec.open(uri, "wb") as stream:
            stream.write(content)
        return uri

    yield to_memory
    memory = fsspec.filesystem("memory")
    if memory.exists("/files-tests"):
        memory.rm("/files-tests", recursive=True)


def _read(name: str) -> dict[str, Column]:
    return read_columns(name, COLUMNS, "utf-8")


def _values(name: str) -> tuple[list[Any], list[Any]]:
    found = _read(name)
    return found["text_column"].values, found["label_column"].values


def _places(name: str) -> list[str]:
    column = _read(name)["label_column"]
    return [column.place(index).rsplit("/", 1)[-1] for index in range(len(column.values))]


def _parquet(texts: list[str], labels: list[str], **more: list[Any]) -> bytes:
    sink = pa.BufferOutputStream()
    table = {"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.string()), **more}
    pq.write_table(pa.table(table), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


# --- tabs


def test_tabs_separate_and_commas_do_not(write: Write) -> None:
    name = write("rows.tsv", TSV)
    assert _values(name) == (["first, with a comma", "two\nlines"], ["a", "b"])
    assert _places(name) == ["rows.tsv, line 2", "rows.tsv, line 4"]
    assert column_names(name, "utf-8") == ["text", "label"]


def test_too_many_tabs_name_their_line(write: Write) -> None:
    name = write("rows.tsv", TSV + b"a\tb\tc\n")
    with pytest.raises(DataError, match=r"rows\.tsv, line 5: 3 fields .* Quote texts that hold t"):
        _read(name)


def test_wrong_quotes_between_tabs_name_their_line(write: Write) -> None:
    with pytest.raises(DataError, match=r"line 2: not valid TSV \(.* hold tabs, quotes or line"):
        _read(write("rows.tsv", b'text\tlabel\n"x" y\ta\n'))


# --- compressed files

PACKED = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("end", PACKED)
@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("rows.csv", CSV, ["first", "second"]),
        ("rows.tsv", TSV, ["first, with a comma", "two\nlines"]),
        ("rows.jsonl", JSONL, ["first", "second"]),
        ("rows.ndjson", JSONL, ["first", "second"]),
    ],
)
def test_every_compression_is_read_here_and_at_a_uri(
    write: Write, write_in_memory: Write, end: str, name: str, content: bytes, texts: list[str]
) -> None:
    packed = PACKED[end](content)
    assert _values(write(name + end, packed)) == (texts, ["a", "b"])
    assert _values(write_in_memory(name + end, packed)) == (texts, ["a", "b"])


@pytest.mark.parametrize("end", PACKED)
@pytest.mark.parametrize("where", ["here", "at a URI"])
@pytest.mark.parametrize("damage", ["none", "cut short"])
def test_what_is_not_whole_is_refused_with_its_kind(
    write: Write, write_in_memory: Write, end: str, where: str, damage: str
) -> None:
    content = CSV if damage == "none" else PACKED[end](CSV * 100)[:-12]
    name = (write if where == "here" else write_in_memory)(f"rows.csv{end}", content)
    kind = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz"}[end]
    with pytest.raises(DataError, match=rf"rows\.csv\{end} is not a whole {kind} file \(.+\)\. C"):
        _read(name)


def test_a_line_of_a_compressed_file_is_named(write: Write) -> None:
    name = write("rows.csv.bz2", bz2.compress(CSV + b"caf\xe9,a\n"))
    with pytest.raises(DataError, match=r"rows\.csv\.bz2, line 4: byte 0xe9"):
        _read(name)


def test_zstandard_is_read_through_its_package(
    write: Write, zstandard: Callable[[bytes], bytes]
) -> None:
    assert _values(write("rows.csv.zst", zstandard(CSV))) == (["first", "second"], ["a", "b"])


def test_every_frame_of_zstandard_is_read(
    write: Write, zstandard: Callable[[bytes], bytes]
) -> None:
    many = b"".join(b"text %d,a\n" % number for number in range(50_000))
    name = write("rows.csv.zst", zstandard(CSV) + zstandard(many) + zstandard(b"last,b\n"))
    texts = _values(name)[0]
    assert len(texts) == 50_003
    assert (texts[0], texts[2], texts[-1]) == ("first", "text 0", "last")


@pytest.mark.parametrize("damage", ["none", "cut short", "cut short in its second frame"])
def test_zstandard_that_is_not_whole_is_refused(
    write: Write, zstandard: Callable[[bytes], bytes], damage: str
) -> None:
    packed = zstandard(CSV)
    content = {"none": CSV, "cut short": packed[:-8]}.get(damage, packed + packed[:9])
    with pytest.raises(DataError, match=r"rows\.csv\.zst is not a whole Zstandard file \(.+\)\."):
        _read(write("rows.csv.zst", content))


def test_zstandard_without_its_package_says_what_to_install(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(DataError, match=r"rows\.csv\.zst is .*not here\. Run pip install zstanda"):
        _read(write("rows.csv.zst", CSV))


# --- text without columns


@pytest.mark.parametrize("end", ["", *PACKED])
def test_every_line_of_a_text_file_is_a_text(write: Write, end: str) -> None:
    content = b'\xef\xbb\xbffirst, "quoted"\r\n\n  second\t\nthird'
    name = write(f"rows.txt{end}", PACKED.get(end, bytes)(content))
    assert read_texts(name) == ['first, "quoted"', "  second\t", "third"]


def test_a_text_file_is_read_in_its_encoding(write: Write) -> None:
    name = write("rows.txt", "café\n".encode("cp1252"))
    assert read_texts(name, encoding="cp1252") == ["café"]
    with pytest.raises(DataError, match=r"rows\.txt, line 1: byte 0xe9 at position 3 is not utf"):
        read_texts(name)


def test_a_text_file_without_texts_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match=r"rows\.txt holds no rows"):
        read_texts(write("rows.txt", b"\n \n"))


@pytest.mark.parametrize("name", ["rows.txt", "rows.txt.xz"])
def test_a_text_file_cannot_be_trained_on(write: Write, name: str) -> None:
    path = write(name, b"first\n" if name.endswith("txt") else lzma.compress(b"first\n"))
    with pytest.raises(DataError, match=r"no labels: it can be predicted for, not trained on"):
        load_dataset(DataSource(name=path))
    with pytest.raises(DataError, match=r"no labels: it can be predicted for, not trained on"):
        column_names(path, "utf-8")


# --- several files


def test_the_files_of_a_pattern_are_read_in_sorted_order(write: Write, tmp_path: Path) -> None:
    write("b.csv", b"text,label\nsecond,b\nthird,a\n")
    write("c.csv", b"label,text\na,fourth\n")
    write("a.csv", b"text,label\nfirst,a\n")
    write("a.jsonl", JSONL)
    write(".hidden.csv", CSV)
    (tmp_path / "folder.csv").mkdir()
    name = str(tmp_path / "*.csv")
    assert _values(name) == (["first", "second", "third", "fourth"], ["a", "b", "a", "a"])
    assert _places(name) == ["a.csv, line 2", "b.csv, line 2", "b.csv, line 3", "c.csv, line 2"]
    assert column_names(name, "utf-8") == ["text", "label"]


def test_a_pattern_may_be_relative_and_span_folders(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("data/2024/rows.csv", b"text,label\nnew,a\n")
    write("data/2023/rows.csv.gz", gzip.compress(b"text,label\nold,b\n"))
    monkeypatch.chdir(tmp_path)
    assert _values("data/20*/rows.csv*") == (["old", "new"], ["b", "a"])
    assert _values("data/**/rows.csv") == (["new"], ["a"])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert _values("../data/202?/*.csv") == (["new"], ["a"])


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(write: Write) -> None:
    name = write("rows[1].csv", CSV)
    assert files_of(name) == [name]
    assert _values(name)[0] == ["first", "second"]


def test_the_shards_of_a_folder_are_read_in_sorted_order(write: Write, tmp_path: Path) -> None:
    write("shards/part-1.parquet", _parquet(["second", "third"], ["b", "a"]))
    write("shards/part-0.parquet", _parquet(["first"], ["a"]))
    write("shards/_SUCCESS", b"")
    name = str(tmp_path / "shards")
    assert _values(name) == (["first", "second", "third"], ["a", "b", "a"])
    assert _places(name) == [f"part-{part}.parquet, row {row}" for part, row in ("01", "11", "12")]
    assert column_names(name, "utf-8") == ["text", "label"]


def test_patterns_and_folders_are_found_at_a_uri_too(write_in_memory: Write) -> None:
    write_in_memory("csv/b.csv", b"text,label\nsecond,b\n")
    write_in_memory("csv/a.csv", b"text,label\nfirst,a\n")
    write_in_memory("shards/1.parquet", _parquet(["second"], ["b"]))
    write_in_memory("shards/0.parquet", _parquet(["first"], ["a"]))
    write_in_memory("shards/old.parquet/0.parquet", _parquet(["never"], ["a"]))
    for name in ("csv/*.csv", "shards", "shards/", "shards/*"):
        assert _values(f"memory://files-tests/{name}") == (["first", "second"], ["a", "b"]), name


def test_a_pattern_that_nothing_fits_says_where_it_was_looked_for(
    tmp_path: Path, write_in_memory: Write
) -> None:
    place = re.escape(str(tmp_path))
    with pytest.raises(DataError, match=rf"no file fits .*/x\*/\*\.csv \(looked in {place}\)\. Ch"):
        _read(str(tmp_path / "x*" / "*.csv"))
    with pytest.raises(DataError, match=r"no file fits memory://files-tests/no\*\.csv\. Check"):
        _read("memory://files-tests/no*.csv")


def test_shards_without_rows_are_passed_over_unless_all_are(write: Write, tmp_path: Path) -> None:
    write("rows/0.csv", b"")
    write("rows/1.csv", b"text,label\n")
    pattern = str(tmp_path / "rows" / "*.csv")
    with pytest.raises(DataError, match=r"rows/\*\.csv holds no rows"):
        _read(pattern)
    with pytest.raises(DataError, match=r"rows/\*\.csv holds no rows"):
        column_names(pattern, "utf-8")
    write("rows/2.csv", CSV)
    write("rows/3.csv", b"text,label\n")
    assert _values(pattern)[0] == ["first", "second"]
    assert _places(pattern) == ["2.csv, line 2", "2.csv, line 3"]
    assert column_names(pattern, "utf-8") == ["text", "label"]


def test_a_file_with_other_columns_than_the_first_is_named(write: Write, tmp_path: Path) -> None:
    write("a.csv", b"text,label,id\nfirst,a,1\n")
    write("b.csv", b"text,label,id\nsecond,b,2\n")
    write("c.csv", b"text,label,key\nthird,a,3\n")
    said = r"c\.csv has other columns than .*a\.csv: it lacks id, has key besides\. Files that"
    with pytest.raises(DataError, match=said):
        _read(str(tmp_path / "*.csv"))


def test_a_shard_with_other_columns_is_named(write: Write, tmp_path: Path) -> None:
    write("a.parquet", _parquet(["first"], ["a"]))
    write("b.parquet", _parquet(["second"], ["b"], id=[1]))
    with pytest.raises(DataError, match=r"b\.parquet has other columns .*: it has id besides\."):
        _read(str(tmp_path))


def test_objects_of_several_files_need_only_the_columns_asked_for(
    write: Write, tmp_path: Path
) -> None:
    write("a.jsonl", b'{"text": "first", "label": "a", "id": 1}\n')
    write("b.jsonl", b'{"text": "second", "label": "b"}\n')
    assert _values(str(tmp_path / "*.jsonl"))[0] == ["first", "second"]
    write("c.jsonl", b'{"text": "third"}\n')
    with pytest.raises(DataError, match=r"c\.jsonl: label column 'label' is absent"):
        _read(str(tmp_path / "*.jsonl"))


def test_files_of_several_kinds_are_not_read_as_one(write: Write, tmp_path: Path) -> None:
    write("a.csv", CSV)
    write("b.jsonl", JSONL)
    with pytest.raises(DataError, match=r"/\*: .*b\.jsonl is of another kind than .*a\.csv\. Nar"):
        _read(str(tmp_path / "*"))


def test_a_wrong_row_of_the_second_file_names_that_file(write: Write, tmp_path: Path) -> None:
    write("a.csv", CSV)
    write("b.csv", b"text,label\nthird,a\n,b\n")
    with pytest.raises(DataError, match=r"/b\.csv, line 3: 'text' is empty\."):
        load_dataset(DataSource(name=str(tmp_path / "*.csv")))


@pytest.mark.parametrize("name", ["data/*", "rows-?.csv", "part-[01].parquet", "rows.csv.zst"])
def test_a_pattern_is_a_file_name_and_is_local(name: str) -> None:
    assert is_file_name(name)
    with pytest.raises(DataError, match=r"is on this machine"):
        refuse_local_path(DataSource(name=name))
