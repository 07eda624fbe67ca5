"""p-values against scipy, against enumeration, and by how often they are wrong."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from zenml_ftvr.evaluate.groups import groups_of
from zenml_ftvr.evaluate.intervals import drawn_values, limits
from zenml_ftvr.evaluate.significance import (
    bootstrap_p_value,
    compare_pairs,
    holm,
    mcnemar_exact,
    mcnemar_mid_p,
)
from zenml_ftvr.tasks import ClassAnswers, score
from zenml_ftvr.tasks.answers import NumberAnswers


def _said(truth: np.ndarray, predicted: np.ndarray) -> ClassAnswers:
    return ClassAnswers(truth, np.eye(3)[predicted])


@pytest.mark.parametrize(("first", "second"), [(0, 0), (5, 5), (8, 2), (2, 8), (40, 21), (0, 7)])
def test_mcnemar_is_the_binomial_test_of_rows_that_one_alone_got_right(
    first: int, second: int
) -> None:
    n = first + second
    expected = stats.binomtest(first, n, 0.5).pvalue if n else 1.0
    assert mcnemar_exact(first, second) == pytest.approx(expected)
    both_ways = [stats.binom.pmf(k, n, 0.5) for k in range(n + 1)]
    seen = both_ways[first]
    rarer = sum(one for one in both_ways if one < seen * (1 - 1e-9))
    as_rare = sum(one for one in both_ways if abs(one - seen) <= seen * 1e-9)
    # Mid-p: what is rarer, and half of what is as rare; of a draw, everything.
    mid = 1.0 if first == second else rarer + as_rare / 2
    assert mcnemar_mid_p(first, second) == pytest.approx(mid)


def test_mid_p_is_below_the_exact_one_and_not_by_much() -> None:
    for first, second in itertools.product(range(12), repeat=2):
        if first != second:
            exact, mid = mcnemar_exact(first, second), mcnemar_mid_p(first, second)
            assert exact / 2 <= mid + 1e-12 < exact


def test_holm_multiplies_the_smallest_by_all_and_never_changes_the_order() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx((0.06, 0.03, 0.06))
    assert holm([0.9, 0.5]) == pytest.approx((1.0, 1.0))
    assert holm([]) == ()


def test_a_bootstrap_p_value_is_where_the_interval_ends_at_zero() -> None:
    draws = np.random.default_rng(0).normal(2.0, 1.0, 20_000)
    assert bootstrap_p_value(draws) == pytest.approx(2 * stats.norm.sf(2.0), abs=0.006)
    assert bootstrap_p_value(np.zeros(100)) == 1.0
    assert bootstrap_p_value(np.ones(1999)) == pytest.approx(2 / 2000)  # never 0


def test_percentile_limits_agree_with_scipy() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 300)
    answers = _said(truth, np.where(rng.random(300) < 0.75, truth, (truth + 1) % 3))
    right = (answers.predicted == truth).astype(float)
    theirs = stats.bootstrap(
        (right,), np.mean, n_resamples=4000, method="percentile", rng=rng, vectorized=True
    ).confidence_interval
    low, high = limits(drawn_values([answers], ["accuracy"], 0)[0]["accuracy"])
    assert low == pytest.approx(theirs.low, abs=0.006)
    assert high == pytest.approx(theirs.high, abs=0.006)


def test_paired_limits_of_a_ratio_agree_with_scipy() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(size=200)
    near, far = truth + rng.normal(size=200) * 0.5, truth + rng.normal(size=200) * 0.7

    def gain(truth: np.ndarray, near: np.ndarray, far: np.ndarray, axis: int) -> np.ndarray:
        errors = [np.sqrt(((truth - one) ** 2).mean(axis=axis)) for one in (near, far)]
        return errors[0] - errors[1]

    theirs = stats.bootstrap(
        (truth, near, far), gain, paired=True, n_resamples=4000, method="percentile", rng=rng
    ).confidence_interval
    models = [NumberAnswers(truth, one) for one in (near, far)]
    ours = [one["rmse"] for one in drawn_values(models, ["rmse"], 0)]
    assert limits(ours[0] - ours[1]) == pytest.approx((theirs.low, theirs.high), abs=0.01)


@pytest.fixture
def three() -> list[tuple[str, ClassAnswers]]:
    """Two models of like skill and one that is far behind, on 300 rows."""
    rng = np.random.default_rng(7)
    truth = rng.integers(0, 3, 300)

    def skilled(share: float) -> ClassAnswers:
        return _said(truth, np.where(rng.random(300) < share, truth, (truth + 1) % 3))

    return [("full", skilled(0.85)), ("head", skilled(0.84)), ("baseline", skilled(0.5))]


def test_every_two_models_are_tested_and_corrected_together(
    three: list[tuple[str, ClassAnswers]],
) -> None:
    tests = compare_pairs(three, "macro_f1", seed=0)
    named = [(one.first, one.second, one.metric, one.test) for one in tests]
    assert named == [
        (first, second, metric, test)
        for first, second in [("full", "head"), ("full", "baseline"), ("head", "baseline")]
        for metric, test in [("macro_f1", "paired bootstrap"), ("accuracy", "McNemar, mid-p")]
    ]
    assert {one.n_comparisons for one in tests} == {6}
    assert [one.p_corrected for one in tests] == list(holm([one.p_value for one in tests]))
    assert [one.is_significant for one in tests] == [False, False, True, True, True, True]
    for one in tests:
        assert one.low <= one.difference <= one.high


def test_mcnemar_counts_the_rows_that_one_alone_got_right(
    three: list[tuple[str, ClassAnswers]],
) -> None:
    (test,) = compare_pairs(three[:2], "accuracy", seed=0)
    right = [one.predicted == one.truth for _, one in three[:2]]
    assert test.only_first_right == int((right[0] & ~right[1]).sum())
    assert test.only_second_right == int((right[1] & ~right[0]).sum())
    assert test.p_value == mcnemar_mid_p(test.only_first_right, test.only_second_right)
    assert test.difference == pytest.approx(
        (test.only_first_right - test.only_second_right) / test.n_rows
    )


def test_rows_that_belong_together_are_no_independent_evidence(
    three: list[tuple[str, ClassAnswers]],
) -> None:
    # Thirty copies of ten rows say what ten rows say.
    few = [
        (kind, _said(np.repeat(one.truth[:10], 30), np.repeat(one.predicted[:10], 30)))
        for kind, one in three
    ]
    groups = groups_of([str(place) for place in np.repeat(np.arange(10), 30)], "texts")
    apart = compare_pairs(few, "accuracy", seed=0)
    together = compare_pairs(few, "accuracy", seed=0, groups=groups)
    for one, other in zip(apart, together, strict=True):
        assert other.test == "paired bootstrap"  # McNemar's test would take them as independent
        assert other.high - other.low > 2 * (one.high - one.low)
        assert one.difference == pytest.approx(other.difference)


def test_rows_of_their_own_are_no_groups() -> None:
    assert groups_of(["a", "b", "c"], "texts") is None
    groups = groups_of(["b", "a", "b"], "texts")
    assert groups is not None
    assert (groups.of_row.tolist(), groups.n) == ([1, 0, 1], 2)


def test_equal_models_are_told_apart_as_often_as_is_claimed() -> None:
    rng = np.random.default_rng(11)
    false_alarms = {"McNemar, mid-p": 0, "paired bootstrap": 0}
    for draw in range(400):
        truth = rng.integers(0, 3, 120)
        pair = [
            (kind, _said(truth, np.where(rng.random(120) < 0.7, truth, (truth + 1) % 3)))
            for kind in ("full", "head")
        ]
        for test in compare_pairs(pair, "macro_f1", seed=draw):
            false_alarms[test.test] += test.p_value < 0.05
    # 5 % of 400 is 20; three standard deviations are 13.
    assert all(7 <= count <= 33 for count in false_alarms.values()), false_alarms


def test_scores_do_not_depend_on_groups(three: list[tuple[str, ClassAnswers]]) -> None:
    groups = groups_of([str(place // 3) for place in range(300)], "thirds")
    (test, *_) = compare_pairs(three, "accuracy", seed=0, groups=groups)
    first, second = (score(one, "accuracy") for _, one in three[:2])
    assert test.difference == pytest.approx(first - second)
