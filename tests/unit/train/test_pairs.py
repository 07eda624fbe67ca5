"""Pairs for contrastive training: which there are, how often, how evenly."""

from __future__ import annotations

import math
import tracemalloc
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from zenml_ftvr.errors import DataError
from zenml_ftvr.train.pairs import DIFFERENT, SAME, make_pairs

LABELS = st.lists(st.integers(0, 4), min_size=2, max_size=40)
ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 25)), min_size=2, max_size=40)
"""Label and text of each row; few texts, so that some come twice, and with two labels."""
N_PAIRS = st.integers(0, 300)

Pair = tuple[int, int, float]


def possible(label_ids: list[int], texts: list[int], similarity: float) -> set[tuple[int, int]]:
    """Every pair of a kind, of rows that stand for their text and label."""
    keys = list(zip(label_ids, texts, strict=True))
    rows = [index for index, key in enumerate(keys) if keys.index(key) == index]
    return {
        (one, other)
        for one, other in combinations(rows, 2)
        if texts[one] != texts[other]
        and (label_ids[one] == label_ids[other]) is (similarity == SAME)
    }


def counts(pairs: list[Pair], similarity: float) -> Counter[tuple[int, int]]:
    """How often each pair of a kind comes, whichever row is first."""
    return Counter((min(a, b), max(a, b)) for a, b, kind in pairs if kind == similarity)


def turns(pairs: list[Pair], similarity: float, n_rows: int) -> list[int]:
    """In how many pairs of a kind each row is."""
    met = Counter(row for one, other, kind in pairs if kind == similarity for row in (one, other))
    return [met[row] for row in range(n_rows)]


@given(rows=ROWS, n_pairs=N_PAIRS, seed=st.integers(0, 3))
def test_every_pair_is_of_two_texts_and_says_whether_their_labels_are_equal(
    rows: list[tuple[int, int]], n_pairs: int, seed: int
) -> None:
    label_ids, texts = [label for label, _ in rows], [text for _, text in rows]
    assume(len(set(texts)) > 1)
    pairs = make_pairs(label_ids, texts, n_pairs, seed)
    assert len(pairs) == n_pairs
    for one, other, similarity in pairs:
        assert texts[one] != texts[other]
        assert similarity == (SAME if label_ids[one] == label_ids[other] else DIFFERENT)


@given(rows=ROWS, n_pairs=N_PAIRS)
def test_a_pair_comes_again_only_after_all_of_its_kind_came_as_often(
    rows: list[tuple[int, int]], n_pairs: int
) -> None:
    label_ids, texts = [label for label, _ in rows], [text for _, text in rows]
    assume(len(set(texts)) > 1)
    pairs = make_pairs(label_ids, texts, n_pairs, 0)
    for similarity in (SAME, DIFFERENT):
        there_are = possible(label_ids, texts, similarity)
        met = counts(pairs, similarity)
        assert set(met) <= there_are
        often = [met[pair] for pair in there_are]
        assert max(often, default=0) - min(often, default=0) <= 1


@given(label_ids=LABELS, n_pairs=N_PAIRS)
def test_half_of_the_pairs_are_of_each_kind_wherever_both_exist(
    label_ids: list[int], n_pairs: int
) -> None:
    texts = list(range(len(label_ids)))
    pairs = make_pairs(label_ids, texts, n_pairs, 0)
    n_same = sum(counts(pairs, SAME).values())
    if len(set(label_ids)) == 1:
        assert n_same == n_pairs
    elif len(set(label_ids)) == len(label_ids):
        assert n_same == 0
    else:
        assert n_same == math.ceil(n_pairs / 2)
        assert [kind for _, _, kind in pairs[:4]] == [SAME, DIFFERENT, SAME, DIFFERENT][:n_pairs]


@given(label_ids=LABELS, n_pairs=N_PAIRS)
def test_no_row_gets_more_equal_partners_while_another_lacks_them(
    label_ids: list[int], n_pairs: int
) -> None:
    pairs = make_pairs(label_ids, list(range(len(label_ids))), n_pairs, 0)
    met = counts(pairs, SAME)
    assume(max(met.values(), default=0) <= 1)  # later the scarcer kind repeats
    n_met = turns(pairs, SAME, len(label_ids))
    sizes = Counter(label_ids)
    # A round gives each row two partners, and one where it meets the row opposite; the last round
    # may be cut short.
    least = max(n_met) - 3
    for row, label in enumerate(label_ids):
        assert n_met[row] >= min(least, sizes[label] - 1)


