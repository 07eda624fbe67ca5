"""What a solved head is worth on the validation rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from zenml_ftvr.tasks import Outputs, Work, score
from zenml_ftvr.values import CurvePoint, metrics_of

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["read_once"]


def read_once(
    work: Work,
    dataset: Dataset,
    outputs: Outputs,
    log: Callable[[dict[str, float], int], None],
    started: float,
    step: int = 0,
) -> tuple[CurvePoint, ...]:
    """The task's metrics of these outputs for the validation rows, logged at `step`.

    Seconds count from `started`, a reading of `time.monotonic`.
    """
    answers = work.answers(outputs, dataset.validation)
    seconds = time.monotonic() - started
    metrics = {f"eval/{metric}": score(answers, metric) for metric in metrics_of(work.task)}
    log(metrics, step)
    return tuple(
        CurvePoint(step=step, metric=name, value=value, seconds=seconds)
        for name, value in metrics.items()
    )
