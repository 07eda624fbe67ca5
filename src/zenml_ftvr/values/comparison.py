"""Every feasible approach at the same budget and the same seeds."""

from __future__ import annotations

from dataclasses import dataclass

from zenml_ftvr.values.approach import Kind
from zenml_ftvr.values.budget import Budget, Ledger
from zenml_ftvr.values.score import Score
from zenml_ftvr.values.serving import ParetoPoint, ServingCost
from zenml_ftvr.values.significance import ApproachDifference
from zenml_ftvr.values.task import Metric

__all__ = ["ArmResult", "Comparison", "SeedResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """One training of an approach."""

    seed: int
    score: float
    """Of the test rows, by the comparison's metric."""
    train_seconds: float
    stopped_by_budget: bool
    """Whether the clock ended it before its plan did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmResult:
    """One approach over its seeds."""

    kind: Kind
    seeds: tuple[SeedResult, ...]
    scores: tuple[Score, ...]
    """Means over seeds of every metric; intervals over seeds and rows."""
    deviation: float | None
    """Standard deviation of the seeds' scores; None of one seed."""
    train_seconds: float
    """Mean of one training."""
    usd: float | None
    """Mean of one training; None without a price."""
    n_params: int
    n_trainable: int
    serving: tuple[ServingCost, ...] = ()
    """Of the first seed's model; none where it was not asked for."""

    def score(self, metric: Metric) -> Score:
        return next(score for score in self.scores if score.metric == metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The arms on the same test rows, and what can be said of them."""

    metric: Metric
    arms: tuple[ArmResult, ...]
    """Best mean first."""
    left_out: tuple[tuple[Kind, str], ...]
    """Arms that were not trained, each with the reason."""
    differences: tuple[ApproachDifference, ...]
    """The best arm minus every other, by `metric`, corrected together."""
    verdict: str
    """The answer in one sentence, with its significance."""
    winner: Kind | None
    """The best arm where it is significantly better than every other; else None."""
    tied: tuple[Kind, ...]
    """Arms that the best is not significantly better than, cheapest training first, itself
    included."""
    seeds: tuple[int, ...]
    budget: Budget | None
    """Of each training; None where models were compared that were trained apart."""
    n_test: int
    n_groups: int
    ledger: Ledger
    pareto: tuple[ParetoPoint, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader should know, each a sentence."""

    def arm(self, kind: Kind) -> ArmResult:
        return next(arm for arm in self.arms if arm.kind == kind)
