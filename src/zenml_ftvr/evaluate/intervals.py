"""Scores with intervals, and differences of two models on the same rows, by the bootstrap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zenml_ftvr.tasks.text_classification import METRICS, score, scores_of_counts
from zenml_ftvr.values import Kind, Metric, PairedDifference, Score

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ids = npt.NDArray[np.int64]

__all__ = ["paired_difference", "scores_with_intervals"]

DRAWS = 2_000  # Efron & Tibshirani 1993, ch. 13: at least 1,000 for percentile limits
LEVEL = 0.95
CHUNK_CELLS = 4_000_000  # counts held at once: 32 MB of 64-bit integers


def _draws(
    cells: npt.NDArray[np.int64], n_rows: int, width: int, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Counts of resampled rows by cell, [draws, cells], in chunks that fit memory.

    Drawing n rows with replacement and counting them by cell is one multinomial draw.
    """
    chunk = max(1, CHUNK_CELLS // max(width, len(cells)))
    for start in range(0, DRAWS, chunk):
        yield rng.multinomial(n_rows, cells / n_rows, size=min(chunk, DRAWS - start))


def _limits(draws: npt.NDArray[np.float64]) -> tuple[float, float]:
    import numpy as np

    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def scores_with_intervals(
    truth: Ids, predicted: Ids, n_classes: int, seed: int
) -> tuple[Score, ...]:
    """Every metric of `predicted` against `truth` (both [rows], class ids) with a 95 % interval.

    Percentile bootstrap over rows: Efron & Tibshirani 1993, ch. 13.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    counts = np.bincount(truth * n_classes + predicted, minlength=n_classes**2)
    drawn: dict[Metric, list[npt.NDArray[np.float64]]] = {metric: [] for metric in METRICS}
    for chunk in _draws(counts, len(truth), n_classes**2, rng):
        shaped = chunk.reshape(-1, n_classes, n_classes)
        for metric in METRICS:
            drawn[metric].append(scores_of_counts(metric, shaped))
    scores = []
    for metric in METRICS:
        low, high = _limits(np.concatenate(drawn[metric]))
        value = score(metric, truth, predicted)
        scores.append(
            Score(
                metric=metric,
                value=value,
                low=min(low, value),
                high=max(high, value),
                n_rows=len(truth),
                level=LEVEL,
            )
        )
    return tuple(scores)


def paired_difference(
    first: tuple[Kind, Ids],
    second: tuple[Kind, Ids],
    truth: Ids,
    n_classes: int,
    seed: int,
) -> tuple[PairedDifference, ...]:
    """For every metric, `first` minus `second` on the same rows, with a 95 % interval.

    Both are resampled with the same rows: Efron & Tibshirani 1993, ch. 8.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    first_cell = truth * n_classes + first[1]
    second_cell = truth * n_classes + second[1]
    joint, counts = np.unique(np.stack([first_cell, second_cell]), axis=1, return_counts=True)
    drawn: dict[Metric, list[npt.NDArray[np.float64]]] = {metric: [] for metric in METRICS}
    for chunk in _draws(counts, len(truth), n_classes**2, rng):
        by_model = [
            _summed(chunk, cells, n_classes).reshape(-1, n_classes, n_classes) for cells in joint
        ]
        for metric in METRICS:
            a, b = (scores_of_counts(metric, one) for one in by_model)
            drawn[metric].append(a - b)
    differences = []
    for metric in METRICS:
        draws = np.concatenate(drawn[metric])
        low, high = _limits(draws)
        differences.append(
            PairedDifference(
                first=first[0],
                second=second[0],
                metric=metric,
                mean=score(metric, truth, first[1]) - score(metric, truth, second[1]),
                low=low,
                high=high,
                regret_of_first=float(np.maximum(0, -draws).mean()),
                regret_of_second=float(np.maximum(0, draws).mean()),
                n_rows=len(truth),
                level=LEVEL,
            )
        )
    return tuple(differences)


def _summed(
    chunk: npt.NDArray[np.int64], cells: npt.NDArray[np.int64], n_classes: int
) -> npt.NDArray[np.int64]:
    """Counts by joint cell [draws, joint] summed to counts by one model's cell [draws, cells]."""
    import numpy as np

    sums = np.zeros((len(chunk), n_classes**2), dtype=np.int64)
    for cell in np.unique(cells):
        sums[:, cell] = chunk[:, cells == cell].sum(axis=1)
    return sums
