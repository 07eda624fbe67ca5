"""Rows that come in batches and go to files: the same as if all were in memory at once."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.data import (
    Dataset,
    Rows,
    check_rows,
    dataset_from,
    load_dataset,
    read_dataset,
    write_dataset,
)
from zenml_ftvr.data.read import batches_of, read_batches, read_columns, read_pieces
from zenml_ftvr.data.rows import is_among
from zenml_ftvr.data.spool import Spool, work_folder
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource

SPLITS = ("train", "validation", "test")
N = 5_000  # several batches
LINES = [
    {"text": f"line {n} says {hashlib.sha256(bytes([n % 256])).hexdigest()}", "label": "abc"[n % 3]}
    for n in range(N)
]
USUAL = pa.default_memory_pool()
COUNTING = pa.proxy_memory_pool(USUAL)  # as long as anything that came from it
COLUMNS = {"text_column": "text", "label_column": "label"}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


@pytest.fixture
def spilling(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """Files from 20 kB on."""
    monkeypatch.setattr("zenml_ftvr.data.spool.SPILL_BYTES", 20_000)
    monkeypatch.setattr("zenml_ftvr.data.spool.WRITTEN_BYTES", 8_000)
    monkeypatch.setattr("zenml_ftvr.data.sorted_records.RUN_BYTES", 8_000)
    return cache


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def columns_of(dataset: Dataset) -> list[Any]:
    rows = [getattr(dataset, name) for name in SPLITS]
    return [(one.row_ids, one.inputs, one.targets) for one in rows]


def test_rows_in_files_are_those_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    source = DataSource(name=write_jsonl(tmp_path / "rows.jsonl", LINES))
    in_memory = load_dataset(source)
    assert in_memory.train.reader is None
    monkeypatch.setattr("zenml_ftvr.data.spool.SPILL_BYTES", 20_000)
    monkeypatch.setattr("zenml_ftvr.data.spool.WRITTEN_BYTES", 8_000)
    monkeypatch.setattr("zenml_ftvr.data.sorted_records.RUN_BYTES", 8_000)
    in_files = load_dataset(source)
    assert in_files.train.reader is not None
    assert in_files.fingerprint == in_memory.fingerprint
    assert columns_of(in_files) == columns_of(in_memory)
    assert check_rows(in_files) == check_rows(in_memory)
    for batch, expected in ((700, 700), (3, 3)):
        sizes = [len(one) for one in in_files.train.batches(batch)]
        assert max(sizes) <= expected
        assert sum(sizes) == len(in_files.train)
    for n in (10, 1_200):  # from the map, and read
        some = np.random.default_rng(n).permutation(len(in_files.train))[:n]
        assert in_files.train.take(some).table.equals(in_memory.train.take(some).table)
    texts = [text for batch in in_files.train.batches(100) for text in batch.texts]
    assert texts == in_files.train.texts


def test_rows_in_files_outlive_their_folder_and_go_to_other_processes(
    tmp_path: Path, spilling: Path
) -> None:
    dataset = load_dataset(DataSource(name=write_jsonl(tmp_path / "rows.jsonl", LINES)))
    assert list(spilling.iterdir()) == []
    copy = pickle.loads(pickle.dumps(dataset.train))  # noqa: S301  (ours)
    assert (
        copy.texts == dataset.train.texts == [t for b in dataset.train.batches() for t in b.texts]
    )
    write_dataset(dataset, tmp_path / "stored")
    again = read_dataset(tmp_path / "stored")
    assert columns_of(again) == columns_of(dataset)
    assert again.train.reader.num_record_batches > 1


def test_the_folder_of_a_failed_reading_is_removed(tmp_path: Path, spilling: Path) -> None:
    name = write_jsonl(tmp_path / "rows.jsonl", [*LINES, {"text": "last", "label": None}])
    with pytest.raises(DataError, match=rf"line {N + 1}: 'label' is missing"):
        load_dataset(DataSource(name=name))
    assert list(spilling.iterdir()) == []


def test_what_a_killed_process_left_is_removed_a_day_later(cache: Path) -> None:
    cache.mkdir(parents=True)
    old, new, other = (
        cache / name for name in ("zenml_ftvr-reading-1", "zenml_ftvr-reading-2", "x")
    )
    for folder in (old, new, other):
        folder.mkdir()
        (folder / "rows.arrow").write_bytes(b"rows")
    for folder in (old, other):
        os.utime(folder, (0, 0))
    with work_folder() as folder:
        assert folder.parent == cache
        assert {path.name for path in cache.iterdir()} == {new.name, other.name, folder.name}


def test_where_the_cache_may_not_be_written_the_system_s_folder_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with work_folder() as folder:
        assert folder.parent == tmp_path


def test_a_full_disk_says_how_much_is_needed_where(tmp_path: Path, spilling: Path) -> None:
    schema = pa.schema([("text", pa.string())])
    table = pa.table({"text": ["x" * 30_000]}, schema=schema)
    with pytest.raises(DataError, match="set ZENML_FTVR_CACHE to a folder"):
        Spool(schema, tmp_path / "absent" / "rows.arrow").write(table)


@pytest.mark.parametrize("n_wrong", [1, 1_500])
def test_wrong_texts_of_all_batches_are_counted(n_wrong: int, tmp_path: Path, cache: Path) -> None:
    rows = [dict(row) for row in LINES]
    for place in range(2_000, 2_000 + 2 * n_wrong, 2):
        rows[place]["text"] = ""
    more = f" (and so in {n_wrong - 1:,} more rows)" if n_wrong > 1 else ""
    with pytest.raises(DataError) as caught:
        load_dataset(DataSource(name=write_jsonl(tmp_path / "rows.jsonl", rows)))
    assert f"rows.jsonl, line 2001: 'text' is empty{more}. Remove" in str(caught.value)


# Batches


def write_csv(path: Path) -> None:
    lines = [f"{row['text']},{row['label']}" for row in LINES]
    path.write_text("\n".join(["text,label", *lines]) + "\n")


def write_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(LINES), path, row_group_size=1_700)


@pytest.mark.parametrize(
    ("name", "write", "first"),
    [
        ("rows.csv", write_csv, 2),
        ("rows.parquet", write_parquet, 1),
        ("rows.jsonl", lambda path: write_jsonl(path, LINES), 1),
    ],
)
def test_batches_are_the_whole_in_parts_with_their_places(
    name: str, write: Callable[[Path], Any], first: int, tmp_path: Path
) -> None:
    write(tmp_path / name)
    batches = list(read_batches(str(tmp_path / name), COLUMNS, "utf-8", 400))
    assert all(0 < len(batch["text_column"].values) <= 400 for batch in batches)
    texts = [text for batch in batches for text in batch["text_column"].values]
    assert texts == [row["text"] for row in LINES]
    places = [place for batch in batches for place in batch["label_column"].places]
    assert places == list(range(first, N + first))


def test_long_texts_make_small_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenml_ftvr.data.read.BATCH_CHARACTERS", 500)
    rows = [{"text": "x" * 200, "label": "a"}] * 12
    write_jsonl(tmp_path / "rows.jsonl", rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet", compression="none")
    for name in ("rows.jsonl", "rows.parquet"):
        batches = list(read_batches(str(tmp_path / name), COLUMNS, "utf-8"))
        assert max(len(batch["text_column"].values) for batch in batches) <= 3 or "parquet" in name
        assert sum(len(batch["text_column"].values) for batch in batches) == 12


def test_several_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    for part in range(3):
        write_jsonl(tmp_path / f"{part}.jsonl", LINES[part * 10 : part * 10 + 10])
    whole = read_columns(str(tmp_path / "*.jsonl"), COLUMNS, "utf-8")
    assert [whole["text_column"].place(at).rpartition("/")[2] for at in (0, 9, 10, 29)] == [
        "0.jsonl, line 1",
        "0.jsonl, line 10",
        "1.jsonl, line 1",
        "2.jsonl, line 10",
    ]
    parts = list(batches_of(whole, 7))
    assert [value for part in parts for value in part["text_column"].values] == [
        row["text"] for row in LINES[:30]
    ]
    places = [
        part["text_column"].place(at)
        for part in parts
        for at in range(len(part["text_column"].values))
    ]
    assert places == [whole["text_column"].place(at) for at in range(30)]


def test_only_the_rows_that_are_asked_for_are_read(tmp_path: Path) -> None:
    name = write_jsonl(tmp_path / "rows.jsonl", LINES)
    with Path(name).open("a") as stream:
        stream.write("broken")
    assert 1 <= len(read_columns(name, COLUMNS, "utf-8", 100)["text_column"].values) < N
    with pytest.raises(DataError, match=rf"line {N + 1}: not valid JSON"):
        read_columns(name, COLUMNS, "utf-8")


@pytest.mark.parametrize("n_bytes", [1, 2, 3, 7])
def test_utf16_is_read_in_parts_of_any_size(
    n_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zenml_ftvr.data.decode.TEXT_BYTES", n_bytes)
    content = "text,label\nfünf \U0001f600 Ċ,a\nzwei,b\n"
    (tmp_path / "rows.csv").write_bytes(codecs.BOM_UTF16_LE + content.encode("utf-16-le"))
    found = read_columns(str(tmp_path / "rows.csv"), COLUMNS, "utf-16")
    assert list(found["text_column"].values) == ["fünf \U0001f600 Ċ", "zwei"]
    broken = codecs.BOM_UTF16_LE + content.encode("utf-16-le") + b"\x00\xdc\x00\xdc"
    (tmp_path / "rows.csv").write_bytes(broken)
    with pytest.raises(DataError, match=r"rows\.csv, line 4: the text is not utf-16"):
        read_columns(str(tmp_path / "rows.csv"), COLUMNS, "utf-16")


def test_rows_in_memory_become_objects_a_batch_at_a_time() -> None:
    asked: list[int] = []

    class Table(list[dict[str, Any]]):
        def __getitem__(self, place: Any) -> Any:
            if isinstance(place, slice):
                asked.append(place.stop - place.start)
            return super().__getitem__(place)

    dataset = dataset_from(Table(LINES))
    assert sum(len(getattr(dataset, name)) for name in SPLITS) == N
    assert max(asked) <= 1_024


@pytest.mark.parametrize("n_bytes", [1, 5, 1_000])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_running_text_is_cut_in_the_same_way_however_it_is_read(
    n_bytes: int, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zenml_ftvr.data.documents.PIECE_CHARACTERS", 20)
    content = "\n".join(["fünf", "x" * 45, "", "eine längere Zeile", "y" * 20, "kurz\r", "Ende"])
    (tmp_path / "book.txt").write_bytes(content.encode(encoding))

    def pieces() -> list[str]:
        reading = read_pieces(str(tmp_path / "book.txt"), encoding, [])
        return [text for batch in reading for text in batch["text_column"].values]

    at_once = pieces()
    assert at_once == [
        f"fünf\n{'x' * 20}",
        "x" * 20,
        "xxxxx\n\neine längere Zeile\n",
        "y" * 20,
        "\nkurz\r\nEnde",
    ]
    monkeypatch.setattr("zenml_ftvr.data.decode.TEXT_BYTES", n_bytes)
    assert pieces() == at_once


def test_a_byte_that_is_not_utf8_names_the_line_of_running_text(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_bytes("eins\nzwei\ncafé\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"book\.txt, line 3: byte 0xe9 is not utf-8"):
        list(read_pieces(str(tmp_path / "book.txt"), "utf-8", []))


# Rows of files


def test_rows_are_taken_from_batches_in_any_order(tmp_path: Path, spilling: Path) -> None:
    train = load_dataset(DataSource(name=write_jsonl(tmp_path / "rows.jsonl", LINES))).train
    assert len(train.table.to_batches()) > 3
    texts = train.texts
    for places in ([0, 5, len(train) - 1], [len(train) - 1, 3, 700, 3], [], list(range(900))):
        assert train.take(places).texts == [texts[place] for place in places]


def test_rows_are_taken_from_more_text_than_one_array_holds() -> None:
    million = pa.array(["x" * 1_000_000] * 100)
    ids, labels = pa.array(["0" * 32] * 100), pa.array(["a"] * 100)
    batch = pa.record_batch({"row_id": ids, "text": million, "label": labels})
    rows = Rows(pa.Table.from_batches([batch] * 22))  # 2.2 GB, of which 100 MB are in memory
    assert [len(text) for text in rows.take([2_199, 0]).texts] == [1_000_000] * 2


# Memory


@pytest.fixture
def long_file(tmp_path: Path) -> tuple[str, int]:
    """A CSV file of 30 MB, and the bytes of its texts."""
    path, n_bytes = tmp_path / "rows.csv", 0
    filler = " ".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(100))
    with path.open("w") as stream:
        stream.write("text,label\n")
        for n in range(4_500):
            text = f"{n} {filler}"
            n_bytes += len(text)
            stream.write(f"{text},{'ab'[n % 2]}\n")
    return str(path), n_bytes


def test_loading_checking_and_storing_hold_a_fraction_of_the_texts(
    long_file: tuple[str, int], tmp_path: Path, spilling: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, n_bytes = long_file
    monkeypatch.setattr("zenml_ftvr.data.read.BATCH_CHARACTERS", 2**18)
    monkeypatch.setattr("zenml_ftvr.data.spool.WRITTEN_BYTES", 2**18)
    monkeypatch.setattr("zenml_ftvr.data.checks.MOST_CHARACTERS", 2**18)
    load_dataset(DataSource(name=write_jsonl(tmp_path / "few.jsonl", LINES)))  # what is imported
    pa.set_memory_pool(COUNTING)
    tracemalloc.start()
    try:
        dataset = load_dataset(DataSource(name=name))
        check_rows(dataset)
        write_dataset(dataset, tmp_path / "stored")
        read_dataset(tmp_path / "stored")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(USUAL)
    assert n_bytes > 29_000_000
    assert peak < n_bytes / 4
    assert 0 < COUNTING.max_memory() < n_bytes / 4


# Arithmetic


@given(numbers=st.lists(st.integers(0, 30)), others=st.lists(st.integers(0, 30)))
def test_membership_is_that_of_numpy(numbers: list[int], others: list[int]) -> None:
    values, ordered = np.array(numbers, np.int64), np.sort(np.array(others, np.int64))
    assert is_among(values, ordered).tolist() == np.isin(values, ordered).tolist()
