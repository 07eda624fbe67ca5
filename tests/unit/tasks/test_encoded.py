"""Rows as numbers, in memory or in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zenml_ftvr.tasks import EncodedRows, encoded
from zenml_ftvr.tasks.encoded import ragged, ragged_pairs

ROWS = st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=9), max_size=30)


@pytest.fixture
def spilling(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than four numbers in two rows go to disk."""
    monkeypatch.setattr(encoded, "SPILL_BYTES", 32)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=ROWS)
def test_rows_come_back_from_a_file_as_they_went(spilling: None, rows: list[list[int]]) -> None:
    found = ragged(iter(rows))
    assert list(found) == rows
    assert found.lengths == [len(row) for row in rows]
    assert [found[index] for index in range(len(rows))] == rows


@given(rows=ROWS)
def test_rows_come_back_from_memory_as_they_went(rows: list[list[int]]) -> None:
    found = ragged(iter(rows))
    assert list(found) == rows
    assert found.lengths == [len(row) for row in rows]


def test_only_what_is_much_goes_to_a_file(spilling: None) -> None:
    assert not isinstance(ragged([[1, 2], [3, 4]])._flat, np.memmap)
    assert isinstance(ragged([[1, 2], [3, 4], [5]])._flat, np.memmap)


def test_no_more_than_one_row_waits_for_the_file(
    spilling: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded, "WRITTEN_BYTES", 16)
    waiting: list[int] = []

    class Recording(encoded._Growing):
        def _write(self) -> None:
            waiting.append(len(self._numbers))
            super()._write()

    monkeypatch.setattr(encoded, "_Growing", Recording)

    def many() -> Iterator[list[int]]:
        for index in range(50):
            yield [index] * 3

    found = ragged(many())
    assert len(found) == 50
    assert isinstance(found._ends, np.memmap)
    assert len(waiting) > 40
    assert max(waiting) <= 6


@given(rows=ROWS)
def test_pairs_come_back_as_two(rows: list[list[int]]) -> None:
    firsts, seconds = ragged_pairs((row, row[::-1]) for row in rows)
    assert list(firsts) == rows
    assert list(seconds) == [row[::-1] for row in rows]


@pytest.mark.parametrize(
    "labels",
    [[2, 0], [[0.0, 1.0], [1.0, 0.0]], [0.1, -3.5]],
)
def test_labels_in_an_array_are_numbers_of_python(labels: list[Any]) -> None:
    kind = np.float16 if isinstance(labels[0], list) else None
    rows = EncodedRows([[1], [2, 3]], np.array(labels, kind))
    found = [rows[index]["labels"] for index in range(2)]
    assert found == labels == list(rows.labels)
    assert [type(one) for one in found] == [type(one) for one in labels]
    assert rows.subset([1, 0]).labels == labels[::-1]


@pytest.mark.parametrize("index", [-1, 2])
def test_a_row_that_is_not_there_is_an_index_error(index: int) -> None:
    with pytest.raises(IndexError):
        ragged([[1], [2]])[index]


def test_a_subset_is_in_the_order_asked_for(spilling: None) -> None:
    rows = EncodedRows([[1, 2, 3], [4], [5, 6, 7, 8]], ["a", "b", "c"])
    some = rows.subset([2, 0])
    assert [some[index] for index in range(2)] == [
        {"input_ids": [5, 6, 7, 8], "attention_mask": [1] * 4, "labels": "c"},
        {"input_ids": [1, 2, 3], "attention_mask": [1] * 3, "labels": "a"},
    ]
    assert some.lengths == [4, 3]


def test_rows_that_are_their_own_labels_have_none() -> None:
    assert "labels" not in EncodedRows([[1]], [None])[0]
