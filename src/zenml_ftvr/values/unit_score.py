"""Metrics as numbers between 0 and 1 of which more is better: what learning curves are fitted to.

Most metrics are such numbers. Of the others each has a map that keeps the order of models:

| metric | as a score | where a unit of the metric is |
|---|---|---|
| r2, mcc | itself, and 0 below 0: no better than the mean, or than chance | one unit |
| bits_per_byte | 1 - bits / 8, and 0 from 8 bits on: no better than the bytes themselves | 1/8 |
| perplexity | 1 / perplexity: the geometric mean of what the right token was given | not constant |

`rmse` has none, as it grows with the unit that a number is in. On the same rows it puts models in
the order of `r2`, by which pilots of it are judged.
"""

from __future__ import annotations

import math

from zenml_ftvr.values.task import Metric

__all__ = ["from_unit_score", "pilot_metric", "unit_score", "unit_tolerance"]

BITS_OF_A_BYTE = 8.0


def pilot_metric(metric: Metric) -> Metric:
    """What pilots are judged by where models are judged by `metric`."""
    return "r2" if metric == "rmse" else metric


def unit_score(metric: Metric, value: float) -> float | None:
    """`value` of a `pilot_metric` as a score in 0..1; None for what is no number."""
    if math.isnan(value):
        return None
    match metric:
        case "bits_per_byte":
            score = 1 - value / BITS_OF_A_BYTE
        case "perplexity":
            score = 1 / value if value > 0 else 0.0
        case _:
            score = value
    return min(1.0, max(0.0, score))


def from_unit_score(metric: Metric, score: float) -> float:
    """The value of `metric` that a score stands for; where several do, the best of them."""
    match metric:
        case "bits_per_byte":
            return BITS_OF_A_BYTE * (1 - score)
        case "perplexity":
            return 1 / score if score > 0 else math.inf
        case _:
            return score


def unit_tolerance(metric: Metric, tolerance: float) -> float:
    """A difference in `metric` as one of scores; of perplexity, whose unit has no fixed size, it is
    taken as one of scores already."""
    return tolerance / BITS_OF_A_BYTE if metric == "bits_per_byte" else tolerance