@given(label_ids=LABELS, n_pairs=N_PAIRS)
def test_every_row_meets_as_many_different_partners_as_there_were_rounds(
    label_ids: list[int], n_pairs: int
) -> None:
    n_rows, sizes = len(label_ids), Counter(label_ids)
    pairs = make_pairs(label_ids, list(range(n_rows)), n_pairs, 0)
    n_met = turns(pairs, DIFFERENT, n_rows)
    rounds = sum(counts(pairs, DIFFERENT).values()) // n_rows
    for row, label in enumerate(label_ids):
        assert n_met[row] >= min(rounds, n_rows - sizes[label])


@pytest.mark.parametrize("n_classes", [2, 3, 8])
@pytest.mark.parametrize("n_pairs", [240, 1_000, 4_800])
def test_rows_of_equally_frequent_classes_are_in_about_equally_many_pairs(
    n_classes: int, n_pairs: int
) -> None:
    pairs = make_pairs([index % n_classes for index in range(240)], range(240), n_pairs, 0)
    n_met = [
        same + different
        for same, different in zip(
            turns(pairs, SAME, 240), turns(pairs, DIFFERENT, 240), strict=True
        )
    ]
    mean = 2 * n_pairs / 240
    assert mean - 4 <= min(n_met) <= mean <= max(n_met) <= mean + 4


def test_rows_of_one_class_are_in_about_equally_many_pairs_whatever_the_other_classes() -> None:
    label_ids = [0] * 120 + [1] * 60 + [2] * 60
    pairs = make_pairs(label_ids, range(240), 2_400, 0)
    for similarity in (SAME, DIFFERENT):
        n_met = turns(pairs, similarity, 240)
        for label in range(3):
            of_class = [n for n, its in zip(n_met, label_ids, strict=True) if its == label]
            assert max(of_class) - min(of_class) <= 2


def test_more_pairs_than_there_are_come_all_equally_often() -> None:
    # Two rows a class: 2 equal pairs and 4 different ones; 16 pairs are 8 of each kind.
    pairs = make_pairs([0, 0, 1, 1], "abcd", 16, 0)
    assert counts(pairs, SAME) == {(0, 1): 4, (2, 3): 4}
    assert counts(pairs, DIFFERENT) == {(0, 2): 2, (0, 3): 2, (1, 2): 2, (1, 3): 2}


def test_a_class_of_one_row_meets_only_different_rows() -> None:
    pairs = make_pairs([0, 0, 0, 1], "abcd", 60, 0)
    assert turns(pairs, SAME, 4) == [20, 20, 20, 0]
    assert turns(pairs, DIFFERENT, 4) == [10, 10, 10, 30]


def test_of_rows_with_equal_text_the_first_stands_for_all() -> None:
    pairs = make_pairs([0, 0, 0, 1], "abad", 40, 0)
    assert counts(pairs, SAME) == {(0, 1): 20}
    assert counts(pairs, DIFFERENT) == {(0, 3): 10, (1, 3): 10}


def test_a_text_with_two_labels_is_never_told_apart_from_itself() -> None:
    pairs = make_pairs([0, 0, 1, 1], "abac", 40, 0)
    assert counts(pairs, DIFFERENT).keys() == {(0, 3), (1, 2), (1, 3)}


def test_equal_seeds_give_equal_pairs_and_another_seed_others() -> None:
    label_ids = [index % 3 for index in range(60)]
    first = make_pairs(label_ids, range(60), 200, 5)
    assert first == make_pairs(label_ids, range(60), 200, 5)
    assert first != make_pairs(label_ids, range(60), 200, 6)


@pytest.mark.parametrize("label_ids", [[], [0], [0, 0], [0, 1]])
def test_rows_of_one_text_make_no_pair(label_ids: list[int]) -> None:
    with pytest.raises(DataError, match=f"no pair can be made of {len(label_ids)} rows"):
        make_pairs(label_ids, ["same"] * len(label_ids), 4, 0)


@pytest.mark.parametrize(
    "label_ids",
    [
        [index % 2 for index in range(100_000)],
        [0] * 99_990 + [1] * 10,
        [0] * 1_000 + list(range(1, 99_001)),
    ],
    ids=["two halves", "one rare", "most alone"],
)
def test_many_rows_need_memory_for_the_rows_and_the_pairs_only(label_ids: list[int]) -> None:
    tracemalloc.start()
    try:
        pairs = make_pairs(label_ids, range(100_000), 4_000, 0)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len({(min(a, b), max(a, b)) for a, b, _ in pairs}) == 4_000
    assert peak_bytes < 100_000 * 1_000  # all pairs of 100,000 rows are 5,000 million
