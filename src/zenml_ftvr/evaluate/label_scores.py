"""Which classes, labels, tags and spans a model gets right, and what it takes for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zenml_ftvr.tasks import (
    Answers,
    ClassAnswers,
    SetAnswers,
    TagAnswers,
    unit_weights,
)
from zenml_ftvr.values import LabelScore, are_spans

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["LabelScores", "label_scores"]


@dataclass(frozen=True, slots=True)
class LabelScores:
    """As `ModelEvaluation` has them; all empty of tasks without labels."""

    labels: tuple[LabelScore, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    spans: tuple[LabelScore, ...] = ()


def label_scores(answers: Answers, labels: Sequence[str]) -> LabelScores:
    """Scores of each label of the data, in its order, and how often each is taken for another."""
    match answers:
        case ClassAnswers():
            counts = answers.confusion(unit_weights(answers.n_rows))[0].astype(int)
            return LabelScores(_of_confusion(labels, counts, counts.sum(1)), _rows_of(counts))
        case SetAnswers():
            return LabelScores(_of_sets(answers, labels))
        case TagAnswers():
            counts, n_true = _tag_confusion(answers, labels)
            spans: tuple[LabelScore, ...] = ()
            if are_spans(labels):
                by_type = answers.spans_by_type().items()
                spans = tuple(_label_score(kind, *of_type) for kind, of_type in by_type)
            return LabelScores(_of_confusion(labels, counts, n_true), _rows_of(counts), spans)
        case _:
            return LabelScores()


def _of_confusion(
    labels: Sequence[str], counts: npt.NDArray[np.int64], n_true: npt.NDArray[np.int64]
) -> tuple[LabelScore, ...]:
    said = counts.sum(0)
    return tuple(
        _label_score(label, int(counts[place, place]), int(said[place]), int(n_true[place]))
        for place, label in enumerate(labels)
    )


def _of_sets(answers: SetAnswers, labels: Sequence[str]) -> tuple[LabelScore, ...]:
    hits = (answers.predicted * answers.truth).sum(0)
    said, true = answers.predicted.sum(0), answers.truth.sum(0)
    return tuple(
        _label_score(label, int(hits[place]), int(said[place]), int(true[place]))
        for place, label in enumerate(labels)
    )


def _tag_confusion(
    answers: TagAnswers, labels: Sequence[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Words by true and answered tag, and by true tag alone: not every word is given a tag."""
    import numpy as np

    place = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    n_true = np.zeros(len(labels), dtype=np.int64)
    for wanted, given in zip(answers.truth, answers.predicted, strict=True):
        for tag, answer in zip(wanted, given, strict=True):
            n_true[place[tag]] += 1
            if answer in place:
                counts[place[tag], place[answer]] += 1
    return counts, n_true


def _rows_of(counts: npt.NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(cell) for cell in row) for row in counts)


def _label_score(label: str, hits: int, n_said: int, n_true: int) -> LabelScore:
    return LabelScore(
        label=label,
        precision=hits / n_said if n_said else 0.0,
        recall=hits / n_true if n_true else 0.0,
        f1=2 * hits / (n_true + n_said) if n_true + n_said else 0.0,
        n_rows=n_true,
    )
