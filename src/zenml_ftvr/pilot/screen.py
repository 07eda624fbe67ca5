"""Cross-validate the arms that cost seconds, on the training split."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, cast

from zenml_ftvr.approaches import refusal
from zenml_ftvr.evaluate import paired_difference, scores_with_intervals
from zenml_ftvr.models import ResolvedModel, cached_features
from zenml_ftvr.pilot.folds import baseline_predictor, has_classes, head_predictor, out_of_fold
from zenml_ftvr.pilot.zero_shot import measure_zero_shot, why_not_zero_shot
from zenml_ftvr.tasks import RowWork, Work, work_for
from zenml_ftvr.train import Progress, silent
from zenml_ftvr.values import (
    Kind,
    MeasuredScore,
    PairedDifference,
    ScreeningEvidence,
    Task,
    metrics_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zenml_ftvr.data import Dataset
    from zenml_ftvr.tasks import Answers

__all__ = ["screen"]


def screen(
    dataset: Dataset,
    base: ResolvedModel | None,
    kinds: Sequence[Kind],
    task: Task,
    device: str,
    seed: int,
    progress: Progress = silent,
) -> ScreeningEvidence:
    """Out-of-fold scores of `baseline` and `head` (those in `kinds`), with intervals.

    Rows of equal text stay in one fold. Scores are of models trained on four fifths of the training
    split, so a little low. Nothing of the validation or test split is read.
    """
    started = time.monotonic()
    work = work_for(task, dataset)
    found: dict[Kind, Answers] = {}
    measured = []
    for kind in ("baseline", "head"):
        if kind not in kinds or refusal(kind, task) is not None:
            continue
        one_started = time.monotonic()
        if kind == "baseline":
            predict = baseline_predictor(work, dataset, seed)
        elif base is None:
            continue
        else:
            features = cached_features(
                base,
                dataset.train,
                task,
                device,
                lambda done, total: progress("features, train", done, total),
            )
            predict = head_predictor(cast(RowWork, work), dataset, features, seed)
        answers, folds = out_of_fold(work, dataset, predict, seed, kind, progress)
        found[kind] = answers
        measured.append(
            MeasuredScore(
                kind=kind,
                scores=scores_with_intervals(answers, metrics_of(task), seed),
                folds=folds,
                seconds=time.monotonic() - one_started,
            )
        )
    differences: tuple[PairedDifference, ...] = ()
    if "baseline" in found and "head" in found:
        differences = paired_difference(
            ("head", found["head"]), ("baseline", found["baseline"]), metrics_of(task), seed
        )
    zero_shot, skipped = None, None
    if "baseline" in kinds and base is not None:
        skipped = why_not_zero_shot(dataset, base, task)
        if skipped is None:
            zero_shot = measure_zero_shot(dataset, base, task, device, seed, progress)
    return ScreeningEvidence(
        measured=tuple(measured),
        differences=differences,
        majority_share=_majority_share(work, dataset),
        seconds=time.monotonic() - started,
        zero_shot=zero_shot,
        zero_shot_skipped=skipped,
    )


def _majority_share(work: Work, dataset: Dataset) -> float | None:
    if not has_classes(work):
        return None
    return max(Counter(dataset.train.labels).values()) / len(dataset.train)
