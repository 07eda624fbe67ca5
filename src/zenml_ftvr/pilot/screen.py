"""Cross-validate the arms that cost seconds, on the training split."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from zenml_ftvr.approaches import refusal
from zenml_ftvr.evaluate import paired_difference, scores_with_intervals
from zenml_ftvr.models import ResolvedModel, cached_features, fit_baseline
from zenml_ftvr.pilot.zero_shot import measure_zero_shot, why_not_zero_shot
from zenml_ftvr.tasks import Outputs, RowWork, Work, work_for
from zenml_ftvr.train import Progress, choose_strength, fit_head, silent
from zenml_ftvr.values import (
    Kind,
    MeasuredScore,
    PairedDifference,
    ScreeningEvidence,
    Task,
    metrics_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Dataset
    from zenml_ftvr.tasks import Answers

    Ids = npt.NDArray[np.int64]

__all__ = ["screen"]

FOLDS = 5  # Kohavi 1995, IJCAI: 5 to 10; five trains on 80 % of the rows at half the cost of ten


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
            predict = _baseline_predictor(work, dataset, seed)
        elif base is None:
            continue
        else:
            predict = _head_predictor(cast(RowWork, work), dataset, base, device, seed, progress)
        answers, folds = _out_of_fold(work, dataset, predict, seed, kind, progress)
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


def _has_classes(work: Work) -> bool:
    return getattr(work, "target", None) == "single"


def _majority_share(work: Work, dataset: Dataset) -> float | None:
    if not _has_classes(work):
        return None
    return max(Counter(dataset.train.labels).values()) / len(dataset.train)


def _out_of_fold(
    work: Work,
    dataset: Dataset,
    predict: Callable[[Ids, Ids], Outputs],
    seed: int,
    kind: Kind,
    progress: Progress,
) -> tuple[Answers, int]:
    """`predict(train indices, held-out indices)` for every fold, put together."""
    folds, splits = _folds(work, dataset, seed)
    progress(f"cross-validating {kind}", 0, folds)
    parts = []
    for done, (train, held_out) in enumerate(splits, start=1):
        parts.append((held_out, predict(train, held_out)))
        progress(f"cross-validating {kind}", done, folds)
    return work.answers(_in_order(parts, len(dataset.train)), dataset.train), folds


def _folds(work: Work, dataset: Dataset, seed: int) -> tuple[int, Iterator[tuple[Ids, Ids]]]:
    """How many folds, and the rows of each: of like classes where there are classes."""
    import numpy as np
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    groups = dataset.train.row_ids
    places = np.arange(len(groups))
    if not _has_classes(work):
        folds = max(2, min(FOLDS, len(set(groups))))
        return folds, GroupKFold(folds, shuffle=True, random_state=seed).split(
            places, groups=groups
        )
    truth = np.asarray(dataset.label_ids(dataset.train))
    rows = zip(groups, truth.tolist(), strict=True)
    rarest = min(Counter(label for _, label in set(rows)).values())
    folds = max(2, min(FOLDS, rarest))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return folds, splitter.split(truth, truth, groups=groups)


def _in_order(parts: Sequence[tuple[Ids, Outputs]], n_rows: int) -> Outputs:
    """The outputs of every fold at their rows' places."""
    import numpy as np

    if isinstance(parts[0][1], np.ndarray):
        whole = np.empty((n_rows, *parts[0][1].shape[1:]), dtype=parts[0][1].dtype)
        for places, outputs in parts:
            whole[places] = outputs
        return whole
    listed: list[Any] = [None] * n_rows
    for places, outputs in parts:
        for place, output in zip(places.tolist(), outputs, strict=True):
            listed[place] = output
    return listed


def _baseline_predictor(work: Work, dataset: Dataset, seed: int) -> Callable[[Ids, Ids], Outputs]:
    def predict(train: Ids, held_out: Ids) -> Outputs:
        baseline = fit_baseline(work, dataset.train.take(train), seed)
        return baseline.outputs(dataset.train.take(held_out))

    return predict


def _head_predictor(
    work: RowWork,
    dataset: Dataset,
    base: ResolvedModel,
    device: str,
    seed: int,
    progress: Progress,
) -> Callable[[Ids, Ids], Outputs]:
    features = cached_features(
        base,
        dataset.train,
        work.task,
        device,
        lambda done, total: progress("features, train", done, total),
    )
    # Once for all folds: choosing one of four strengths on the same rows flatters the score by far
    # less than its interval, and five times less work is done.
    c = choose_strength(work, features, dataset.train, seed)

    def predict(train: Ids, held_out: Ids) -> Outputs:
        head = fit_head(work, features[train], dataset.train.take(train), c, seed)
        return head.logits(features[held_out])

    return predict
