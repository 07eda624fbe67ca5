"""Trained models on the test split: read once, at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zenml_ftvr.errors import DataError
from zenml_ftvr.evaluate.intervals import paired_difference, scores_with_intervals
from zenml_ftvr.models import load
from zenml_ftvr.tasks import Answers, ClassAnswers, unit_weights
from zenml_ftvr.values import (
    Evaluation,
    ImageClassification,
    LabelScore,
    Ledger,
    LedgerEntry,
    Metric,
    ModelEvaluation,
    Task,
    TextClassification,
    TrainedModel,
    metrics_of,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Dataset

__all__ = ["evaluate_models"]


def evaluate_models(
    models: Sequence[TrainedModel],
    dataset: Dataset,
    *,
    spent: Ledger,
    predicted_seconds: Sequence[float | None],
    seed: int,
    on_rows: Callable[[str, int, int], None],
) -> Evaluation:
    """Load each model from its folder and score it on the test rows; the first is the choice.

    `spent` is the ledger up to here. `predicted_seconds` are the forecasts of each model's
    evaluation, for the ledger. `on_rows(kind, done, total)` shows progress. Models are compared
    with the baseline where it is among them.
    """
    for model in models:
        if model.plan.data_fingerprint != dataset.fingerprint:
            raise DataError(
                f"'{model.kind}' was trained on data {model.plan.data_fingerprint[:12]}, but this "
                f"data is {dataset.fingerprint[:12]}: its test rows may have been trained on."
            )
    metrics = metrics_of(models[0].plan.task)
    results, answers, entries = [], [], []
    for model, predicted in zip(models, predicted_seconds, strict=True):
        started = time.monotonic()
        evaluation, answer = _evaluate(model, dataset, metrics, seed, on_rows)
        entries.append(
            LedgerEntry(
                what="evaluation",
                kind=model.kind,
                seconds=time.monotonic() - started,
                predicted_seconds=predicted,
            )
        )
        results.append(evaluation)
        answers.append((model.kind, answer))
    baseline = next((pair for pair in answers if pair[0] == "baseline"), None)
    differences = [
        difference
        for pair in answers
        if baseline is not None and pair[0] != "baseline"
        for difference in paired_difference(pair, baseline, metrics, seed)
    ]
    return Evaluation(
        choice=models[0].kind,
        models=tuple(results),
        differences=tuple(differences),
        majority_accuracy=_majority_accuracy(models[0].plan.task, dataset),
        n_test=len(dataset.test),
        ledger=spent.with_entries(*entries),
    )


def _majority_accuracy(task: Task, dataset: Dataset) -> float | None:
    """Of always answering with the training split's commonest class; None without classes."""
    match task:
        case TextClassification(target="single") | ImageClassification():
            ((common, _),) = Counter(dataset.train.targets).most_common(1)
            truth = dataset.test.targets
            return sum(label == common for label in truth) / len(truth)
        case _:
            return None


def _evaluate(
    model: TrainedModel,
    dataset: Dataset,
    metrics: Sequence[Metric],
    seed: int,
    on_rows: Callable[[str, int, int], None],
) -> tuple[ModelEvaluation, Answers]:
    loaded = load(model.path, model.plan.allow)
    if loaded.labels != dataset.labels:
        raise DataError(
            f"'{model.kind}' answers with the labels {', '.join(loaded.labels)}, but the data has "
            f"{', '.join(dataset.labels)}."
        )
    started = time.monotonic()
    answers = loaded.answers(dataset.test, lambda done, total: on_rows(model.kind, done, total))
    seconds = time.monotonic() - started
    labels: tuple[LabelScore, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    if isinstance(answers, ClassAnswers):
        counts = answers.confusion(unit_weights(answers.n_rows))[0].astype(int)
        confusion = tuple(tuple(int(cell) for cell in row) for row in counts)
        labels = tuple(
            _label_score(label, index, counts) for index, label in enumerate(dataset.labels)
        )
    evaluation = ModelEvaluation(
        kind=model.kind,
        scores=scores_with_intervals(answers, metrics, seed),
        labels=labels,
        confusion=confusion,
        seconds=seconds,
        rows_per_second=answers.n_rows / seconds,
    )
    return evaluation, answers


def _label_score(label: str, index: int, confusion: npt.NDArray[np.int64]) -> LabelScore:
    hits = int(confusion[index, index])
    n_true, n_predicted = int(confusion[index].sum()), int(confusion[:, index].sum())
    precision = hits / n_predicted if n_predicted else 0.0
    recall = hits / n_true if n_true else 0.0
    f1 = 2 * hits / (n_true + n_predicted) if n_true + n_predicted else 0.0
    return LabelScore(label=label, precision=precision, recall=recall, f1=f1, n_rows=n_true)
