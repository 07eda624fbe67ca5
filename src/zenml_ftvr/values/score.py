"""A metric with its interval."""

from __future__ import annotations

from dataclasses import dataclass

from zenml_ftvr.values.task import Metric

__all__ = ["Score"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A metric with its interval."""

    metric: Metric
    value: float
    low: float
    high: float
    n_rows: int
    level: float = 0.95
    method: str = "bootstrap over rows, percentile"
