"""Files and URIs are read whole, or refused with the place and the next move."""

from __future__ import annotations

import codecs
import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.registry import known_implementations

from zenml_ftvr.data import column_names
from zenml_ftvr.data.read import Column, is_file_name, read_columns
from zenml_ftvr.errors import DataError

COLUMNS = {"text_column": "text", "label_column": "label"}
CSV = b"text,label\nfirst,a\nsecond,b\nthird,a\n"
JSONL = (
    b'{"text": "first", "label": "a"}\n{"label": "b", "text": "second", "more": 1}\n'
    b'{"text": "third", "label": "a"}\n'
)

Write = Callable[[str, bytes], str]


def _read(name: str, encoding: str = "utf-8") -> dict[str, Column]:
    return read_columns(name, COLUMNS, encoding)


def _values(name: str, encoding: str = "utf-8") -> tuple[list[Any], list[Any]]:
    found = _read(name, encoding)
    return found["text_column"].values, found["label_column"].values


def _parquet(columns: dict[str, list[Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file, and get its name."""

    def to_file(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return to_file


@pytest.fixture
def write_in_memory() -> Iterator[Write]:
    """Write a file that only a URI leads to, and get the URI."""
    written = []

    def to_memory(name: str, content: bytes) -> str:
        uri = f"memory://read-tests/{name}"
        with fsspec.open(uri, "wb") as stream:
            stream.write(content)
        written.append(uri)
        return uri

    yield to_memory
    for uri in written:
        fsspec.filesystem("memory").rm(uri)


def _parquet_of_three() -> bytes:
    return _parquet({"label": ["a", "b", "a"], "text": ["first", "second", "third"]})


READABLE = [
    ("rows.csv", CSV),
    ("ROWS.CSV", CSV),
    ("rows.csv.gz", gzip.compress(CSV, mtime=0)),
    ("rows.jsonl", JSONL),
    ("rows.ndjson", JSONL),
    ("rows.jsonl.gz", gzip.compress(JSONL, mtime=0)),
    ("rows.parquet", _parquet_of_three()),
]


@pytest.mark.parametrize(("name", "content"), READABLE, ids=[name for name, _ in READABLE])
def test_every_format_gives_the_same_columns(write: Write, name: str, content: bytes) -> None:
    assert _values(write(name, content)) == (["first", "second", "third"], ["a", "b", "a"])


@pytest.mark.parametrize(("name", "content"), READABLE, ids=[name for name, _ in READABLE])
def test_every_format_is_read_from_a_uri_too(
    write_in_memory: Write, name: str, content: bytes
) -> None:
    uri = write_in_memory(name, content)
    assert _values(uri) == (["first", "second", "third"], ["a", "b", "a"])


@pytest.mark.parametrize(
    ("name", "content", "places", "place_name"),
    [
        ("rows.csv", CSV, [2, 3, 4], "line"),
        ("rows.jsonl", JSONL, [1, 2, 3], "line"),
        ("rows.parquet", _parquet_of_three(), [1, 2, 3], "row"),
    ],
)
def test_every_value_has_its_place(
    write: Write, name: str, content: bytes, places: list[int], place_name: str
) -> None:
    column = _read(write(name, content))["label_column"]
    assert list(column.places) == places
    assert column.place_name == place_name


def test_columns_are_found_under_the_names_they_are_given(write: Write) -> None:
    name = write("rows.csv", b"id,body,stars\n7,good,5\n8,bad,1\n")
    found = read_columns(name, {"text_column": "body", "label_column": "stars"}, "utf-8")
    assert found["text_column"].values == ["good", "bad"]
    assert found["label_column"].values == ["5", "1"]


def test_a_text_may_hold_line_breaks_commas_and_quotes(write: Write) -> None:
    name = write("rows.csv", b'text,label\n"one,\ntwo\n""three""",a\nfour,b\n')
    column = _read(name)["text_column"]
    assert column.values == ['one,\ntwo\n"three"', "four"]
    assert column.places[1] == 5


def test_windows_line_ends_are_no_part_of_a_value(write: Write) -> None:
    assert _values(write("rows.csv", CSV.replace(b"\n", b"\r\n")))[1] == ["a", "b", "a"]


def test_a_text_may_be_longer_than_csv_allows_by_default(write: Write) -> None:
    long = "word " * 40_000
    name = write("rows.csv", f"text,label\n{long},a\n".encode())
    assert _values(name) == ([long], ["a"])


@pytest.mark.parametrize(
    ("name", "content", "places"),
    [
        ("rows.csv", b"\n\ntext,label\nfirst,a\n\n\nsecond,b\n", [4, 7]),
        ("rows.jsonl", b'\n{"text": "x", "label": "a"}\n  \n{"text": "y", "label": "b"}\n', [2, 4]),
    ],
)
def test_blank_lines_are_passed_over_but_counted(
    write: Write, name: str, content: bytes, places: list[int]
) -> None:
    column = _read(write(name, content))["label_column"]
    assert column.values == ["a", "b"]
    assert list(column.places) == places


def test_a_key_that_one_object_lacks_is_a_missing_value(write: Write) -> None:
    name = write("rows.jsonl", b'{"text": "x", "label": "a"}\n{"text": "y"}\n')
    assert _values(name) == (["x", "y"], ["a", None])


def test_a_tilde_means_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "rows.csv").write_bytes(CSV)
    assert _values("~/rows.csv")[1] == ["a", "b", "a"]


# --- encodings


@pytest.mark.parametrize(
    ("encoding", "written_as"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("utf-8", "utf-8-sig"),
        ("latin-1", "latin-1"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("UTF_16", "utf-16"),
        ("utf16", "utf-16"),
        ("utf-32", "utf-32"),
        ("utf-16-le", "utf-16-le"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_an_encoding_that_is_given_is_used(
    write: Write, encoding: str, written_as: str, suffix: str
) -> None:
    if suffix == ".csv":
        text = "text,label\ncafé,à\nnaïve,ÿ\n"
    else:
        text = '{"text": "café", "label": "à"}\n{"text": "naïve", "label": "ÿ"}\n'
    name = write(f"rows{suffix}", text.encode(written_as))
    assert _values(name, encoding) == (["café", "naïve"], ["à", "ÿ"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_a_letter_whose_bytes_hold_a_line_feed_does_not_end_the_line(
    write: Write, encoding: str
) -> None:
    name = write("rows.csv", "text,label\n\u010aafé \u0a0a,a\n".encode(encoding))
    assert _values(name, encoding) == (["\u010aafé \u0a0a"], ["a"])


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
    ],
)
def test_a_byte_order_mark_is_no_part_of_the_first_column(
    write: Write, encoding: str, mark: bytes
) -> None:
    name = write("rows.csv", mark + "text,label\nfirst,a\n".encode(encoding))
    assert _values(name, encoding) == (["first"], ["a"])
    assert column_names(name, encoding) == ["text", "label"]


def test_the_same_mark_in_a_later_line_is_part_of_the_text(write: Write) -> None:
    name = write("rows.csv", "\ufefftext,label\n\ufefffirst,a\n".encode())
    assert _values(name) == (["\ufefffirst"], ["a"])


@pytest.mark.parametrize("start", [b"", codecs.BOM_UTF8], ids=["plain", "byte order mark"])
@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"t\xe9xt,label\nfirst,a\n", 1),
        (b"text,label\nfirst,a\nsecond,b\ncaf\xe9 ,a\n", 4),
    ],
)
def test_a_byte_that_is_not_utf8_names_its_line(
    write: Write, start: bytes, content: bytes, line: int
) -> None:
    name = write("rows.csv", start + content)
    with pytest.raises(
        DataError, match=rf"rows\.csv, line {line}: byte 0xe9 .*is not utf-8\. .*latin-1"
    ):
        _read(name)


def test_a_byte_that_is_not_utf8_names_its_line_in_jsonl(write: Write) -> None:
    name = write("rows.jsonl", JSONL + b'{"text": "caf\xe9", "label": "a"}\n')
    with pytest.raises(DataError, match=r"rows\.jsonl, line 4: byte 0xe9 at position 13 is not"):
        _read(name)


def test_a_byte_of_no_character_names_the_encoding_that_was_given(write: Write) -> None:
    name = write("rows.csv", CSV + b"fourth\x81,a\n")
    with pytest.raises(DataError, match=r"line 5: byte 0x81 at position 6 is not cp1252"):
        _read(name, "cp1252")


@pytest.mark.parametrize(
    "broken",
    [b"\x00\xdc\x00\xdc", b"a"],
    ids=["two second halves of a surrogate pair", "half a unit at the end"],
)
def test_a_fault_in_utf16_names_its_line(write: Write, broken: bytes) -> None:
    start = "text,label\nfirst,a\nsecond,".encode("utf-16")
    name = write("rows.csv", start + broken)
    with pytest.raises(DataError, match=r"rows\.csv, line 3: the text is not utf-16\."):
        _read(name, "utf-16")


def test_utf8_that_is_said_to_be_utf16_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match=r"line 1: the text is not utf-16\. Set data\.encoding"):
        _read(write("rows.csv", CSV), "utf-16")


@pytest.mark.parametrize("encoding", ["utf-9", "klingon", "hex"])
def test_an_unknown_encoding_is_refused(write: Write, encoding: str) -> None:
    with pytest.raises(DataError, match=rf"encoding '{encoding}' is unknown\. Use utf-8"):
        _read(write("rows.csv", CSV), encoding)


# --- broken lines


def test_a_column_that_the_header_names_twice_is_refused(write: Write) -> None:
    name = write("rows.csv", b"text,label,text,id,id\nx,a,y,1,2\n")
    with pytest.raises(DataError, match=r"the header names id, text more than once"):
        _read(name)


@pytest.mark.parametrize(
    ("line", "n_fields"), [(b"a text, with a comma,b", 3), (b"no label", 1), (b"x,b,,", 4)]
)
def test_a_wrong_number_of_fields_names_its_line(write: Write, line: bytes, n_fields: int) -> None:
    name = write("rows.csv", CSV + line + b"\nfourth,a\n")
    fields = f"{n_fields} fields where the header has 2"
    with pytest.raises(DataError, match=rf"rows\.csv, line 5: {fields}"):
        _read(name)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'text,label\nfirst,a\n"never closed,b\nthird,a\n', 4),
        (b'text,label\n"closed" too early,a\n', 2),
    ],
)
def test_wrong_quotes_name_the_line(write: Write, content: bytes, line: int) -> None:
    with pytest.raises(DataError, match=rf"line {line}: not valid CSV \(.*Quote texts"):
        _read(write("rows.csv", content))


