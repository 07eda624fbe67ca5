"""What each step takes, and when it is too long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from zenml_ftvr.pilot.calibrate.batches import (
    WARM_UP_BATCHES,
)
from zenml_ftvr.pilot.latency import (
    synchronise,
)
from zenml_ftvr.values import (
    TrainingPlan,
)

if TYPE_CHECKING:
    pass

__all__ = ["stopwatch"]


def stopwatch(plan: TrainingPlan, seconds_limit: float | None) -> Any:
    from transformers import TrainerCallback

    class Stopwatch(TrainerCallback):
        def __init__(self) -> None:
            self.seconds: list[float] = []
            self.updates: list[float] = []
            self.gave_up: str | None = None
            self._began = self._step_began = self._update_began = 0.0

        def update_seconds(self) -> float:
            """Of the timed steps, what the optimiser's update took on average."""
            timed = self.updates[WARM_UP_BATCHES:]
            return sum(timed) / len(timed) if timed else 0.0

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self._began = time.monotonic()

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self._step_began = time.monotonic()

        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            synchronise()
            self._update_began = time.monotonic()

        def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            synchronise()
            self.updates.append(time.monotonic() - self._update_began)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            synchronise()
            now = time.monotonic()
            self.seconds.append(now - self._step_began)
            gone, steps = now - self._began, len(self.seconds)
            if seconds_limit is not None and gone > seconds_limit and steps < plan.max_steps:
                self.gave_up = (
                    f"{steps} of {plan.max_steps} calibration steps took {gone:.0f} s, more than "
                    f"the {seconds_limit:.0f} s that the budget leaves for calibrating one arm."
                )
                control.should_training_stop = True
            return control

    return Stopwatch()
