"""Two approaches rather than two models: seeds are drawn again as well as rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zenml_ftvr.evaluate.intervals import LEVEL, drawn_values
from zenml_ftvr.evaluate.significance import holm
from zenml_ftvr.tasks import Answers, score
from zenml_ftvr.values import LOWER_IS_BETTER, ApproachDifference, Kind, Metric, Score

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.evaluate.groups import Groups

    Floats = npt.NDArray[np.float64]

__all__ = ["ApproachScores", "approach_scores", "compare_approaches", "scores_over_seeds"]

SEED_DRAWS_SEED = 1  # added to the rows' seed, so that seeds and rows are drawn independently
SIGNED: frozenset[Metric] = frozenset({"r2", "mcc"})
"""Metrics that can be below 0."""


@dataclass(frozen=True, slots=True)
class ApproachScores:
    """One metric of every model of an approach: as it is, and in each draw of rows."""

    kind: Kind
    metric: Metric
    values: Floats
    """[seeds]."""
    drawn: Floats
    """[seeds, draws]; equal draws of rows for every approach of one comparison."""
    n_rows: int
    n_groups: int

    @property
    def mean(self) -> float:
        return float(self.values.mean())


def approach_scores(
    kind: Kind,
    models: Sequence[Answers],
    metrics: Sequence[Metric],
    seed: int,
    groups: Groups | None = None,
) -> dict[Metric, ApproachScores]:
    """Every metric of the answers of one approach's models, one a seed, on the same rows."""
    import numpy as np

    drawn = [drawn_values(one, metrics, seed, groups) for one in models]
    n_rows = models[0].n_rows
    return {
        metric: ApproachScores(
            kind=kind,
            metric=metric,
            values=np.asarray([score(one, metric) for one in models]),
            drawn=np.stack([one[metric] for one in drawn]),
            n_rows=n_rows,
            n_groups=n_rows if groups is None else groups.n,
        )
        for metric in metrics
    }


def _means_of_drawn_seeds(scores: ApproachScores, rng: np.random.Generator) -> Floats:
    """The mean over seeds in each draw, seeds drawn again too, [draws].

    One seed fewer is drawn than there are: as many would vary too little, by the share of one seed
    (Rao & Wu 1988, J. Am. Stat. Assoc. 83). A single seed is always drawn.
    """
    import numpy as np

    n_seeds, n_draws = scores.drawn.shape
    chosen = rng.integers(0, n_seeds, size=(max(1, n_seeds - 1), n_draws))
    means: Floats = np.take_along_axis(scores.drawn, chosen, axis=0).mean(0)
    return means


def _degrees_of_freedom(*approaches: ApproachScores) -> float:
    """Of the standard error that both draws make together: Welch 1947 and Satterthwaite 1946.

    Rows and the seeds of each approach are sources of variance, each with its own number of units.
    """
    import numpy as np

    means = [one.drawn.mean(0) for one in approaches]
    by_rows = means[0] if len(means) == 1 else means[0] - means[1]
    parts = [(float(np.var(by_rows)), approaches[0].n_groups - 1)]
    for one in approaches:
        n_seeds = len(one.values)
        if n_seeds > 1:
            parts.append((float(np.var(one.values, ddof=1)) / n_seeds, n_seeds - 1))
    total = sum(variance for variance, _ in parts)
    below = sum(variance**2 / units for variance, units in parts if units > 0)
    return total**2 / below if below > 0 else math.inf


def _half_width(error: float, degrees: float) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, degrees)) * error


def scores_over_seeds(scores: Mapping[Metric, ApproachScores], seed: int) -> tuple[Score, ...]:
    """Means over seeds with 95 % intervals, for another training and other rows."""
    import numpy as np

    found = []
    for metric, one in scores.items():
        rng = np.random.default_rng(seed + SEED_DRAWS_SEED)
        error = float(_means_of_drawn_seeds(one, rng).std())
        half = _half_width(error, _degrees_of_freedom(one))
        best = math.inf if metric in LOWER_IS_BETTER else 1.0
        worst = -math.inf if metric in SIGNED else 0.0
        found.append(
            Score(
                metric=metric,
                value=one.mean,
                low=max(worst, one.mean - half),
                high=min(best, one.mean + half),
                n_rows=one.n_rows,
                level=LEVEL,
                method=f"bootstrap over {len(one.values)} seeds and rows, Student's t",
            )
        )
    return tuple(found)


def _difference(first: ApproachScores, second: ApproachScores, seed: int) -> ApproachDifference:
    """One comparison, not yet corrected."""
    import numpy as np
    from scipy.stats import t

    rng = np.random.default_rng(seed + SEED_DRAWS_SEED)
    draws = _means_of_drawn_seeds(first, rng) - _means_of_drawn_seeds(second, rng)
    error, degrees = float(draws.std()), _degrees_of_freedom(first, second)
    mean = first.mean - second.mean
    half = _half_width(error, degrees)
    if error > 0:
        p_value = float(2 * t.sf(abs(mean) / error, degrees))
    else:  # every draw is the same
        p_value = 1.0 if mean == 0 else 0.0
    return ApproachDifference(
        first=first.kind,
        second=second.kind,
        metric=first.metric,
        mean=mean,
        low=mean - half,
        high=mean + half,
        p_value=p_value,
        p_corrected=p_value,
        n_comparisons=1,
        n_seeds=min(len(first.values), len(second.values)),
        n_rows=first.n_rows,
        level=LEVEL,
    )


def compare_approaches(
    pairs: Sequence[tuple[ApproachScores, ApproachScores]], seed: int
) -> tuple[ApproachDifference, ...]:
    """Each first minus its second, with p-values corrected for the number of pairs.

    The standard error is that of drawing seeds and rows again; few seeds make it uncertain, for
    which Student's t with Satterthwaite's degrees of freedom widens the interval. The scores of a
    pair have to be of the same draws of rows.
    """
    differences = [_difference(first, second, seed) for first, second in pairs]
    corrected = holm([one.p_value for one in differences])
    return tuple(
        dataclasses.replace(one, p_corrected=p, n_comparisons=len(differences))
        for one, p in zip(differences, corrected, strict=True)
    )