@pytest.mark.parametrize("line", [b'{"text": "x", "label": }', b"{'text': 'x'}", b"text,label"])
def test_broken_json_names_its_line(write: Write, line: bytes) -> None:
    name = write("rows.jsonl", JSONL + line + b"\n")
    with pytest.raises(DataError, match=r"rows\.jsonl, line 4: not valid JSON \(.*one object a"):
        _read(name)


@pytest.mark.parametrize("line", ["[1, 2]", '"text"', "5", "null"])
def test_json_that_is_no_object_names_its_line(write: Write, line: str) -> None:
    name = write("rows.jsonl", JSONL + line.encode() + b"\n")
    with pytest.raises(
        DataError, match=rf"line 4: {re.escape(repr(line))} is no JSON object.*the columns as keys"
    ):
        _read(name)


# --- files that are not what they should be


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", b""),
        ("rows.csv", codecs.BOM_UTF8),
        ("rows.csv", b"text,label\n"),
        ("rows.jsonl", b""),
        ("rows.jsonl", b"\n\n"),
        ("rows.csv.gz", gzip.compress(b"", mtime=0)),
        ("rows.parquet", _parquet({"text": [], "label": []})),
    ],
)
def test_a_file_without_rows_is_refused(write: Write, name: str, content: bytes) -> None:
    with pytest.raises(DataError, match=rf"{re.escape(name)} holds no rows"):
        _read(write(name, content))


