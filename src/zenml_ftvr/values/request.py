"""What a user asks for: the budget, the arms on offer, and what counts as good enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from zenml_ftvr.errors import BudgetError, ConfigurationError
from zenml_ftvr.values.approach import ALL_APPROACHES, Approach
from zenml_ftvr.values.budget import Budget
from zenml_ftvr.values.task import Task, TextClassification
from zenml_ftvr.values.training import ModelSource
from zenml_ftvr.values.written import UserWritten

__all__ = ["PilotSettings", "Request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotSettings(UserWritten):
    """What small trainings may cost that say what large ones will score."""

    share: float = 0.1
    """Of the budget, and of the predicted cost of training every feasible approach, whichever is
    less: what calibration and pilots may take together. 0: no pilots."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 0.5:
            raise ConfigurationError(
                f"pilots.share is {self.share}; it must lie between 0, which is no pilots, and 0.5."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(UserWritten):
    """One question: which of these approaches, within this budget, for this task?"""

    budget: Budget
    approaches: tuple[Approach, ...] = ALL_APPROACHES
    base_model: ModelSource = field(default_factory=ModelSource)
    task: Task = field(default_factory=TextClassification)
    usd_per_hour: float | None = None
    """Of the machine that trains; the user's own figure. None: no dollars are shown."""
    tolerance: float = 0.005
    """What the cheaper arm may be expected to lose to the best one, in units of the metric: half a
    point."""
    also_train: Literal["nothing", "best_neural"] = "nothing"
    """`best_neural`: beside the choice, the best arm with a training curve that still fits."""
    pilots: PilotSettings = field(default_factory=PilotSettings)
    other_base_models: tuple[ModelSource, ...] = ()
    """Looked at beside `base_model`, by a head on their features: what would another one add?"""
    minimum_score: float | None = None
    """What one training is to score, between 0 and 1, on the scale on which pilots are compared;
    arms that are likely to reach it are chosen among. None: no such wish."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.approaches:
            raise ConfigurationError(
                "approaches is empty. Leave it out for all of them, or list at least one."
            )
        kinds = [approach.kind for approach in self.approaches]
        if twice := sorted({kind for kind in kinds if kinds.count(kind) > 1}):
            raise ConfigurationError(
                f"approaches lists {', '.join(twice)} more than once. Keep one of each kind."
            )
        if not 0 <= self.tolerance < 1:
            raise ConfigurationError(
                f"tolerance is {self.tolerance}; it must lie between 0 and 1, 0.005 being half a "
                f"point of accuracy."
            )
        if self.minimum_score is not None and not 0 < self.minimum_score <= 1:
            raise ConfigurationError(
                f"minimum_score is {self.minimum_score}; it must lie between 0 and 1, 0.9 being an "
                f"accuracy of 90 %."
            )
        if self.usd_per_hour is not None and not self.usd_per_hour > 0:
            raise BudgetError(
                f"usd_per_hour is {self.usd_per_hour}; it must be above 0. Leave it out for no "
                f"prices."
            )
        if self.budget.usd is not None and self.usd_per_hour is None:
            raise BudgetError(
                f"the budget is ${self.budget.usd:g}, but the machine has no price. Set "
                f"usd_per_hour to what an hour of it costs you, or give the budget in hours."
            )
