"""The emergency brake: a training ends inside its seconds, at a learning rate that has come down.

`max_steps` is the plan's; the clock only intervenes where a machine is slower than it was when it
was measured. What ends a training - a cool-down, an evaluation, a save - is measured while it runs
and set aside.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Literal

__all__ = ["Brake", "Clock", "Decisions", "Schedule"]

Clock = Callable[[], float]
"""Seconds that never run backwards, such as `time.monotonic`."""

COOL_DOWN_SHARE = 0.1
"""Of the steps taken: a linear cool-down of a tenth to a fifth reaches the loss of a schedule that
was laid out for this length (Hägele et al. 2024, arXiv 2405.18392, 3)."""
FORWARD_SHARE = 1 / 3
"""Of a step, forward: backward is twice that (Kaplan et al. 2020, arXiv 2001.08361, 2.1). For an
evaluation that was not measured yet."""


class Schedule:
    """Steps to a factor on the learning rate: up, then straight down to none at `max_steps`.

    After `cool_down` it goes straight down from where it is instead. torch's `LambdaLR` keeps the
    attributes of such an object in its state, so that a run that goes on keeps a cool-down.
    """

    def __init__(self, warmup_steps: int, max_steps: int) -> None:
        self.warmup_steps = warmup_steps
        self.max_steps = max_steps
        self.cool_from: int | None = None
        self.cool_steps = 0

    def __call__(self, step: int) -> float:
        if self.cool_from is None or step <= self.cool_from:
            return self._planned(step)
        left = max(0.0, 1 - (step - self.cool_from) / self.cool_steps)
        return self._planned(self.cool_from) * left

    def _planned(self, step: int) -> float:
        if step < self.warmup_steps:
            return step / self.warmup_steps
        return max(0.0, (self.max_steps - step) / max(1, self.max_steps - self.warmup_steps))

    def cool_down(self, step: int, n_steps: int) -> None:
        """Come down to none within `n_steps` of step `step`."""
        self.cool_from, self.cool_steps = step, n_steps


def _unnoted(step: int, cool_steps: int | None) -> None:
    """Puts nothing down."""


class Decisions:
    """What a brake decided, by step: None to stop after it, else the steps of a cool-down.

    Each new one goes to `note`. Those of earlier attempts are followed whatever the clock says, so
    that a run that goes on is equal to a replay of what was noted.
    """

    def __init__(
        self,
        by_step: Mapping[int, int | None] | None = None,
        note: Callable[[int, int | None], None] = _unnoted,
    ) -> None:
        self.by_step = dict(by_step or {})
        self.note = note


class Brake:
    """Says after each step whether to go on. `started` is the reading from which the limit counts.

    `limit` is in seconds, None for none. `eval_rows_per_step` is how many times a step's rows an
    evaluation reads; there is one every `eval_every_steps`, None for none.
    """

    def __init__(
        self,
        limit: float | None,
        started: float,
        *,
        eval_rows_per_step: float = 0.0,
        eval_every_steps: int | None = None,
        clock: Clock = time.monotonic,
        decisions: Decisions | None = None,
    ) -> None:
        self.clock = clock
        self._decisions = decisions or Decisions()
        self.started = started
        self._limit = limit
        self._eval_rows_per_step = eval_rows_per_step
        self._eval_every_steps = eval_every_steps
        self._evaluation: float | None = None
        self._save = 0.0
        self._step = 0.0
        self._mark = clock()

    @property
    def gone(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.started

    @property
    def save_seconds(self) -> float:
        """The longest save so far."""
        return self._save

    def evaluated(self, seconds: float) -> None:
        """An evaluation took so long."""
        self._evaluation = max(self._evaluation or 0.0, seconds)

    def saved(self, seconds: float) -> None:
        """A save took so long."""
        self._save = max(self._save, seconds)

    def step_begins(self) -> None:
        """What lies between the end of the last step and now was no part of a step."""
        self._mark = self.clock()

    def step_ends(self) -> None:
        """Measure the step; a slow one counts at once, fast ones only slowly: smoothed by half."""
        took = self.clock() - self._mark
        self._step = max(took, (took + self._step) / 2)

    @property
    def reserve(self) -> float:
        """Seconds that the last evaluation and the last save will take."""
        evaluation = self._evaluation
        if evaluation is None:
            evaluation = self._step * FORWARD_SHARE * self._eval_rows_per_step
        return evaluation + self._save

    def after(self, step: int, schedule: Schedule) -> Literal["go on", "stop"]:
        """What to do after step `step`; begins the schedule's cool-down where it is time."""
        if step >= schedule.max_steps:
            return "go on"
        if step in self._decisions.by_step:
            return self._follow(step, schedule)
        if self._limit is None:
            return "go on"
        cooled = schedule.cool_from
        said = self._decide(step, schedule, self._limit)
        if said == "stop":
            self._decisions.note(step, None)
        elif schedule.cool_from != cooled:
            self._decisions.note(step, schedule.cool_steps)
        return said

    def _follow(self, step: int, schedule: Schedule) -> Literal["go on", "stop"]:
        cool_steps = self._decisions.by_step[step]
        if cool_steps is None:
            return "stop"
        if schedule.cool_from is None:  # else the clock was quicker this time
            schedule.cool_down(step, cool_steps)
        return "go on"

    def _decide(self, step: int, schedule: Schedule, limit: float) -> Literal["go on", "stop"]:
        left = limit - self.gone - self.reserve
        if schedule.cool_from is not None:
            over = step >= schedule.cool_from + schedule.cool_steps
            return "stop" if over or left < self._takes(step, 0) else "go on"
        wanted = min(schedule.max_steps - step, max(1, round(COOL_DOWN_SHARE * step)))
        if left > self._takes(step, wanted + 1):
            return "go on"
        fits = [n for n in range(1, wanted + 1) if self._takes(step, n) <= left]
        if not fits:
            return "stop"
        if step + fits[-1] < schedule.max_steps:  # else all that is left fits
            schedule.cool_down(step, fits[-1])
        return "go on"

    def _takes(self, step: int, n_steps: int) -> float:
        """Seconds of the next `n_steps`, and of the plan's evaluations from this step on to then.

        The last evaluation is set aside already, wherever it comes.
        """
        looks = 0
        if self._eval_every_steps is not None:
            looks = (step + n_steps) // self._eval_every_steps
            looks -= (step - 1) // self._eval_every_steps
        return n_steps * self._step + looks * self.reserve
