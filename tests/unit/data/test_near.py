"""Near-duplicates: MinHash proposes, exact similarity decides, and little is overlooked."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenml_ftvr.data import normalise
from zenml_ftvr.data.near import (
    PERMUTATIONS,
    _signatures,
    candidate_pairs,
    jaccard,
    shingles_of,
)

Words = list[str]


@pytest.fixture
def changed() -> Callable[[int, int, int], tuple[str, str]]:
    """A text of so many distinct words, and the same with some words replaced."""

    def make(number: int, n_words: int, n_changed: int) -> tuple[str, str]:
        words = [f"w{number}x{at}" for at in range(n_words)]
        other = list(words)
        for at in random.Random(number).sample(range(n_words), n_changed):
            other[at] = f"other{number}x{at}"
        return " ".join(words), " ".join(other)

    return make


@pytest.mark.parametrize(
    ("text", "shingles"),
    [
        ("a b c d", {("a", "b", "c"), ("b", "c", "d")}),
        ("a a a a", {("a", "a", "a")}),
        ("a b c", {("a", "b", "c")}),
        ("a b", {("a", "b")}),
        ("a", {("a",)}),
        ("", {()}),
    ],
)
def test_shingles_are_the_runs_of_three_words(text: str, shingles: set[tuple[str, ...]]) -> None:
    assert shingles_of(text) == shingles


def test_similarity_is_the_shared_part_of_all_shingles() -> None:
    one, other = shingles_of("a b c d e"), shingles_of("x b c d e")  # 2 shared, 1 each of their own
    assert jaccard(one, other) == jaccard(other, one) == pytest.approx(0.5)
    assert jaccard(one, one) == 1
    assert jaccard(one, shingles_of("p q r")) == 0


def test_equal_entries_of_signatures_estimate_the_similarity(
    changed: Callable[[int, int, int], tuple[str, str]],
) -> None:
    errors = []
    for number in range(300):
        one, other = changed(number, 60, number % 12)
        first, second = _signatures([one, other])
        errors.append((first == second).mean() - jaccard(shingles_of(one), shingles_of(other)))
    # The standard deviation of a share of 126 is 0.045 at most; of the mean of 300, 0.0026.
    assert abs(np.mean(errors)) < 0.01
    assert np.std(errors) < 0.05


def test_signatures_do_not_depend_on_the_texts_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"the text with the number {number} of many" for number in range(50)]
    together = _signatures(texts)
    assert together.shape == (50, PERMUTATIONS) == (50, 126)
    monkeypatch.setattr("zenml_ftvr.data.near.SHINGLES_AT_A_TIME", 13)
    assert (_signatures(texts) == together).all()
    assert (_signatures(texts[7:8]) == together[7]).all()


def test_no_pair_of_clearly_similar_texts_is_overlooked(
    changed: Callable[[int, int, int], tuple[str, str]],
) -> None:
    texts = [text for number in range(400) for text in changed(number, 60, 1)]  # 55 of 61: 0.90
    found = list(candidate_pairs(texts))
    assert sorted(found) == [(2 * number, 2 * number + 1) for number in range(400)]


def test_few_pairs_at_the_threshold_are_overlooked(
    changed: Callable[[int, int, int], tuple[str, str]],
) -> None:
    texts = [text for number in range(500) for text in changed(number, 32, 1)]
    at_threshold = {
        (2 * number, 2 * number + 1)
        for number in range(500)
        if jaccard(shingles_of(texts[2 * number]), shingles_of(texts[2 * number + 1])) < 0.85
    }
    assert len(at_threshold) > 300  # 27 of 33 shingles: 0.82
    assert len(at_threshold - set(candidate_pairs(texts))) <= 3


def test_unlike_texts_are_no_candidates() -> None:
    rng = random.Random(0)
    texts = [" ".join(rng.choices("abcdefghij", k=40)) for _ in range(500)]
    assert list(candidate_pairs(texts)) == []


@pytest.mark.parametrize("texts", [[], ["alone"], ["one", "two"], ["a b", "a b c", "a b c d"]])
def test_few_and_short_texts_have_no_candidates(texts: Words) -> None:
    assert list(candidate_pairs(texts)) == []


def test_of_many_alike_each_has_a_partner_and_their_pairs_stay_few() -> None:
    start = " ".join(f"word{at}" for at in range(60))
    texts = [f"{start} number{number}" for number in range(1_000)]
    pairs = list(candidate_pairs(texts))
    assert {place for pair in pairs for place in pair} == set(range(1_000))
    assert len(pairs) == len(set(pairs)) < 30_000  # of 499,500


any_texts = st.lists(
    st.lists(st.sampled_from("abc"), min_size=0, max_size=12).map(" ".join), unique=True
)


@settings(max_examples=100, deadline=None)
@given(texts=any_texts)
def test_every_pair_is_proposed_once_and_with_the_earlier_first(texts: Words) -> None:
    pairs = list(candidate_pairs([normalise(text) for text in texts]))
    assert len(set(pairs)) == len(pairs)
    assert all(0 <= one < other < len(texts) for one, other in pairs)
