"""The arithmetic by which replayed decisions and forecasts are scored."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, which is no part of the package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("decision_scores")


def rows(text: str) -> Any:
    """Rows answered rightly (1) and wrongly (0)."""
    return np.array([one == "1" for one in text])


def test_bits_come_back_as_they_were_packed(scores: Any) -> None:
    right = rows("10110011101")
    assert scores.right_of(np.packbits(right).tobytes().hex(), 11).tolist() == right.tolist()


def test_bits_of_another_number_of_rows_are_refused(scores: Any) -> None:
    with pytest.raises(SystemExit, match="not those of 17 rows"):
        scores.right_of("ffff", 17)


def test_the_best_arm_is_scored_on_the_rows_that_it_was_not_picked_on(scores: Any) -> None:
    # `even` answers the rows at even places, `odd` the others: each is picked where it is lucky.
    arms = {"even": rows("10101010"), "odd": rows("01010101")}
    assert scores.best_by_halves(arms) == 0.0


def test_equal_arms_have_no_regret(scores: Any) -> None:
    arms = {"one": rows("11010110"), "other": rows("11010110")}
    assert scores.regret(arms, "one") == 0.0


def test_regret_is_what_the_best_arm_scores_more(scores: Any) -> None:
    arms = {"good": rows("11111110"), "poor": rows("11110000")}
    assert scores.regret(arms, "poor") == pytest.approx(0.875 - 0.5)
    assert scores.regret(arms, "good") == 0.0


@given(seed=st.integers(0, 10_000))
def test_of_arms_that_differ_by_luck_the_regret_is_nothing_on_average(seed: int) -> None:
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        scores = importlib.import_module("decision_scores")
    arms = {name: rng.random(4_000) < 0.7 for name in ("a", "b", "c")}
    naive = max(right.mean() for right in arms.values()) - arms["a"].mean()
    assert naive >= 0  # as the best of three by luck always is
    # A half of 2,000 rows has a standard error of .01, and so a difference of at most .02 mostly.
    assert abs(scores.regret(arms, "a")) < 0.06


def test_a_dear_arm_is_acceptable_only_where_no_cheap_one_is_as_good(scores: Any) -> None:
    by_arm = {"cheap": 0.899, "dear": 0.90, "poor": 0.80}
    costs = {"cheap": 1.0, "dear": 2.5, "poor": 0.5}
    assert scores.acceptable(by_arm, costs, "cheap", 0.005)
    assert not scores.acceptable(by_arm, costs, "dear", 0.005)
    assert scores.acceptable(by_arm, costs, "dear", 0.0005)
    assert not scores.acceptable(by_arm, costs, "poor", 0.005)


def test_an_interval_pays_for_its_width_and_for_what_it_misses_by(scores: Any) -> None:
    assert scores.interval_score(0.6, 0.7, 0.65, 0.8) == pytest.approx(0.1)
    assert scores.interval_score(0.6, 0.7, 0.75, 0.8) == pytest.approx(0.1 + 10 * 0.05)
    assert scores.interval_score(0.6, 0.7, 0.55, 0.8) == pytest.approx(0.1 + 10 * 0.05)


@given(level=st.floats(0.5, 0.95), wider=st.floats(0.05, 0.4))
def test_the_honest_interval_scores_best(level: float, wider: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        scores = importlib.import_module("decision_scores")
    outcomes = (np.arange(2_000) + 0.5) / 2_000  # uniform
    low, high = (1 - level) / 2, (1 + level) / 2
    off = min(wider, low)

    def mean(by: float) -> float:
        found = [scores.interval_score(low - by, high + by, one, level) for one in outcomes]
        return float(np.mean(found))

    assert mean(0.0) <= mean(off) + 1e-6
    assert mean(0.0) <= mean(-off / 2) + 1e-6


def test_a_data_set_counts_once_however_often_it_was_asked(scores: Any) -> None:
    assert scores.mean_of_means({"a": [1.0] * 9, "b": [0.0]}) == 0.5


def test_the_limit_lies_between_the_mean_and_the_worst_data_set(scores: Any) -> None:
    values = {"a": [0.0, 0.2], "b": [0.3], "c": [0.1], "d": [0.8]}
    limit = scores.upper_limit(values, 0.9, 0)
    assert scores.mean_of_means(values) < limit < 0.8
    assert limit == scores.upper_limit(values, 0.9, 0)


def test_of_one_data_set_the_limit_is_its_mean(scores: Any) -> None:
    assert scores.upper_limit({"a": [0.1, 0.3]}, 0.9, 0) == pytest.approx(0.2)
