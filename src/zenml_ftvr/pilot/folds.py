"""Out-of-fold answers: every training row judged by a model that has not seen it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from zenml_ftvr.evaluate import paired_difference
from zenml_ftvr.models import fit_baseline
from zenml_ftvr.tasks import Outputs, RowWork, Work
from zenml_ftvr.train import Progress, choose_strength, fit_head
from zenml_ftvr.values import Metric
from zenml_ftvr.values.adequacy import Gap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Dataset
    from zenml_ftvr.tasks import Answers

    Ids = npt.NDArray[np.int64]
    Features = npt.NDArray[np.float32]

__all__ = ["baseline_predictor", "gap_between", "has_classes", "head_predictor", "out_of_fold"]

FOLDS = 5  # Kohavi 1995, IJCAI: 5 to 10; five trains on 80 % of the rows at half the cost of ten


def has_classes(work: Work) -> bool:
    """Whether a row has one class of several."""
    return getattr(work, "target", None) == "single"


def out_of_fold(
    work: Work,
    dataset: Dataset,
    predict: Callable[[Ids, Ids], Outputs],
    seed: int,
    what: str,
    progress: Progress,
) -> tuple[Answers, int]:
    """`predict(train indices, held-out indices)` for every fold, put together."""
    folds, splits = _folds(work, dataset, seed)
    progress(f"cross-validating {what}", 0, folds)
    parts = []
    for done, (train, held_out) in enumerate(splits, start=1):
        parts.append((held_out, predict(train, held_out)))
        progress(f"cross-validating {what}", done, folds)
    return work.answers(_in_order(parts, len(dataset.train)), dataset.train), folds


def _folds(work: Work, dataset: Dataset, seed: int) -> tuple[int, Iterator[tuple[Ids, Ids]]]:
    """How many folds, and the rows of each: of like classes where there are classes."""
    import numpy as np
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    groups = dataset.train.row_ids
    places = np.arange(len(groups))
    if not has_classes(work):
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


def baseline_predictor(work: Work, dataset: Dataset, seed: int) -> Callable[[Ids, Ids], Outputs]:
    """Of the task's baseline, fitted to the training rows of each fold."""

    def predict(train: Ids, held_out: Ids) -> Outputs:
        baseline = fit_baseline(work, dataset.train.take(train), seed)
        return baseline.outputs(dataset.train.take(held_out))

    return predict


def head_predictor(
    work: RowWork, dataset: Dataset, features: Features, seed: int
) -> Callable[[Ids, Ids], Outputs]:
    """Of a linear head on the `features` of the training rows [rows, hidden]."""
    # Once for all folds: choosing one of four strengths on the same rows flatters the score by far
    # less than its interval, and five times less work is done.
    c = choose_strength(work, features, dataset.train, seed)

    def predict(train: Ids, held_out: Ids) -> Outputs:
        head = fit_head(work, features[train], dataset.train.take(train), c, seed)
        return head.logits(features[held_out])

    return predict


def gap_between(first: Answers, second: Answers, metric: Metric, seed: int) -> Gap:
    """`first` minus `second`, answers to the same rows."""
    # The difference is all that is taken of it, so that the two names do not matter.
    (found,) = paired_difference(("head", first), ("baseline", second), [metric], seed)
    return Gap(mean=found.mean, low=found.low, high=found.high, level=found.level)
