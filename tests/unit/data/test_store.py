"""A data set's folder gives back what was written, and nothing that was changed since."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from zenml_ftvr.data import Dataset, Rows, make_dataset, make_rows, read_dataset, write_dataset
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource

SPLITS = ("train", "validation", "test")


@pytest.fixture
def dataset() -> Dataset:
    source = DataSource(
        name="made by hand", text_column="body", rare_labels="drop", test_fraction=0.2, subset="en"
    )
    texts = [f"Text {number}\nof “many”, 中 \U0001f600 \0" for number in range(200)]
    labels = [("ä", "b")[number % 2] for number in range(200)]
    twice = [("Text 0\nof “many”, 中 \U0001f600 \0", "b"), ("rare", "rare")]
    return make_dataset(
        source, texts + [text for text, _ in twice], labels + [label for _, label in twice]
    )


@pytest.fixture
def folder(dataset: Dataset, tmp_path: Path) -> Path:
    written = tmp_path / "deep" / "dataset"
    write_dataset(dataset, written)
    return written


@pytest.fixture
def change_record(folder: Path) -> Callable[..., None]:
    """Set fields of the written record."""

    def change(**fields: Any) -> None:
        path = folder / "dataset.json"
        record = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(record | fields), encoding="utf-8")

    return change


def _write_rows(folder: Path, name: str, rows: Rows) -> None:
    path, table = str(folder / f"{name}.arrow"), rows.table
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def test_everything_that_was_written_is_read_back(dataset: Dataset, folder: Path) -> None:
    again = read_dataset(folder)
    for name in SPLITS:
        written, read = getattr(dataset, name), getattr(again, name)
        assert len(read) > 0
        assert (read.row_ids, read.texts, read.labels) == (
            written.row_ids,
            written.texts,
            written.labels,
        )
    assert again.source == dataset.source
    assert again.labels == dataset.labels == ("b", "ä")
    assert again.fingerprint == dataset.fingerprint
    assert (again.n_duplicates, again.n_conflicts, again.n_dropped) == (1, 1, 1)


def test_what_was_read_back_is_written_to_the_same_fingerprint(
    folder: Path, tmp_path: Path
) -> None:
    write_dataset(read_dataset(folder), tmp_path / "copy")
    assert read_dataset(tmp_path / "copy").fingerprint == read_dataset(folder).fingerprint


@pytest.mark.parametrize("column", ["text", "label", "row_id"])
def test_a_changed_row_is_refused(dataset: Dataset, folder: Path, column: str) -> None:
    rows = dataset.train
    columns = {"row_id": rows.row_ids, "text": rows.texts, "label": rows.labels}
    columns[column][3] += "x"
    _write_rows(folder, "train", make_rows(columns["row_id"], columns["text"], columns["label"]))
    with pytest.raises(DataError, match=r"was changed after it was written: .* Run load_data"):
        read_dataset(folder)


def test_rows_that_changed_places_with_another_split_are_refused(
    dataset: Dataset, folder: Path
) -> None:
    _write_rows(folder, "train", dataset.test)
    _write_rows(folder, "test", dataset.train)
    with pytest.raises(DataError, match=r"its rows have fingerprint [0-9a-f]{12}, recorded is"):
        read_dataset(folder)


def test_rows_in_another_order_are_the_same_data(dataset: Dataset, folder: Path) -> None:
    reverse = list(range(len(dataset.train)))[::-1]
    _write_rows(folder, "train", Rows(dataset.train.table.take(reverse)))
    assert read_dataset(folder).train.texts == dataset.train.texts[::-1]


@pytest.mark.parametrize("name", ["train.arrow", "validation.arrow", "test.arrow", "dataset.json"])
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"not a whole data set \(FileNotFound.*{name}.*Run load"):
        read_dataset(folder)


def _cut_short(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _text_that_is_no_utf8(content: bytes) -> bytes:
    assert b"of \xe2\x80\x9cmany" in content
    return content.replace(b"of \xe2\x80\x9cmany", b"of \xe2\xff\x9cmany")


def _offsets_beyond_the_text(content: bytes) -> bytes:
    start = content.index((32).to_bytes(4, "little") + (64).to_bytes(4, "little"))  # ids' lengths
    return content[:start] + b"\xff\xff\xff\x7f" + content[start + 4 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"no arrow",
        _cut_short,
        _text_that_is_no_utf8,
        _offsets_beyond_the_text,
    ],
    ids=["empty", "not Arrow", "cut short", "not UTF-8", "offsets beyond the text"],
)
def test_a_damaged_split_is_refused(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    path = folder / "train.arrow"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"is not a whole data set \(.*\)\. Run load_data again"):
        read_dataset(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"schema_version": 1}', b"\xff\xfe", b'{"schema_version": "one"}'],
)
def test_a_damaged_record_is_refused(folder: Path, content: bytes) -> None:
    (folder / "dataset.json").write_bytes(content)
    with pytest.raises(DataError, match=r"is not a whole data set \(.*\)\. Run load_data again"):
        read_dataset(folder)


def test_a_newer_schema_asks_for_an_upgrade(
    folder: Path, change_record: Callable[..., None]
) -> None:
    change_record(schema_version=99)
    with pytest.raises(
        DataError, match=r"dataset\.json has schema version 99; .* reads up to 2\. Upgrade zenml-f"
    ):
        read_dataset(folder)


def test_the_first_schema_is_still_read(folder: Path, dataset: Dataset) -> None:
    record = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    assert set(record) == {
        "schema_version",
        "source",
        "labels",
        "fingerprint",
        "n_duplicates",
        "n_conflicts",
        "n_dropped",
    }
    record["schema_version"] = 1
    (folder / "dataset.json").write_text(json.dumps(record), encoding="utf-8")
    assert read_dataset(folder).labels == dataset.labels


def test_a_record_that_knows_another_fingerprint_is_refused(
    folder: Path, change_record: Callable[..., None]
) -> None:
    change_record(fingerprint="0" * 64)
    with pytest.raises(DataError, match=r"recorded is 000000000000\. Run load_data again"):
        read_dataset(folder)
