"""One model on the test rows: its scores, and all else that its answers say."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zenml_ftvr.data import Dataset, columns_of_rows, halved
from zenml_ftvr.errors import DataError
from zenml_ftvr.evaluate.forgetting import (
    forgetting_of,
    general_texts,
    why_not_forgetting,
)
from zenml_ftvr.evaluate.generation import generation_of
from zenml_ftvr.evaluate.groups import Groups, groups_of
from zenml_ftvr.evaluate.intervals import scores_with_intervals
from zenml_ftvr.evaluate.label_doubts import JudgedRows, label_doubts
from zenml_ftvr.evaluate.label_scores import label_scores
from zenml_ftvr.evaluate.mistakes import worst_mistakes
from zenml_ftvr.evaluate.number_errors import number_errors
from zenml_ftvr.evaluate.reliability import check_probabilities
from zenml_ftvr.evaluate.serving import serving_of
from zenml_ftvr.evaluate.slices import RowSlice, length_slices, score_slices, value_slices
from zenml_ftvr.models import LoadedModel, load
from zenml_ftvr.tasks import Answers, ClassAnswers
from zenml_ftvr.values import (
    EvaluationSettings,
    Metric,
    ModelEvaluation,
    Task,
    TrainedModel,
    metric_of,
    metrics_of,
)

__all__ = ["Judging", "Scored", "examined", "judging", "score_model"]

OnRows = Callable[[int, int], None]
"""Rows done, rows in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What all models of one evaluation are judged on, and by."""

    dataset: Dataset
    task: Task
    groups: Groups | None
    """Test rows that belong together; None where each stands alone."""
    grouped_by: str | None
    slices: tuple[RowSlice, ...]
    settings: EvaluationSettings
    usd_per_hour: float | None
    seed: int
    notes: tuple[str, ...] = ()

    @property
    def metric(self) -> Metric:
        return metric_of(self.task)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return metrics_of(self.task)

    @property
    def n_groups(self) -> int:
        return len(self.dataset.test) if self.groups is None else self.groups.n


def judging(
    models: Sequence[TrainedModel],
    dataset: Dataset,
    settings: EvaluationSettings,
    usd_per_hour: float | None,
    seed: int,
) -> Judging:
    """Settle how test rows are grouped and sliced, before any model is loaded.

    Raises `DataError` for models of other data, and for columns and general texts that there are
    not.
    """
    for model in models:
        if model.plan.data_fingerprint != dataset.fingerprint:
            raise DataError(
                f"'{model.kind}' was trained on data {model.plan.data_fingerprint[:12]}, but this "
                f"data is {dataset.fingerprint[:12]}: its test rows may have been trained on."
            )
    task = models[0].plan.task
    slices = length_slices(one for some in dataset.test.batches() for one in some.inputs)
    if settings.slice_columns:
        columns = columns_of_rows(dataset.source, task, dataset.test, settings.slice_columns)
        slices = (*slices, *value_slices(columns))
    if settings.forgetting is not None:
        general_texts(settings.forgetting, seed)  # so that an absent file ends it here
    groups, grouped_by, notes = _grouping(dataset, task)
    return Judging(
        dataset=dataset,
        task=task,
        groups=groups,
        grouped_by=grouped_by,
        slices=slices,
        settings=settings,
        usd_per_hour=usd_per_hour,
        seed=seed,
        notes=notes,
    )


def _grouping(dataset: Dataset, task: Task) -> tuple[Groups | None, str | None, tuple[str, ...]]:
    """Groups of the test rows by the user's column, or of equal text; and what went wrong."""
    column = dataset.source.group_column
    equal_texts = groups_of(dataset.test.row_ids, "distinct inputs")
    if column is None:
        return equal_texts, None, ()
    try:
        (values,) = columns_of_rows(dataset.source, task, dataset.test, (column,)).values()
    except DataError as error:
        return (
            equal_texts,
            None,
            (
                f"Intervals take rows of one '{column}' for independent, so that they may be too "
                f"narrow: the column could not be read again ({error})",
            ),
        )
    of_rows = [
        row_id if value is None else f"of {value}"
        for value, row_id in zip(values, dataset.test.row_ids, strict=True)
    ]
    return groups_of(of_rows, f"groups of '{column}'"), column, ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A model's answers; the model itself is let go, so that one at a time is in memory."""

    model: TrainedModel
    answers: Answers
    """To the test rows."""
    validation: tuple[JudgedRows, ...]
    """Answers to the validation rows, those for tuning first; none of tasks without classes."""
    evaluation: ModelEvaluation
    seconds: float
    """Of loading, answering the test rows and scoring."""


