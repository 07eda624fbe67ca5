"""Trained models on the test split: read once, at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from zenml_ftvr.evaluate.intervals import paired_difference
from zenml_ftvr.evaluate.one_model import Judging, Scored, examined, judging, score_model
from zenml_ftvr.evaluate.serving import pareto_points
from zenml_ftvr.evaluate.significance import compare_pairs
from zenml_ftvr.values import (
    Evaluation,
    EvaluationSettings,
    ImageClassification,
    Ledger,
    LedgerEntry,
    PairedDifference,
    Task,
    TextClassification,
    TrainedModel,
)

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["ANSWERS_ALONE", "evaluate_models", "majority_accuracy"]

ANSWERS_ALONE = EvaluationSettings(serving=None, forgetting=None)
"""What the answers themselves say: no model is timed, and no base model loaded."""


def evaluate_models(
    models: Sequence[TrainedModel],
    dataset: Dataset,
    *,
    spent: Ledger,
    predicted_seconds: Sequence[float | None],
    seed: int,
    on_rows: Callable[[str, int, int], None],
    settings: EvaluationSettings = ANSWERS_ALONE,
) -> Evaluation:
    """Load each model from its folder and score it on the test rows; the first is the choice.

    `spent` is the ledger up to here. `predicted_seconds` are the forecasts of each model's
    evaluation, for the ledger. `on_rows(kind, done, total)` shows progress. Models are compared
    with the baseline where it is among them, and tested by twos. `settings` says what is measured
    besides, which the ledger has as one entry.
    """
    by = judging(models, dataset, settings, spent.usd_per_hour, seed)
    scored, evaluations, entries, besides = [], [], [], 0.0
    for model, predicted in zip(models, predicted_seconds, strict=True):
        started = time.monotonic()
        one = score_model(model, by, partial(on_rows, model.kind))
        evaluations.append(examined(one, by))
        besides += time.monotonic() - started - one.seconds
        scored.append(one)
        entries.append(
            LedgerEntry(
                what="evaluation",
                kind=model.kind,
                seconds=one.seconds,
                predicted_seconds=predicted,
            )
        )
    started = time.monotonic()
    answers = [(one.model.kind, one.answers) for one in scored]
    tests = compare_pairs(answers, by.metric, seed, by.groups)
    differences = _from_baseline(scored, by)
    besides += time.monotonic() - started
    entries.append(LedgerEntry(what="evaluation", kind=None, seconds=besides))
    return Evaluation(
        choice=models[0].kind,
        models=tuple(evaluations),
        differences=differences,
        majority_accuracy=majority_accuracy(by.task, dataset),
        n_test=len(dataset.test),
        ledger=spent.with_entries(*entries),
        metric=by.metric,
        tests=tests,
        pareto=pareto_points(evaluations, by.metric),
        grouped_by=by.grouped_by,
        n_groups=by.n_groups,
    )


def _from_baseline(scored: Sequence[Scored], by: Judging) -> tuple[PairedDifference, ...]:
    """Every other model minus the baseline, where it is among them."""
    baseline = next((one for one in scored if one.model.kind == "baseline"), None)
    if baseline is None:
        return ()
    return tuple(
        difference
        for one in scored
        if one.model.kind != "baseline"
        for difference in paired_difference(
            (one.model.kind, one.answers),
            ("baseline", baseline.answers),
            by.metrics,
            by.seed,
            by.groups,
        )
    )


def majority_accuracy(task: Task, dataset: Dataset) -> float | None:
    """Of always answering with the training split's commonest class; None without classes."""
    match task:
        case TextClassification(target="single") | ImageClassification():
            ((common, _),) = Counter(dataset.train.targets).most_common(1)
            truth = dataset.test.targets
            return sum(label == common for label in truth) / len(truth)
        case _:
            return None
