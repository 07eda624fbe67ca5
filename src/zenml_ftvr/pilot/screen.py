"""Cross-validate the arms that cost seconds, on the training split."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from zenml_ftvr.evaluate import paired_difference, scores_with_intervals
from zenml_ftvr.models import ResolvedModel, cached_features
from zenml_ftvr.train import Progress, choose_head_c, fit_baseline, fit_head, silent
from zenml_ftvr.values import Kind, MeasuredScore, PairedDifference, ScreeningEvidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Dataset

    Ids = npt.NDArray[np.int64]

__all__ = ["screen"]

FOLDS = 5  # Kohavi 1995, IJCAI: 5 to 10; five trains on 80 % of the rows at half the cost of ten


def screen(
    dataset: Dataset,
    base: ResolvedModel | None,
    kinds: Sequence[Kind],
    max_length: int,
    device: str,
    seed: int,
    progress: Progress = silent,
) -> ScreeningEvidence:
    """Out-of-fold scores of `baseline` and `head` (those in `kinds`), with intervals.

    Rows of equal text stay in one fold. Scores are of models trained on four fifths of the training
    split, so a little low. Nothing of the validation or test split is read.
    """
    import numpy as np

    started = time.monotonic()
    truth = np.asarray(dataset.label_ids(dataset.train))
    predictions: dict[Kind, Ids] = {}
    measured = []
    for kind in ("baseline", "head"):
        if kind not in kinds or (kind == "head" and base is None):
            continue
        one_started = time.monotonic()
        if kind == "baseline" or base is None:
            predict = _baseline_predictor(dataset, truth, seed)
        else:
            predict = _head_predictor(dataset, truth, base, max_length, device, seed, progress)
        answer, folds = _out_of_fold(dataset, truth, predict, seed, kind, progress)
        predictions[kind] = answer
        measured.append(
            MeasuredScore(
                kind=kind,
                scores=scores_with_intervals(truth, answer, len(dataset.labels), seed),
                folds=folds,
                seconds=time.monotonic() - one_started,
            )
        )
    differences: tuple[PairedDifference, ...] = ()
    if "baseline" in predictions and "head" in predictions:
        differences = paired_difference(
            ("head", predictions["head"]),
            ("baseline", predictions["baseline"]),
            truth,
            len(dataset.labels),
            seed,
        )
    return ScreeningEvidence(
        measured=tuple(measured),
        differences=differences,
        majority_share=float(np.bincount(truth).max() / len(truth)),
        seconds=time.monotonic() - started,
    )


def _out_of_fold(
    dataset: Dataset,
    truth: Ids,
    predict: Callable[[Ids, Ids], Ids],
    seed: int,
    kind: Kind,
    progress: Progress,
) -> tuple[Ids, int]:
    """`predict(train indices, held-out indices)` for every fold, put together."""
    import numpy as np
    from sklearn.model_selection import StratifiedGroupKFold

    rows = zip(dataset.train.row_ids, dataset.train.labels, strict=True)
    rarest = min(Counter(label for _, label in set(rows)).values())
    folds = max(2, min(FOLDS, rarest))
    answer = np.empty_like(truth)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    splits = splitter.split(truth, truth, groups=dataset.train.row_ids)
    progress(f"cross-validating {kind}", 0, folds)
    for done, (train, held_out) in enumerate(splits, start=1):
        answer[held_out] = predict(train, held_out)
        progress(f"cross-validating {kind}", done, folds)
    return answer, folds


def _baseline_predictor(dataset: Dataset, truth: Ids, seed: int) -> Callable[[Ids, Ids], Ids]:
    texts = dataset.train.texts

    def predict(train: Ids, held_out: Ids) -> Ids:
        pipeline = fit_baseline([texts[i] for i in train], truth[train].tolist(), seed)
        answer: Ids = pipeline.predict([texts[i] for i in held_out])
        return answer

    return predict


def _head_predictor(
    dataset: Dataset,
    truth: Ids,
    base: ResolvedModel,
    max_length: int,
    device: str,
    seed: int,
    progress: Progress,
) -> Callable[[Ids, Ids], Ids]:
    features = cached_features(
        base,
        dataset.train.texts,
        max_length,
        device,
        lambda done, total: progress("features, train", done, total),
    )
    # Once for all folds: choosing one of four strengths on the same rows flatters the score by far
    # less than its interval, and five times less work is done.
    c = choose_head_c(features, truth.tolist(), dataset.train.row_ids, seed)

    def predict(train: Ids, held_out: Ids) -> Ids:
        head = fit_head(features[train], truth[train].tolist(), len(dataset.labels), c, seed)
        answer: Ids = head.logits(features[held_out]).argmax(axis=1)
        return answer

    return predict
