"""What another base model would add: a head on its features, on the same rows and folds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from zenml_ftvr.approaches import refusal
from zenml_ftvr.errors import FtvrError
from zenml_ftvr.evaluate import scores_with_intervals
from zenml_ftvr.models import ResolvedModel, cached_features, resolve
from zenml_ftvr.pilot.folds import gap_between, head_predictor, out_of_fold
from zenml_ftvr.tasks import RowWork, work_for
from zenml_ftvr.train import Progress, silent
from zenml_ftvr.values import ModelSource, Task, metric_of
from zenml_ftvr.values.adequacy import OtherBase

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset
    from zenml_ftvr.tasks import Answers

__all__ = ["compare_bases"]


def compare_bases(
    dataset: Dataset,
    base: ResolvedModel,
    others: Sequence[ModelSource],
    task: Task,
    device: str,
    seed: int,
    seconds_allowed: float,
    progress: Progress = silent,
) -> tuple[OtherBase, ...]:
    """Each of `others` against `base`, out of fold on the training split, in the order given.

    One that cannot be had, or for which no time is left, is listed with the reason.
    """
    started = time.monotonic()
    why = refusal("head", task)
    if why is not None:
        return tuple(OtherBase(name=one.name, skipped=why) for one in others)
    own = _answers(dataset, base, task, device, seed)
    found = []
    for done, source in enumerate(others, start=1):
        gone = time.monotonic() - started
        if gone > seconds_allowed:
            said = f"the {seconds_allowed:.0f} s for other base models were used up."
            found.append(OtherBase(name=source.name, skipped=said))
            continue
        try:
            found.append(_compared(dataset, own, source, task, device, seed))
        except FtvrError as error:
            found.append(OtherBase(name=source.name, skipped=str(error)))
        progress("other base models", done, len(others), source.name)
    return tuple(found)


def _answers(dataset: Dataset, base: ResolvedModel, task: Task, device: str, seed: int) -> Answers:
    work = work_for(task, dataset)
    features = cached_features(base, dataset.train, task, device)
    predict = head_predictor(cast(RowWork, work), dataset, features, seed)
    return out_of_fold(work, dataset, predict, seed, "a head", silent)[0]


def _compared(
    dataset: Dataset, own: Answers, source: ModelSource, task: Task, device: str, seed: int
) -> OtherBase:
    metric = metric_of(task)
    theirs = _answers(dataset, resolve(source), task, device, seed)
    return OtherBase(
        name=source.name,
        score=scores_with_intervals(theirs, [metric], seed)[0],
        gain=gap_between(theirs, own, metric, seed),
    )
