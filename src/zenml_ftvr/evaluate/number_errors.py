"""How far numbers are off, and where by most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zenml_ftvr.data import Dataset, text_of
from zenml_ftvr.evaluate.mistakes import SHOWN_CHARACTERS, WORST
from zenml_ftvr.tasks import Answers, NumberAnswers
from zenml_ftvr.values import NumberErrors, NumberSample

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["number_errors"]

DRAWN = 300  # rows of a picture: more hide one another, and make a page heavy; a judgement


def number_errors(answers: Answers, dataset: Dataset) -> NumberErrors | None:
    """Of the test rows; None where answers are no numbers."""
    import numpy as np

    if not isinstance(answers, NumberAnswers):
        return None
    off = answers.predicted - answers.truth
    distance = np.abs(off)
    order = np.argsort(answers.truth, kind="stable")
    n_drawn = min(DRAWN, len(order))
    drawn = order[np.linspace(0, len(order) - 1, n_drawn).round().astype(int)].tolist()
    mean = float(np.mean(dataset.train.targets))
    return NumberErrors(
        bias=float(off.mean()),
        median=float(np.median(distance)),
        p90=float(np.quantile(distance, 0.9)),
        largest=float(distance.max()),
        rmse_of_mean=float(np.sqrt(np.mean((answers.truth - mean) ** 2))),
        pairs=tuple((float(answers.truth[at]), float(answers.predicted[at])) for at in drawn),
        worst=_worst(answers, distance, dataset),
    )


def _worst(
    answers: NumberAnswers, distance: npt.NDArray[np.float64], dataset: Dataset
) -> tuple[NumberSample, ...]:
    import numpy as np

    found = []
    for at in np.argsort(-distance, kind="stable")[:WORST].tolist():
        row = dataset.test.take([at])
        found.append(
            NumberSample(
                row_id=row.row_ids[0],
                text=text_of(row.inputs[0])[:SHOWN_CHARACTERS],
                truth=float(answers.truth[at]),
                answered=float(answers.predicted[at]),
            )
        )
    return tuple(found)
