"""What a decision is worth, and an interval: arithmetic on runs that were made before.

Scores are shares of rows answered rightly. The best arm is picked on one half of the rows and
scored on the other, and the other way round, so that luck with rows is no regret.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "acceptable",
    "best_by_halves",
    "by_halves",
    "interval_score",
    "mean_of_means",
    "regret",
    "right_of",
    "upper_limit",
]

Right = npt.NDArray[np.bool_]
"""Whether each row was answered rightly, in one order for all arms."""

RESAMPLES = 10_000


def right_of(hexadecimal: str, n_rows: int) -> Right:
    """Which of `n_rows` rows were answered rightly, from bits packed eight to a byte."""
    packed = np.frombuffer(bytes.fromhex(hexadecimal), np.uint8)
    if not 0 <= 8 * len(packed) - n_rows < 8:
        raise SystemExit(f"{len(packed)} bytes of bits are not those of {n_rows} rows.")
    return np.unpackbits(packed)[:n_rows].astype(bool)


def by_halves(right: Right) -> tuple[float, float]:
    """Scores on the rows at even and at odd places."""
    return float(right[::2].mean()), float(right[1::2].mean())


def best_by_halves(arms: Mapping[Any, Right]) -> float:
    """Score of the best arm: picked on either half, scored on the other, the mean of both.

    Where arms are equal on a half, the mean of them on the other.
    """
    halves = np.array([by_halves(right) for right in arms.values()])
    found = []
    for picked, scored in ((0, 1), (1, 0)):
        best = halves[:, picked] == halves[:, picked].max()
        found.append(halves[best, scored].mean())
    return float(np.mean(found))


def regret(arms: Mapping[Any, Right], chosen: Any) -> float:
    """What choosing `chosen` loses against the best of `arms`, which it need not be one of."""
    return best_by_halves(arms) - float(np.mean(by_halves(arms[chosen])))


def acceptable(
    scores: Mapping[Any, float], costs: Mapping[Any, float], chosen: Any, tolerance: float
) -> bool:
    """Whether `chosen` is within the tolerance of the best, at most twice as dear as the cheapest
    arm that is."""
    best = max(scores.values())
    within = [costs[one] for one, score in scores.items() if score >= best - tolerance]
    return scores[chosen] >= best - tolerance and costs[chosen] <= 2 * min(within)


def interval_score(low: float, high: float, outcome: float, level: float) -> float:
    """Width, and 2 / (1 - level) times what the outcome lies outside by: Gneiting & Raftery 2007,
    JASA 102, equation 43. Lower is better."""
    missed = max(0.0, low - outcome) + max(0.0, outcome - high)
    return high - low + 2 / (1 - level) * missed


def mean_of_means(values: Mapping[Any, Sequence[float]]) -> float:
    """Of each group's mean, so that a group counts once however many values it has."""
    return math.fsum(float(np.mean(of_one)) for of_one in values.values()) / len(values)


def upper_limit(values: Mapping[Any, Sequence[float]], level: float, seed: int) -> float:
    """One-sided limit of `mean_of_means` at `level`: groups are drawn again, with replacement."""
    means = np.array([float(np.mean(of_one)) for of_one in values.values()])
    drawn = np.random.default_rng(seed).integers(len(means), size=(RESAMPLES, len(means)))
    return float(np.quantile(means[drawn].mean(axis=1), level))
