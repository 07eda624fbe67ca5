"""What pilots foresee: every arm's score at the data's size and beyond, and what follows."""

from __future__ import annotations

from dataclasses import dataclass

from zenml_ftvr.values.approach import Kind
from zenml_ftvr.values.curve import (
    BreakEven,
    Choice,
    DecisionMap,
    LabelValue,
    PilotScore,
    ScoreForecast,
)

__all__ = ["Foresight", "LearningCurve", "MinimumScore", "Reach"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningCurve:
    """An arm's pilots, and the curve through them, for drawing."""

    kind: Kind
    pilots: tuple[PilotScore, ...]
    n_train: tuple[float, ...]
    """Sizes in rows, smallest first."""
    mean: tuple[float, ...]
    """Expected score at each size."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    """Limits of one training's score."""
    level: float
    supported_to: float
    """Rows beyond which no pilot speaks for the curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How likely an arm is to reach the score that is asked for."""

    kind: Kind
    probability: float
    """That one training on today's rows reaches it."""
    n_more: int | None
    """More training rows with which it would, at `MinimumScore.level`; 0 where today's are enough,
    None where no size that the pilots speak for is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimumScore:
    """Which of the arms on offer reach the score that the user asks for."""

    score: float
    level: float
    """The probability that counts as reaching it."""
    arms: tuple[Reach, ...]

    @property
    def reached_by(self) -> tuple[Kind, ...]:
        return tuple(one.kind for one in self.arms if one.probability >= self.level)

    @property
    def nearest(self) -> Reach | None:
        """The arm that would reach it with the fewest more labels; None where none would."""
        would = [one for one in self.arms if one.n_more is not None]
        return min(would, key=lambda one: one.n_more or 0) if would else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """Scores are on the pilots' scale: 0..1, higher is better."""

    n_train: int
    choice: Choice
    """Among the feasible arms with pilots, the arms' standings with it."""
    forecasts: tuple[ScoreForecast, ...]
    """At `n_train`, of every arm with pilots, infeasible ones too."""
    curves: tuple[LearningCurve, ...]
    break_evens: tuple[BreakEven, ...]
    map: DecisionMap | None
    """None with a single arm."""
    label_values: tuple[LabelValue, ...]
    """What more labels are worth to each arm."""
    seed_sd: float
    """Standard deviation of a score over seeds at `n_train`, pooled over the arms."""
    minimum: MinimumScore | None = None
    """None where no score is asked for."""

    def forecast(self, kind: Kind) -> ScoreForecast | None:
        return next((one for one in self.forecasts if one.kind == kind), None)

    def label_value(self, kind: Kind) -> LabelValue | None:
        return next((one for one in self.label_values if one.kind == kind), None)