def score_model(model: TrainedModel, by: Judging, on_rows: OnRows) -> Scored:
    """Load a model and let it answer every test row, once, and what else needs it loaded."""
    started = time.monotonic()
    loaded = load(model.path, model.plan.allow)
    labels = by.dataset.labels
    if loaded.labels != labels:
        raise DataError(
            f"'{model.kind}' answers with the labels {', '.join(loaded.labels)}, but the data has "
            f"{', '.join(labels)}."
        )
    answering = time.monotonic()
    answers = loaded.answers(by.dataset.test, on_rows)
    seconds = time.monotonic() - answering
    of_labels = label_scores(answers, labels)
    scores = scores_with_intervals(answers, by.metrics, by.seed, by.groups)
    scored_in = time.monotonic() - started
    evaluation = ModelEvaluation(
        kind=model.kind,
        scores=scores,
        labels=of_labels.labels,
        confusion=of_labels.confusion,
        spans=of_labels.spans,
        mistakes=worst_mistakes(answers, by.dataset),
        numbers=number_errors(answers, by.dataset),
        seconds=seconds,
        rows_per_second=answers.n_rows / seconds,
        generation=generation_of(loaded, answers, by.dataset.test, by.seed, by.groups),
    )
    return Scored(
        model=model,
        answers=answers,
        validation=_judged_validation(loaded, answers, by.dataset),
        evaluation=evaluation,
        seconds=scored_in,
    )


def _judged_validation(
    loaded: LoadedModel, answers: Answers, dataset: Dataset
) -> tuple[JudgedRows, ...]:
    """Both halves of the validation rows, where rows have one of several classes."""
    if not isinstance(answers, ClassAnswers):
        return ()
    judged = []
    for rows in halved(dataset.validation):
        if len(rows):
            found = loaded.answers(rows)
            if not isinstance(found, ClassAnswers):
                raise TypeError("a task has one form of answers")
            judged.append(JudgedRows("validation", rows, found))
    return tuple(judged)


def examined(scored: Scored, by: Judging) -> ModelEvaluation:
    """What is measured besides scores: probabilities, slices, labels, cost of use, forgetting."""
    evaluation = _with_probabilities(scored, by)
    serving, not_served = serving_of(scored.model, by.dataset, by.settings, by.usd_per_hour)
    forgetting, not_measured = None, None
    if by.settings.forgetting is not None:
        forgetting = forgetting_of(scored.model, by.settings.forgetting, by.seed)
        not_measured = why_not_forgetting(scored.model)
    return dataclasses.replace(
        evaluation,
        slices=score_slices(scored.answers, by.slices, by.metric, by.seed, by.groups),
        serving=serving,
        forgetting=forgetting,
        notes=(
            *by.notes,
            *evaluation.notes,
            *not_served,
            *(() if not_measured is None else (not_measured,)),
        ),
    )


def _with_probabilities(scored: Scored, by: Judging) -> ModelEvaluation:
    """Reliability and likely label errors, of tasks with one of several classes a row."""
    answers = scored.answers
    if not isinstance(answers, ClassAnswers):
        return scored.evaluation
    tuning = scored.validation[0].answers if scored.validation else None
    probabilities = check_probabilities(answers, tuning, by.seed)
    judged = (*scored.validation, JudgedRows("test", by.dataset.test, answers))
    doubts, n_doubts = label_doubts(judged, by.dataset.labels, probabilities.temperature)
    notes: tuple[str, ...] = ()
    if n_doubts > len(doubts):
        notes = (
            f"'{scored.model.kind}' doubts the labels of {n_doubts} rows; the {len(doubts)} that "
            f"it is surest of are kept.",
        )
    return dataclasses.replace(
        scored.evaluation, probabilities=probabilities, label_doubts=doubts, notes=notes
    )
