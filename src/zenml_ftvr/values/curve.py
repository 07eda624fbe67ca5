"""Scores of pilots, what they forecast, and what follows for the choice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from zenml_ftvr.errors import DataError
from zenml_ftvr.values.approach import Kind

__all__ = [
    "CURVE_FORMS",
    "ArmPilots",
    "ArmStanding",
    "BreakEven",
    "Choice",
    "CurveForm",
    "DecisionMap",
    "FormFit",
    "LabelValue",
    "PilotScore",
    "ScoreForecast",
    "Support",
]

CurveForm: TypeAlias = Literal["rectified_law", "pow3", "mmf4", "last_value"]
CURVE_FORMS: tuple[CurveForm, ...] = get_args(CurveForm)

Support: TypeAlias = Literal["interpolated", "extrapolated", "unsupported"]
"""Where a size lies: among the pilots' sizes, beyond them, or so far beyond that nothing measured
speaks for a forecast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotScore:
    """One small training, judged on rows that every pilot shares."""

    n_train: int
    seed: int
    score: float
    """In 0..1, higher is better."""

    def __post_init__(self) -> None:
        if self.n_train < 1:
            raise DataError(f"a pilot has {self.n_train} training rows; it must have one at least.")
        if not (math.isfinite(self.score) and 0 <= self.score <= 1):
            raise DataError(
                f"a pilot on {self.n_train} rows scored {self.score}; curves are fitted to scores "
                f"between 0 and 1. Leave out trainings that failed, or rescale the metric."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmPilots:
    """All pilots of one arm."""

    kind: Kind
    scores: tuple[PilotScore, ...]

    def __post_init__(self) -> None:
        if not self.scores:
            raise DataError(
                f"'{self.kind}' has no pilots, so nothing can be fitted. Leave the arm out: it "
                f"keeps its prior."
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Distinct training sizes, smallest first."""
        return tuple(sorted({one.n_train for one in self.scores}))


@dataclass(frozen=True, slots=True, kw_only=True)
class FormFit:
    """One form of a learning curve, fitted to an arm's pilots."""

    form: CurveForm
    parameters: tuple[float, ...]
    """As in `decide.curve_forms`, of the fit to all pilots; sizes in rows, scores in 0..1."""
    weight: float
    """Share of the forecast's draws, 0 to 1; 0 where the form was dropped."""
    miss: float | None
    """Predicted minus measured score of the largest pilots, from the smaller ones; None where
    there were too few sizes to try."""
    allowed_miss: float | None
    """Beyond it, either way, the form is dropped unless every form misses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreForecast:
    """What one training of an arm is predicted to score at a size, on the pilots' rows."""

    kind: Kind
    n_train: int
    mean: float
    low: float
    high: float
    level: float
    n_draws: int
    support: Support
    forms: tuple[FormFit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmStanding:
    """How one feasible arm stands against the others."""

    kind: Kind
    mean: float
    """Expected score."""
    probability_best: float
    expected_regret: float
    """E[best of the feasible arms - this one], in units of the score."""
    hours: float
    usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The arm that is chosen among those feasible, and by which half of the rule."""

    kind: Kind
    rule: Literal["cheapest within the tolerance", "highest mean"]
    tolerance: float
    standings: tuple[ArmStanding, ...]
    """Highest mean first."""

    @property
    def chosen(self) -> ArmStanding:
        return next(one for one in self.standings if one.kind == self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelValue:
    """What more labels are worth to one arm: the expected score gained."""

    kind: Kind
    n_train: int
    n_more: int
    mean: float
    low: float
    high: float
    level: float
    support: Support


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Where two arms change places."""

    first: Kind
    second: Kind
    n_train: tuple[float, ...]
    """Sizes at which the expected scores cross, in rows; empty where one is ahead throughout."""
    ahead_when_small: Kind | None
    """The better arm at the smallest size looked at; None where they are equal throughout."""
    hours: float | None
    """At the user's size: the budget from which on the costlier arm is chosen of the two; None
    where no budget makes it so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionMap:
    """The chosen arm for every data size and budget of a grid."""

    n_train: tuple[int, ...]
    hours: tuple[float, ...]
    winners: tuple[tuple[Kind | None, ...], ...]
    """A row for each budget, a column for each size; None where no arm is affordable."""
    supported_to: float | None
    """Rows up to which every arm's forecast rests on its pilots; None where nothing bounds it."""
