"""Orders of rows that follow from their ids."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.data import Rows, halved, hash_order, make_rows, proportional_order, row_id_of


def rows_of(texts: list[str], labels: list[str] | None = None) -> Rows:
    return make_rows([row_id_of(text) for text in texts], texts, labels or ["a"] * len(texts))


def numbered(n: int) -> Rows:
    return rows_of([f"row {index}" for index in range(n)])


def test_halves_are_disjoint_whole_and_nearly_equal() -> None:
    rows = numbered(2_000)
    tune, select = halved(rows)
    assert set(tune.row_ids).isdisjoint(select.row_ids)
    assert sorted([*tune.row_ids, *select.row_ids]) == sorted(rows.row_ids)
    assert abs(len(tune) - len(select)) < 200  # 4.5 standard deviations


def test_a_row_stays_in_its_half_when_rows_come() -> None:
    before, after = halved(numbered(300)), halved(numbered(600))
    for few, many in zip(before, after, strict=True):
        assert set(few.row_ids) <= set(many.row_ids)


def test_rows_of_equal_input_are_in_one_half() -> None:
    tune, select = halved(rows_of([f"row {index % 50}" for index in range(200)]))
    assert set(tune.row_ids).isdisjoint(select.row_ids)


def test_no_rows_have_no_halves() -> None:
    assert [len(half) for half in halved(rows_of([]))] == [0, 0]


def test_every_draw_has_an_order_of_its_own_and_always_the_same() -> None:
    rows = numbered(500)
    first, second = hash_order(rows, 0), hash_order(rows, 1)
    assert sorted(first.tolist()) == list(range(500))
    assert (first == hash_order(rows, 0)).all()
    moved = sum(a != b for a, b in zip(first.tolist(), second.tolist(), strict=True))
    assert moved > 450
    # Nothing of the first order is left in the second: halves of both share half of their rows.
    shared = set(first[:250].tolist()) & set(second[:250].tolist())
    assert 90 < len(shared) < 160


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    draw=st.integers(0, 9),
    share=st.floats(0, 1),
)
def test_every_beginning_has_each_class_in_its_share(
    counts: list[int], draw: int, share: float
) -> None:
    classes = [code for code, count in enumerate(counts) for _ in range(count)]
    rows = numbered(len(classes))
    order = proportional_order(rows, classes, draw)
    assert sorted(order.tolist()) == list(range(len(classes)))
    n = round(share * len(classes))
    seen = Counter(classes[place] for place in order[:n].tolist())
    for code, count in enumerate(counts):
        # Of n rows, a class's share; each of the others may be half a row ahead of its own.
        assert abs(seen[code] - n * count / len(classes)) <= len(counts)
