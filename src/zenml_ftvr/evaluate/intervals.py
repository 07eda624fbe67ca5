"""Scores with intervals, and differences of two models on the same rows, by the bootstrap.

Rows that belong together are drawn together: which they are, `Groups` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from zenml_ftvr.tasks import Answers, score
from zenml_ftvr.values import LOWER_IS_BETTER, Kind, Metric, PairedDifference, Score

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.evaluate.groups import Groups

    Floats = npt.NDArray[np.float64]

__all__ = [
    "LEVEL",
    "drawn_values",
    "draws_of_rows",
    "limits",
    "paired_difference",
    "scores_with_intervals",
]

DRAWS = 2_000  # Efron & Tibshirani 1993, ch. 13: at least 1,000 for percentile limits
LEVEL = 0.95
CHUNK_CELLS = 4_000_000  # weights held at once: 32 MB of 64-bit numbers


def draws_of_rows(n_rows: int, seed: int, groups: Groups | None = None) -> Iterator[Floats]:
    """How often each row counts when as many groups are drawn with replacement as there are.

    [draws, rows], in chunks that fit memory; each row is a group of its own where none are given.
    Field & Welsh 2007, J. R. Stat. Soc. B 69: whole clusters are drawn, not rows within them.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    n_units = n_rows if groups is None else groups.n
    chunk = max(1, CHUNK_CELLS // n_rows)
    for start in range(0, DRAWS, chunk):
        n_draws = min(chunk, DRAWS - start)
        drawn = rng.integers(0, n_units, size=(n_draws, n_units))
        cells = drawn + n_units * np.arange(n_draws)[:, None]
        counts = np.bincount(cells.ravel(), minlength=n_draws * n_units)
        weights = counts.reshape(n_draws, n_units).astype(np.float64)
        yield weights if groups is None else weights[:, groups.of_row]


def drawn_values(
    answers: Sequence[Answers], metrics: Sequence[Metric], seed: int, groups: Groups | None = None
) -> list[dict[Metric, Floats]]:
    """Every metric of every model in each draw, [draws]; all on the same draws of rows."""
    import numpy as np

    drawn: list[dict[Metric, list[Floats]]] = [{by: [] for by in metrics} for _ in answers]
    for weights in draws_of_rows(answers[0].n_rows, seed, groups):
        for one, parts in zip(answers, drawn, strict=True):
            for metric in metrics:
                parts[metric].append(one.values(metric, weights))
    return [{metric: np.concatenate(found) for metric, found in parts.items()} for parts in drawn]


def limits(draws: Floats) -> tuple[float, float]:
    """Between which the middle 95 % of the draws lie."""
    import numpy as np

    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def scores_with_intervals(
    answers: Answers, metrics: Sequence[Metric], seed: int, groups: Groups | None = None
) -> tuple[Score, ...]:
    """Every metric of `answers` with a 95 % interval.

    Percentile bootstrap over rows, or groups of rows: Efron & Tibshirani 1993, ch. 13.
    """
    (drawn,) = drawn_values([answers], metrics, seed, groups)
    unit = "rows" if groups is None else groups.called
    scores = []
    for metric in metrics:
        low, high = limits(drawn[metric])
        value = score(answers, metric)
        scores.append(
            Score(
                metric=metric,
                value=value,
                low=min(low, value),
                high=max(high, value),
                n_rows=answers.n_rows,
                level=LEVEL,
                method=f"bootstrap over {unit}, percentile",
            )
        )
    return tuple(scores)


def paired_difference(
    first: tuple[Kind, Answers],
    second: tuple[Kind, Answers],
    metrics: Sequence[Metric],
    seed: int,
    groups: Groups | None = None,
) -> tuple[PairedDifference, ...]:
    """For every metric, `first` minus `second` on the same rows, with a 95 % interval.

    Both are resampled with the same rows: Efron & Tibshirani 1993, ch. 8. Regret is in the
    direction of the metric: what a choice loses where the other is better.
    """
    import numpy as np

    one, other = drawn_values([first[1], second[1]], metrics, seed, groups)
    differences = []
    for metric in metrics:
        draws = one[metric] - other[metric]
        low, high = limits(draws)
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
