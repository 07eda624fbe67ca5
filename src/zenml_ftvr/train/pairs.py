"""Pairs of rows with equal and with different labels, for contrastive training."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from zenml_ftvr.errors import DataError

__all__ = ["DIFFERENT", "SAME", "make_pairs"]

SAME, DIFFERENT = 1.0, 0.0  # the cosine similarity aimed at: Tunstall et al. 2022, 3.1

GOLDEN_SHARE = (math.sqrt(5) - 1) / 2
"""Steps of this share of a circle spread evenly over it, wherever one stops: Swierczkowski 1958."""

Places: TypeAlias = npt.NDArray[np.int64]


def make_pairs(
    label_ids: Sequence[int], row_ids: Sequence[Hashable], n_pairs: int, seed: int
) -> list[tuple[int, int, float]]:
    """`n_pairs` pairs of row indices, each with `SAME` or `DIFFERENT`, in turn.

    Half of them have equal labels: the "oversampling" that is setfit's default (setfit 1.2,
    TrainingArguments.sampling_strategy), where the scarcer kind repeats. No pair of a kind comes
    twice before all of that kind came once, and no row gets its next turn before the others had
    theirs, as long as it has partners left. Of rows with equal text and label the first stands for
    all. Where one kind has no pair, all are of the other. Raises `DataError` where neither has.
    """
    ring = _ring_of(label_ids, row_ids, np.random.default_rng(seed))
    same = _walk(ring, ring.sizes // 2, ring.same_partners, math.ceil(n_pairs / 2))
    different = _walk(ring, ring.n_others, ring.different_partners, n_pairs - len(same))
    if len(same) + len(different) < n_pairs:  # no two texts differ in label
        same = _walk(ring, ring.sizes // 2, ring.same_partners, n_pairs)
    if len(same) + len(different) < n_pairs:
        raise DataError(
            f"no pair can be made of {len(label_ids)} rows with one text. Contrastive training "
            f"needs two different texts."
        )
    both = zip_longest(
        ((one, other, SAME) for one, other in same),
        ((one, other, DIFFERENT) for one, other in different),
    )
    return [pair for pair in chain.from_iterable(both) if pair is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ring:
    """Rows of different text in a circle, class by class, in chance order within a class."""

    rows: Places
    """The row at each place; the other fields are of that row."""
    texts: Places
    """A number for its text."""
    starts: Places
    """The first place of its class."""
    sizes: Places
    """Rows of its class."""

    @property
    def n_others(self) -> Places:
        """Rows of other classes."""
        return len(self.rows) - self.sizes

    def same_partners(self, places: Places, turns: Places) -> Places:
        """The place `turns` + 1 further on within the class."""
        start, size = self.starts[places], self.sizes[places]
        return start + (places - start + 1 + turns) % size

    def different_partners(self, places: Places, turns: Places) -> Places:
        """The place as far into the other classes as this one is into its own, and `turns` more."""
        start, size = self.starts[places], self.sizes[places]
        offset = (places - start + turns) % (len(self.rows) - size)
        return (start + size + offset) % len(self.rows)


def _ring_of(
    label_ids: Sequence[int], row_ids: Sequence[Hashable], rng: np.random.Generator
) -> _Ring:
    firsts: dict[tuple[Hashable, int], int] = {}
    for index, key in enumerate(zip(row_ids, label_ids, strict=True)):
        firsts.setdefault(key, index)
    number_of: dict[Hashable, int] = {}
    numbers = [number_of.setdefault(text, len(number_of)) for text, _ in firsts]
    labels = np.array([label for _, label in firsts], dtype=np.int64)
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    _, starts, which, sizes = np.unique(
        labels[order], return_index=True, return_inverse=True, return_counts=True
    )
    return _Ring(
        rows=np.array(list(firsts.values()), dtype=np.int64)[order],
        texts=np.array(numbers, dtype=np.int64)[order],
        starts=starts[which].astype(np.int64),
        sizes=sizes[which].astype(np.int64),
    )


def _walk(
    ring: _Ring, n_turns: Places, partners: Callable[[Places, Places], Places], n_pairs: int
) -> list[tuple[int, int]]:
    """`n_pairs` pairs of rows, or none: one a row in each round, all of them before any again.

    A row has `n_turns` turns; `partners(places, turns)` are the places it meets in them.
    """
    pairs: list[tuple[int, int]] = []
    strides = _strides(n_turns)
    # Any order of places serves that no class comes first: a partial round then takes from all.
    order = (np.arange(len(n_turns)) * _stride(len(n_turns))) % max(1, len(n_turns))
    while len(pairs) < n_pairs:
        seen: set[tuple[int, int]] = set()
        for turn in range(n_turns.max(initial=0)):
            places = order[n_turns[order] > turn]
            others = partners(places, (turn * strides[places]) % n_turns[places])
            for one, other in zip(places.tolist(), others.tolist(), strict=True):
                key = (one, other) if one < other else (other, one)
                if key in seen or ring.texts[one] == ring.texts[other]:
                    continue
                seen.add(key)
                pairs.append((int(ring.rows[one]), int(ring.rows[other])))
                if len(pairs) == n_pairs:
                    return pairs
        if not seen:
            return []
    return pairs


def _strides(n_turns: Places) -> Places:
    found, which = np.unique(n_turns, return_inverse=True)
    return np.array([_stride(int(n)) for n in found], dtype=np.int64)[which]


def _stride(n: int) -> int:
    """Steps of it visit each of `n` places of a circle once, and evenly at any time."""
    stride = max(1, round(GOLDEN_SHARE * n))
    while math.gcd(stride, n) > 1:
        stride += 1
    return stride
