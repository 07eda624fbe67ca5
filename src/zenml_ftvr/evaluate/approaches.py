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

    drawn = drawn_values(models, metrics, seed, groups)
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


@dataclass(frozen=True, slots=True)
class _Error:
    """A standard error, and how many degrees of freedom it has."""

    value: float
    degrees: float

    @property
    def half_width(self) -> float:
        """Of a 95 % interval, by Student's t."""
        from scipy.stats import t

        return float(t.ppf((1 + LEVEL) / 2, self.degrees)) * self.value


def _variance_of_seeds(scores: ApproachScores) -> float:
    """Of the mean over seeds, by seeds alone: what drawing them again adds to drawing rows again.

    Scores of seeds differ by training, and because each model has its own luck with these rows; the
    second is in the draws of rows already. Drawing both and adding up counts it twice (Owen 2007,
    Ann. Appl. Stat. 1, "The pigeonhole bootstrap"), so it is estimated from how much less the mean
    of all models varies over rows than each of them does, and taken off. 0 of a single seed.
    """
    import numpy as np

    n_seeds = len(scores.values)
    if n_seeds == 1:
        return 0.0
    of_each = float(np.var(scores.drawn, axis=1).mean())
    of_mean = float(np.var(scores.drawn.mean(0)))
    own_luck = max(0.0, of_each - of_mean) / (1 - 1 / n_seeds)
    return max(0.0, float(np.var(scores.values, ddof=1)) - own_luck) / n_seeds


def _error_of(*approaches: ApproachScores) -> _Error:
    """Of one approach's mean, or of the difference of two, over seeds and rows drawn again.

    Degrees of freedom are Satterthwaite's (1946, Biometrics Bull. 2): rows and the seeds of each
    approach are sources of variance, each with its own number of units.
    """
    import numpy as np

    means = [one.drawn.mean(0) for one in approaches]
    by_rows = means[0] if len(means) == 1 else means[0] - means[1]
    parts = [(float(np.var(by_rows)), approaches[0].n_groups - 1)]
    parts += [(_variance_of_seeds(one), len(one.values) - 1) for one in approaches]
    total = sum(variance for variance, _ in parts)
    below = sum(variance**2 / units for variance, units in parts if units > 0)
    return _Error(math.sqrt(total), total**2 / below if below > 0 else math.inf)


def scores_over_seeds(scores: Mapping[Metric, ApproachScores]) -> tuple[Score, ...]:
    """Means over seeds with 95 % intervals, for another training and other rows."""
    found = []
    for metric, one in scores.items():
        half = _error_of(one).half_width
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
                method=f"rows and {len(one.values)} seeds drawn again, Student's t",
            )
        )
    return tuple(found)


def _difference(first: ApproachScores, second: ApproachScores) -> ApproachDifference:
    """One comparison, not yet corrected."""
    from scipy.stats import t

    error = _error_of(first, second)
    mean = first.mean - second.mean
    half = error.half_width
    if error.value > 0:
        p_value = float(2 * t.sf(abs(mean) / error.value, error.degrees))
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
    pairs: Sequence[tuple[ApproachScores, ApproachScores]],
) -> tuple[ApproachDifference, ...]:
    """Each first minus its second, with p-values corrected for the number of pairs.

    The standard error is that of drawing rows and seeds again: rows by the bootstrap, all models of
    both approaches on the same draws; what seeds add, in closed form. Few seeds make it uncertain,
    for which Student's t widens the interval.
    """
    differences = [_difference(first, second) for first, second in pairs]
    corrected = holm([one.p_value for one in differences])
    return tuple(
        dataclasses.replace(one, p_corrected=p, n_comparisons=len(differences))
        for one, p in zip(differences, corrected, strict=True)
    )
