"""Rows kept on disk: found by key, written as they come, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.models import RowStore, row_key, store_folder

Array = npt.NDArray[np.float32]


def array(length: int, start: float = 0.0) -> Array:
    return (start + np.arange(3 * length, dtype=np.float32)).reshape(length, 3)


def test_each_row_comes_back_under_its_key(tmp_path: Path) -> None:
    store = RowStore(tmp_path)
    store.add([("a", array(4)), ("b", array(1, 50)), ("c", array(2, 90))], width=3)
    for again in (store, RowStore(tmp_path)):
        assert np.array_equal(again.get("a"), array(4))
        assert np.array_equal(again.get("b"), array(1, 50))
        assert np.array_equal(again.get("c"), array(2, 90))


def test_what_is_missing_is_named_once(tmp_path: Path) -> None:
    store = RowStore(tmp_path)
    store.add([("a", array(1))], width=3)
    assert store.missing(["b", "a", "c", "b"]) == [0, 2]
    with pytest.raises(KeyError):
        store.get("b")


def test_a_second_writer_adds_to_the_first(tmp_path: Path) -> None:
    first, second = RowStore(tmp_path), RowStore(tmp_path)
    first.add([("a", array(2))], width=3)
    second.add([("b", array(2, 9))], width=3)
    assert np.array_equal(second.get("a"), array(2))
    assert RowStore(tmp_path).missing(["a", "b"]) == []


def test_nothing_is_kept_of_rows_that_fail_half_way(tmp_path: Path) -> None:
    def rows() -> Iterator[tuple[str, Array]]:
        yield "a", array(2)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        RowStore(tmp_path).add(rows(), width=3)
    assert list(tmp_path.iterdir()) == []


def test_no_rows_leave_no_file(tmp_path: Path) -> None:
    RowStore(tmp_path).add([], width=3)
    assert list(tmp_path.iterdir()) == []


def test_rows_are_written_as_they_come(tmp_path: Path) -> None:
    sizes = []

    def rows() -> Iterator[tuple[str, Array]]:
        for index in range(3):
            yield str(index), array(20_000)
            sizes.append(sum(file.stat().st_size for file in tmp_path.iterdir()))

    RowStore(tmp_path).add(rows(), width=3)
    assert sizes[0] > 0
    assert sizes == sorted(set(sizes))


@given(st.lists(st.integers(0, 50_000)), st.lists(st.integers(0, 50_000)))
def test_rows_share_a_key_only_where_they_are_equal(one: list[int], other: list[int]) -> None:
    assert (row_key(one) == row_key(other)) == (one == other)


def test_what_decides_the_arrays_names_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path))
    folders = {
        store_folder("states", 1, "abc", 4),
        store_folder("states", 1, "abc", 3),
        store_folder("states", 1, "abd", 4),
        store_folder("states", 2, "abc", 4),
        store_folder("features", 1, "abc", 4),
    }
    assert len(folders) == 5
    assert all(folder.is_relative_to(tmp_path) for folder in folders)
