"""What can go wrong in the middle of a training, told apart."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import ClassVar

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.values import TrainingPlan

__all__ = [
    "NAMED_ROWS",
    "Diverged",
    "Interrupted",
    "StopSignal",
    "diverged",
    "is_out_of_memory",
    "smaller_part",
    "stop_signal",
]

NAMED_ROWS = 32  # of a batch, in an error: a larger batch is cut short
EXPLODED = 1e3
"""Times its first value (at least 1) beyond which a loss is lost: it is the logarithm of a
probability, and guessing costs some 10 at most. A judgement."""
OUT_OF_MEMORY = ("out of memory", "can't allocate", "cannot allocate", "bad_alloc")
"""Words of torch, of CUDA, of the C library."""


class Interrupted(TrainingError):  # noqa: N818  (nothing went wrong)
    """A training was told to stop, and can go on."""

    exit_code: ClassVar[int] = 75  # EX_TEMPFAIL of sysexits.h: try again


class Diverged(TrainingError):  # noqa: N818  (what happened, as the line above has it)
    """A training's loss or gradient was lost."""


class StopSignal:
    """Whether the process was told to stop."""

    def __init__(self) -> None:
        self.came = False


@contextmanager
def stop_signal() -> Iterator[StopSignal]:
    """While the body runs, SIGTERM is only noted: the step in hand is finished, and saved.

    Python hears signals in its main thread only; in another one nothing is changed.
    """
    told = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        yield told
        return

    def note(number: int, frame: FrameType | None) -> None:
        told.came = True

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory did not suffice: torch says so in words only."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in OUT_OF_MEMORY)


def smaller_part(batch_size: int, part: int) -> int:
    """The largest part at most half of `part` that divides a batch evenly."""
    return max(size for size in range(1, max(1, part // 2) + 1) if batch_size % size == 0)


def diverged(
    plan: TrainingPlan, what: str, step: int, rows: Sequence[int], norms: Sequence[float]
) -> Diverged:
    """The error for a loss or gradient that is lost at `step`, counted from 1.

    `what` says what became of what; `rows` are the batch's places in the training split, `norms`
    the gradient norms of the steps before, the last one last.
    """
    named = ", ".join(map(str, rows[:NAMED_ROWS])) + (", ..." if len(rows) > NAMED_ROWS else "")
    before = f"{norms[-1]:.3g}" if norms else "not known: it is the first step"
    return Diverged(
        f"the {what} by step {step}. Lower its learning_rate (now {plan.learning_rate:g}), or look "
        f"at the training rows of that step, counted from 0: {named}. The gradient norm of the "
        f"step before was {before}. No weight was changed by this step."
    )


def exploded(loss: float, first: float) -> bool:
    """Whether a loss has left all bounds, `first` being that of the first step."""
    return not loss <= EXPLODED * max(1.0, first)
