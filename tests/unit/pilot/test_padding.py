"""Padding of pairs: by hand, and less of it where there is more to group."""

from __future__ import annotations

import random

import pytest

from zenml_ftvr.pilot.padding import grouped_share, padded_tokens


def test_a_batch_is_padded_to_the_longest_of_either_text() -> None:
    assert padded_tokens([(10, 4), (7, 6)], 2, 0) == 2 * (10 + 6)


def test_pairs_of_one_length_need_no_padding() -> None:
    assert padded_tokens([(8, 8)] * 100, 4, 0) == 4 * 16
    assert grouped_share([(8, 8)] * 8, [(8, 8)] * 800, 4, 0) == pytest.approx(1)


def test_many_pairs_of_mixed_lengths_are_padded_less() -> None:
    rng = random.Random(0)
    pairs = [(rng.randint(5, 64), rng.randint(5, 64)) for _ in range(2_000)]
    assert 0.6 < grouped_share(pairs[:112], pairs, 16, 0) < 0.95
