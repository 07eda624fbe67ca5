"""What was measured before training, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zenml_ftvr.values.adequacy import Adequacy, OtherBase
from zenml_ftvr.values.approach import Approach, Kind
from zenml_ftvr.values.budget import Budget, Hardware, Ledger
from zenml_ftvr.values.data import DataProfile
from zenml_ftvr.values.foresight import Foresight
from zenml_ftvr.values.pilots import PilotEvidence
from zenml_ftvr.values.score import Score
from zenml_ftvr.values.task import Metric
from zenml_ftvr.values.training import ModelSource, TrainingPlan

__all__ = [
    "ArmCalibration",
    "Calibration",
    "CostEstimate",
    "CostLimits",
    "Forecast",
    "MeasuredScore",
    "PairedDifference",
    "RankedArm",
    "Recommendation",
    "Score",
    "ScreeningEvidence",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCalibration:
    """A few real steps of one approach, timed on the hardware that trains."""

    kind: Kind
    seconds_per_step: float
    """One optimiser step at `batch_size`, averaged over the data's mix of lengths. For `head`: the
    features of one batch. For `baseline`: the whole fit."""
    batch_size: int
    n_steps_timed: int
    seconds_per_eval_row: float
    setup_seconds: float
    """Loading the model, making tokenizer and optimiser; once a training and once an evaluation."""
    save_seconds: float
    peak_memory_gib: float
    """Above what the process held before the approach was loaded; with the longest texts."""
    n_params: int
    n_trainable: int
    seconds_per_frozen_row: float = 0.0
    """For `partial`: one pass of the frozen layers over a row, once; 0 where none is kept."""
    update_seconds: float = 0.0
    """Of `seconds_per_step`, what the optimiser's update takes, however many tokens there are."""
    mean_tokens: float | None = None
    """Of the training rows, after truncation; None where rows are no texts."""
    longest_tokens: int | None = None
    """Of the rows that `peak_memory_gib` was measured with."""
    latency_seconds: float | None = None
    """Median of one row at a time, in the form that the model reads; None where that is no forward
    pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the hardware really does, arm by arm. Input to every prediction that follows."""

    hardware: Hardware
    model: ModelSource
    data_fingerprint: str
    arms: tuple[ArmCalibration, ...]
    process_memory_gib: float
    """What imports alone take."""
    seconds: float
    """What the calibration itself took."""
    skipped: tuple[tuple[Kind, str], ...] = ()
    """Arms that could not be calibrated, each with the reason."""
    max_length: int | None = None
    """Tokens that texts were cut at; None in calibrations of before it was noted."""
    mean_tokens: float | None = None
    """Of the training rows as the base model's tokenizer cuts them; None without one."""
    longest_tokens: int | None = None
    basis: Literal["calibrated", "arithmetic"] = "calibrated"
    """`arithmetic`: nothing was run, and every number follows from sizes."""

    def arm(self, kind: Kind) -> ArmCalibration | None:
        return next((arm for arm in self.arms if arm.kind == kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """`first` minus `second` on the same rows, by a paired bootstrap."""

    first: Kind
    second: Kind
    metric: Metric
    mean: float
    low: float
    high: float
    regret_of_first: float
    """Expected loss, in units of the metric, from choosing `first`: E[max(0, second - first)]."""
    regret_of_second: float
    n_rows: int
    level: float = 0.95

    @property
    def is_significant(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredScore:
    """A cross-validated score of an arm that costs seconds."""

    kind: Kind
    scores: tuple[Score, ...]
    folds: int
    """0 where nothing was trained, so that no row had to be held out."""
    seconds: float

    def score(self, metric: Metric) -> Score:
        return next(score for score in self.scores if score.metric == metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningEvidence:
    """The cheap arms, cross-validated on the training split, and what sets them apart."""

    measured: tuple[MeasuredScore, ...]
    differences: tuple[PairedDifference, ...]
    """`head` minus `baseline`, one a metric, where both were measured."""
    majority_share: float | None
    """Of the commonest class; None without classes."""
    seconds: float
    zero_shot: MeasuredScore | None = None
    """Of giving each text the label whose name the base model finds nearest; nothing is trained."""
    zero_shot_skipped: str | None = None
    """Why that was not measured, where the data or the base model is the reason."""
    adequacy: Adequacy | None = None
    """How well the base model fits; None where there is none, or looking would have cost much."""
    other_bases: tuple[OtherBase, ...] = ()
    """What the other base models on offer would add."""

    def measured_for(self, kind: Kind) -> MeasuredScore | None:
        return next((one for one in self.measured if one.kind == kind), None)

    def difference(self, metric: Metric) -> PairedDifference | None:
        return next((one for one in self.differences if one.metric == metric), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLimits:
    """Lower and upper limits of what a training takes."""

    level: float
    """Of trainings, the share that the limits are to hold."""
    hours: tuple[float, float]
    usd: tuple[float, float] | None
    """None without a price per hour."""
    peak_memory_gib: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """What training and evaluating one arm takes, from here on."""

    hours: float
    usd: float | None
    """None without a price per hour."""
    peak_memory_gib: float
    basis: Literal["calibrated", "arithmetic"]
    limits: CostLimits | None = None
    """None in estimates of before they were told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is known about an arm's score before it is trained."""

    score: Score | None
    """None where nothing was measured: no interval is invented. With basis "piloted": of one
    training at the data's size, at the level that the score names."""
    basis: Literal["measured", "piloted", "prior"]
    evidence: tuple[str, ...]
    """Each a sentence with its source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedArm:
    """One approach in the ranking."""

    approach: Approach
    feasible: bool
    reasons: tuple[str, ...]
    """Why it stands where it stands; for an infeasible arm, what it fails on, with numbers."""
    forecast: Forecast
    cost: CostEstimate | None
    """None where nothing could be predicted, with the reason in `reasons`."""
    plan: TrainingPlan | None
    """What would be run; None for an infeasible arm."""

    @property
    def kind(self) -> Kind:
        return self.approach.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """Every arm ranked, one chosen, and why."""

    arms: tuple[RankedArm, ...]
    """Best first; infeasible arms last."""
    choice: Kind
    verdict: str
    """The answer in one sentence."""
    reasons: tuple[str, ...]
    budget: Budget
    hours_allowed: float
    """What is left of the budget for training and evaluation, in hours."""
    profile: DataProfile
    calibration: Calibration
    evidence: ScreeningEvidence
    metric: Metric
    tolerance: float
    """Expected regret up to which the cheaper arm is taken, in units of the metric."""
    ledger: Ledger
    """What calibration, cross-validation and pilots cost."""
    companion: Kind | None = None
    """An arm to train beside the choice, where the user asked for one."""
    pilots: PilotEvidence | None = None
    """None where no pilots were asked for or possible, and of recommendations before there were."""
    foresight: Foresight | None = None
    """None where no feasible arm has pilots."""

    def arm(self, kind: Kind) -> RankedArm:
        return next(arm for arm in self.arms if arm.kind == kind)

    @property
    def chosen(self) -> RankedArm:
        return self.arm(self.choice)
