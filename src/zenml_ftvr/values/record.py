"""Forecasts beside what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zenml_ftvr.values.approach import Kind
from zenml_ftvr.values.curve import Support
from zenml_ftvr.values.score import Score
from zenml_ftvr.values.task import Metric

__all__ = ["ForecastRecord", "Outcome", "TrackRecord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One arm that was trained: what was foretold, and what the test rows and the clock said."""

    kind: Kind
    chosen: bool
    basis: Literal["measured", "piloted", "prior"]
    forecast: Score | None
    """None where no score was foretold."""
    support: Support | None
    """Of a forecast from pilots; None of any other."""
    score: Score
    """On the test rows."""
    predicted_hours: float | None
    hours: float | None
    """Of training alone; None where the ledger has no entry of the arm."""

    @property
    def is_inside(self) -> bool | None:
        """Whether the score lay within the forecast's interval; None where there was none."""
        if self.forecast is None:
            return None
        return self.forecast.low <= self.score.value <= self.forecast.high


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastRecord:
    """Of one recommendation that was acted on."""

    data_fingerprint: str
    model: str
    device_name: str
    metric: Metric
    n_train: int
    n_test: int
    verdict: str
    outcomes: tuple[Outcome, ...]
    """The chosen arm first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRecord:
    """How forecasts have fared so far."""

    n_forecasts: int
    """Outcomes of forecasts from pilots."""
    n_inside: int
    level: float | None
    """Of their intervals; None where there were none or they differed."""
    median_miss: float | None
    """Of the forecasts' means, in units of the metric; None without forecasts."""
    median_hours_ratio: float | None
    """Actual hours of training over predicted; None where none were predicted."""