def _damaged_parquet(start: int, end: int) -> bytes:
    content = bytearray(
        _parquet({"text": [f"text {number}" for number in range(999)], "label": ["a"] * 999})
    )
    content[start:end] = b"\xaa" * len(content[start:end])
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", CSV, _parquet_of_three()[:-20], _damaged_parquet(-200, -20)],
    ids=["empty", "short", "text", "cut short", "footer damaged"],
)
def test_what_is_no_parquet_is_refused(write: Write, content: bytes) -> None:
    name = write("rows.parquet", content)
    with pytest.raises(DataError, match=r"rows\.parquet is not a whole Parquet file \(.+\)\. W"):
        _read(name)
    with pytest.raises(DataError, match=r"rows\.parquet is not a whole Parquet file \(.+\)\. W"):
        column_names(name, "utf-8")


def test_parquet_whose_pages_are_damaged_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match=r"is not a whole Parquet file"):
        _read(write("rows.parquet", _damaged_parquet(100, 1_000)))


def _gzip_damaged_within() -> bytes:
    content = bytearray(
        gzip.compress(b"text,label\n" + b"".join(b"%d,a\n" % n for n in range(2_000)))
    )
    middle = len(content) // 2
    content[middle : middle + 40] = b"\xff" * 40
    return bytes(content)


BROKEN_GZIP = {
    "none": CSV,
    "cut short": gzip.compress(CSV * 100)[:-12],
    "damaged": _gzip_damaged_within(),
}


