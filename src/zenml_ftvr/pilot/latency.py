"""How long one answer takes: a row at a time, as a service would be asked."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zenml_ftvr.values import CausalLM, Seq2Seq, Task

if TYPE_CHECKING:
    from zenml_ftvr.data import Rows
    from zenml_ftvr.train import Prepared

__all__ = [
    "answers_in_one_pass",
    "median_forward_seconds",
    "median_seconds",
    "synchronise",
]

ASKED_ROWS = 15
"""Evenly over the rows: the median of fifteen is known to about a quarter of the spread, and costs
half a batch. A judgement."""
WARM_UP_ROWS = 2  # the first calls allocate


def answers_in_one_pass(task: Task) -> bool:
    """Whether an answer is one forward pass; text that is written takes one for each token."""
    return not isinstance(task, CausalLM | Seq2Seq)


def synchronise() -> None:
    """Wait for what the accelerator has been given; nothing on a CPU."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _some(n_rows: int) -> list[int]:
    step = max(1, n_rows // ASKED_ROWS)
    return list(range(0, n_rows, step))[:ASKED_ROWS]


def _median(calls: list[Callable[[], Any]]) -> float:
    for call in calls[:WARM_UP_ROWS]:
        call()
    seconds = []
    for call in calls:
        started = time.monotonic()
        call()
        synchronise()
        seconds.append(time.monotonic() - started)
    return statistics.median(seconds)


def median_seconds(rows: Rows, answer: Callable[[Rows], Any]) -> float:
    """Of `answer` on single rows of a split, evenly over it."""
    single = [rows.take([index]) for index in _some(len(rows))]
    return _median([functools.partial(answer, one) for one in single])


def median_forward_seconds(prepared: Prepared) -> float:
    """Of the prepared model on single validation rows, in evaluation mode and without gradients."""
    import torch

    model = prepared.trainable.model
    was_training = model.training
    model.eval()

    def call(index: int) -> Any:
        batch = prepared.collate([prepared.validation[index]])
        with torch.inference_mode():
            return model(**{name: value.to(model.device) for name, value in batch.items()})

    try:
        places = _some(len(prepared.validation))
        return _median([functools.partial(call, index) for index in places])
    finally:
        model.train(was_training)
