"""Scores with intervals, and differences of two models on the same rows, by the bootstrap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from zenml_ftvr.tasks import Answers, score
from zenml_ftvr.values import LOWER_IS_BETTER, Kind, Metric, PairedDifference, Score

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["paired_difference", "scores_with_intervals"]

DRAWS = 2_000  # Efron & Tibshirani 1993, ch. 13: at least 1,000 for percentile limits
LEVEL = 0.95
CHUNK_CELLS = 4_000_000  # weights held at once: 32 MB of 64-bit numbers


def _draws(n_rows: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each row is drawn, of as many draws with replacement as there are rows.

    [draws, rows], in chunks that fit memory.
    """
    import numpy as np

    chunk = max(1, CHUNK_CELLS // n_rows)
    for start in range(0, DRAWS, chunk):
        n_draws = min(chunk, DRAWS - start)
        drawn = rng.integers(0, n_rows, size=(n_draws, n_rows))
        cells = drawn + n_rows * np.arange(n_draws)[:, None]
        counts = np.bincount(cells.ravel(), minlength=n_draws * n_rows)
        yield counts.reshape(n_draws, n_rows).astype(np.float64)


def _limits(draws: Floats) -> tuple[float, float]:
    import numpy as np

    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def scores_with_intervals(
    answers: Answers, metrics: Sequence[Metric], seed: int
) -> tuple[Score, ...]:
    """Every metric of `answers` with a 95 % interval.

    Percentile bootstrap over rows: Efron & Tibshirani 1993, ch. 13.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    drawn: dict[Metric, list[Floats]] = {metric: [] for metric in metrics}
    for weights in _draws(answers.n_rows, rng):
        for metric in metrics:
            drawn[metric].append(answers.values(metric, weights))
    scores = []
    for metric in metrics:
        low, high = _limits(np.concatenate(drawn[metric]))
        value = score(answers, metric)
        scores.append(
            Score(
                metric=metric,
                value=value,
                low=min(low, value),
                high=max(high, value),
                n_rows=answers.n_rows,
                level=LEVEL,
            )
        )
    return tuple(scores)


def paired_difference(
    first: tuple[Kind, Answers],
    second: tuple[Kind, Answers],
    metrics: Sequence[Metric],
    seed: int,
) -> tuple[PairedDifference, ...]:
    """For every metric, `first` minus `second` on the same rows, with a 95 % interval.

    Both are resampled with the same rows: Efron & Tibshirani 1993, ch. 8. Regret is in the
    direction of the metric: what a choice loses where the other is better.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    drawn: dict[Metric, list[Floats]] = {metric: [] for metric in metrics}
    for weights in _draws(first[1].n_rows, rng):
        for metric in metrics:
            one, other = (answers.values(metric, weights) for _, answers in (first, second))
            drawn[metric].append(one - other)
    differences = []
    for metric in metrics:
        draws = np.concatenate(drawn[metric])
        low, high = _limits(draws)
        gains = -draws if metric in LOWER_IS_BETTER else draws
        differences.append(
            PairedDifference(
                first=first[0],
                second=second[0],
                metric=metric,
                mean=score(first[1], metric) - score(second[1], metric),
                low=low,
                high=high,
                regret_of_first=float(np.maximum(0, -gains).mean()),
                regret_of_second=float(np.maximum(0, gains).mean()),
                n_rows=first[1].n_rows,
                level=LEVEL,
            )
        )
    return tuple(differences)