@pytest.mark.parametrize("content", BROKEN_GZIP.values(), ids=BROKEN_GZIP.keys())
def test_a_broken_gzip_file_is_refused(write: Write, content: bytes) -> None:
    with pytest.raises(DataError, match=r"rows\.csv\.gz is not a whole gzip file \(.+\)\. Copy"):
        _read(write("rows.csv.gz", content))


@pytest.mark.parametrize("content", BROKEN_GZIP.values(), ids=BROKEN_GZIP.keys())
def test_a_broken_gzip_file_is_refused_at_a_uri(write_in_memory: Write, content: bytes) -> None:
    with pytest.raises(DataError, match=r"rows\.csv\.gz is not a whole gzip file \(.+\)\. Copy"):
        _read(write_in_memory("rows.csv.gz", content))


@pytest.mark.parametrize(("name", "content"), READABLE, ids=[name for name, _ in READABLE])
def test_an_absent_column_names_those_there_are_and_the_nearest(
    write: Write, name: str, content: bytes
) -> None:
    columns = {"text_column": "text", "label_column": "lable"}
    with pytest.raises(DataError) as caught:
        read_columns(write(name, content), columns, "utf-8")
    message = str(caught.value)
    assert f"{name}: label column 'lable' is absent. Did you mean 'label'?" in message
    present = "label, text" if name.endswith(".parquet") else "text, label"
    assert f"Known: {present}. Set label_column to one of them." in message


def test_an_absent_column_like_no_other_suggests_none(write: Write) -> None:
    with pytest.raises(DataError, match=r"text column 'q' is absent\. Known: text, label\."):
        read_columns(write("rows.csv", CSV), {"text_column": "q"}, "utf-8")


def test_a_missing_file_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = re.escape(str(tmp_path / "here" / "rows.csv"))
    with pytest.raises(DataError, match=rf"here/rows\.csv does not exist \(looked for {place}\)"):
        _read("here/rows.csv")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is a folder, not a file"):
        _read(str(tmp_path))


def test_a_file_of_another_kind_names_the_endings_that_can_be_read(write: Write) -> None:
    with pytest.raises(DataError, match=r"rows\.txt has none of the endings.*\.csv, \.jsonl"):
        _read(write("rows.txt", CSV))


# --- URIs


def test_a_missing_uri_is_refused() -> None:
    with pytest.raises(DataError, match=r"memory://read-tests/no\.csv cannot be read: FileNotFou"):
        _read("memory://read-tests/no.csv")


def test_a_uri_of_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(DataError, match=r"nowhere://rows\.csv is no URI that can be read: Protoc"):
        _read("nowhere://rows.csv")


def test_a_uri_whose_library_is_not_installed_names_the_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = {"class": "no_such_package.FileSystem", "err": "Install no_such_package to read it"}
    monkeypatch.setitem(known_implementations, "elsewhere", entry)
    with pytest.raises(
        DataError, match=r"elsewhere://rows\.csv cannot be read here: Install no_such_package"
    ):
        _read("elsewhere://rows.csv")


def test_a_fault_at_a_uri_names_its_line_too(write_in_memory: Write) -> None:
    uri = write_in_memory("rows.csv", CSV + b"caf\xe9,a\n")
    with pytest.raises(DataError, match=rf"{uri}, line 5: byte 0xe9"):
        _read(uri)


# --- names


@pytest.mark.parametrize(
    "name",
    ["rows.csv", "a/b.JSONL", "x.ndjson.gz", "/data/imdb", "./imdb", "~/imdb", "s3://bucket/imdb"],
)
def test_a_name_that_looks_like_a_file_is_one(name: str) -> None:
    assert is_file_name(name)


@pytest.mark.parametrize("name", ["imdb", "stanfordnlp/imdb", "rows.txt", "csv", "docstrings"])
def test_any_other_name_is_none_unless_it_is_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not is_file_name(name)
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_bytes(CSV)
    assert is_file_name(name)


# --- columns


@pytest.mark.parametrize(("name", "content"), READABLE, ids=[name for name, _ in READABLE])
def test_the_columns_of_a_file_are_named_in_its_order(
    write: Write, name: str, content: bytes
) -> None:
    expected = ["label", "text"] if name.endswith(".parquet") else ["text", "label"]
    assert column_names(write(name, content), "utf-8") == expected


def test_the_columns_of_a_file_without_rows_are_refused(write: Write) -> None:
    with pytest.raises(DataError, match="holds no rows"):
        column_names(write("rows.csv", b"text,label\n"), "utf-8")


def test_only_the_first_rows_are_read_for_the_columns(write: Write) -> None:
    broken = json.dumps({"text": "x", "label": "a"}) + "\n{broken\n"
    assert column_names(write("rows.jsonl", broken.encode()), "utf-8") == ["text", "label"]
