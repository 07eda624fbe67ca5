"""How much of a batch of pairs is padding: less, the more pairs there are to group by length."""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["grouped_share", "padded_tokens"]

Pair = tuple[int, int]
"""Tokens of its two texts."""

GROUPED_BATCHES = 50  # transformers 5.23, get_length_grouped_indices: that many, or a fourth of all


def padded_tokens(pairs: Sequence[Pair], batch_size: int, seed: int) -> float:
    """Tokens of a batch on average, padding counted, as the trainer of pairs groups them.

    Pairs are shuffled, and sorted by their longer text within a group of batches; the longer texts
    of a batch are padded to the longest of them, and the shorter ones to the longest of theirs.
    """
    ordered = list(pairs)
    random.Random(seed).shuffle(ordered)  # noqa: S311  (no secret)
    size = batch_size * max(1, min(len(ordered) // (batch_size * 4), GROUPED_BATCHES))
    groups = [
        sorted(ordered[start : start + size], key=max, reverse=True)
        for start in range(0, len(ordered), size)
    ]
    rows = [pair for group in groups for pair in group]
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    tokens = [len(batch) * (max(map(max, batch)) + max(map(min, batch))) for batch in batches]
    return sum(tokens) / len(batches)


def grouped_share(few: Sequence[Pair], many: Sequence[Pair], batch_size: int, seed: int) -> float:
    """Tokens of a batch of many pairs, as a share of those of a batch of few: below 1 mostly."""
    return padded_tokens(many, batch_size, seed) / padded_tokens(few, batch_size, seed)
