"""Is one of two models on the same rows really better? Tests, corrected for their number."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zenml_ftvr.evaluate.intervals import drawn_values, limits
from zenml_ftvr.tasks import Answers, ClassAnswers, score
from zenml_ftvr.values import Kind, Metric, ModelTest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.evaluate.groups import Groups

__all__ = ["bootstrap_p_value", "compare_pairs", "holm", "mcnemar_exact", "mcnemar_mid_p"]


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided p-value of McNemar's exact test: of the rows that one of two models alone answered
    right, is either's share other than one half? McNemar 1947; never too small, often too large."""
    from scipy.stats import binomtest

    n = only_first + only_second
    return 1.0 if n == 0 else float(binomtest(only_first, n, 0.5).pvalue)


def mcnemar_mid_p(only_first: int, only_second: int) -> float:
    """The same with half the probability of what was seen: its size is near what it claims, where
    the exact test is timid. Fagerland, Lydersen & Laake 2013, BMC Med. Res. Methodol. 13:91."""
    from scipy.stats import binom

    n = only_first + only_second
    if n == 0 or only_first == only_second:
        return 1.0
    return mcnemar_exact(only_first, only_second) - float(binom.pmf(only_first, n, 0.5))


def bootstrap_p_value(draws: npt.NDArray[np.float64]) -> float:
    """Two-sided p-value of no difference, from draws of a difference.

    Twice the smaller share on either side of zero, zero itself counted on both: where the
    percentile interval of that level would end at zero (Efron & Tibshirani 1993, ch. 15). One is
    added to each count, so that no p-value is 0 (Davison & Hinkley 1997, 4.2).
    """
    n = len(draws)
    below, above = int((draws <= 0).sum()), int((draws >= 0).sum())
    return min(1.0, 2 * (min(below, above) + 1) / (n + 1))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values corrected for their number, in the same order: Holm 1979, Scand. J. Stat. 6."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = largest
    return tuple(corrected)


def compare_pairs(
    answers: Sequence[tuple[Kind, Answers]],
    metric: Metric,
    seed: int,
    groups: Groups | None = None,
) -> tuple[ModelTest, ...]:
    """Every two models by `metric`, and where a row has one of several classes by accuracy too."""
    metrics: list[Metric] = [metric]
    if all(isinstance(one, ClassAnswers) for _, one in answers) and metric != "accuracy":
        metrics.append("accuracy")
    drawn = drawn_values([one for _, one in answers], metrics, seed, groups)
    tests = []
    for first, second in itertools.combinations(range(len(answers)), 2):
        for by in metrics:
            draws = drawn[first][by] - drawn[second][by]
            tests.append(_test(answers[first], answers[second], by, draws, groups))
    corrected = holm([one.p_value for one in tests])
    return tuple(
        dataclasses.replace(one, p_corrected=p, n_comparisons=len(tests))
        for one, p in zip(tests, corrected, strict=True)
    )


def _test(
    first: tuple[Kind, Answers],
    second: tuple[Kind, Answers],
    metric: Metric,
    draws: npt.NDArray[np.float64],
    groups: Groups | None,
) -> ModelTest:
    """One test, not yet corrected."""
    low, high = limits(draws)
    p_value = bootstrap_p_value(draws)
    test = ModelTest(
        first=first[0],
        second=second[0],
        metric=metric,
        test="paired bootstrap",
        difference=score(first[1], metric) - score(second[1], metric),
        low=low,
        high=high,
        p_value=p_value,
        p_corrected=p_value,
        n_comparisons=1,
        n_rows=first[1].n_rows,
    )
    if metric != "accuracy" or groups is not None:  # McNemar's needs rows that are independent
        return test
    only_first, only_second = _right_alone(first[1], second[1])
    return dataclasses.replace(
        test,
        test="McNemar, mid-p",
        p_value=mcnemar_mid_p(only_first, only_second),
        only_first_right=only_first,
        only_second_right=only_second,
    )


def _right_alone(first: Answers, second: Answers) -> tuple[int, int]:
    """Rows that the first alone, and the second alone, answered right."""
    if not (isinstance(first, ClassAnswers) and isinstance(second, ClassAnswers)):
        raise TypeError("McNemar's test is of rows that are right or wrong")
    right, other = first.predicted == first.truth, second.predicted == second.truth
    return int((right & ~other).sum()), int((other & ~right).sum())
