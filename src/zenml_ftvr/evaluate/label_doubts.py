"""Rows that a model is surely wrong about: their labels are likely wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from zenml_ftvr.data import text_of
from zenml_ftvr.evaluate.reliability import softmax
from zenml_ftvr.values import LabelDoubt

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Rows
    from zenml_ftvr.tasks import ClassAnswers

__all__ = ["JudgedRows", "doubtful", "label_doubts"]

SHOWN = 50  # rows, surest first: what a person looks through in half an hour; a judgement
SHOWN_CHARACTERS = 300  # of each text: enough to judge a label; a judgement


@dataclass(frozen=True, slots=True)
class JudgedRows:
    """Rows that a model was not fitted to, and what it says of them."""

    split: Literal["validation", "test"]
    rows: Rows
    answers: ClassAnswers


def doubtful(
    probabilities: npt.NDArray[np.float64], given: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The class that each row seems to be of, -1 where that is the given one or none, [rows].

    Confident learning, Northcutt, Jiang & Chuang 2021, arXiv 1911.00068: a row counts as of a class
    whose probability is at least the mean that rows labelled so have; of several, the likeliest.
    """
    import numpy as np

    n_classes = probabilities.shape[1]
    own = probabilities[np.arange(len(given)), given]
    sums = np.bincount(given, weights=own, minlength=n_classes)
    counts = np.bincount(given, minlength=n_classes)
    # Of a class that no row is labelled with there is no threshold, and no row is thought of it.
    thresholds = np.divide(sums, counts, out=np.full(n_classes, np.inf), where=counts > 0)
    sure = probabilities >= thresholds
    likeliest = np.where(sure, probabilities, -1.0).argmax(axis=1)
    of_another = sure.any(axis=1) & (likeliest != given)
    found: npt.NDArray[np.int64] = np.where(of_another, likeliest, -1)
    return found


def label_doubts(
    judged: Sequence[JudgedRows], labels: Sequence[str], temperature: float | None
) -> tuple[tuple[LabelDoubt, ...], int]:
    """The rows whose labels are likeliest wrong, surest first, and how many there are in all.

    Surest by how much likelier the suggested label is than the given one. Probabilities are those
    at `temperature` where one was fitted.
    """
    import numpy as np

    scores = np.concatenate([one.answers.scores for one in judged])
    given = np.concatenate([one.answers.truth for one in judged])
    probabilities = softmax(scores, temperature or 1.0)
    suggested = doubtful(probabilities, given)
    places = np.flatnonzero(suggested >= 0)
    margin = probabilities[places, suggested[places]] - probabilities[places, given[places]]
    surest = places[np.argsort(-margin, kind="stable")][:SHOWN]
    starts = np.cumsum([0, *(len(one.rows) for one in judged)])
    found = []
    for place in surest.tolist():
        part = int(np.searchsorted(starts, place, side="right")) - 1
        row = judged[part].rows.take([place - int(starts[part])])
        found.append(
            LabelDoubt(
                row_id=row.row_ids[0],
                split=judged[part].split,
                text=text_of(row.inputs[0])[:SHOWN_CHARACTERS],
                given=labels[given[place]],
                suggested=labels[suggested[place]],
                probability_given=float(probabilities[place, given[place]]),
                probability_suggested=float(probabilities[place, suggested[place]]),
            )
        )
    return tuple(found), len(places)
