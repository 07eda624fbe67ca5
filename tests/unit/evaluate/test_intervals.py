"""Scores against scikit-learn, intervals against theory."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from zenml_ftvr.evaluate import paired_difference, scores_with_intervals
from zenml_ftvr.tasks import ClassAnswers, score
from zenml_ftvr.tasks.answers import NumberAnswers
from zenml_ftvr.values import Metric, PairedDifference

METRICS: tuple[Metric, ...] = ("accuracy", "macro_f1", "mcc", "roc_auc")


def _said(truth: np.ndarray, predicted: np.ndarray, n_classes: int = 5) -> ClassAnswers:
    """Answers that leave no doubt."""
    return ClassAnswers(truth, np.eye(n_classes)[predicted])


def _difference(
    truth: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[PairedDifference, ...]:
    pair = ("head", _said(truth, first)), ("baseline", _said(truth, second))
    return paired_difference(*pair, METRICS, seed=0)


@pytest.fixture
def answers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    truth = rng.choice(5, size=400, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    good = np.where(rng.random(400) < 0.8, truth, rng.integers(0, 5, 400))
    poor = np.where(rng.random(400) < 0.5, truth, rng.integers(0, 5, 400))
    return truth, good, poor


def test_scores_equal_scikit_learn(answers: tuple[np.ndarray, ...]) -> None:
    truth, good, _ = answers
    said = _said(truth, good)
    assert score(said, "accuracy") == pytest.approx(accuracy_score(truth, good))
    assert score(said, "macro_f1") == pytest.approx(f1_score(truth, good, average="macro"))
    assert score(said, "mcc") == pytest.approx(matthews_corrcoef(truth, good))


def test_macro_f1_counts_a_class_that_is_only_predicted() -> None:
    truth, predicted = np.array([0, 0, 1]), np.array([0, 2, 1])
    expected = f1_score(truth, predicted, average="macro", zero_division=0)
    assert score(_said(truth, predicted, 3), "macro_f1") == pytest.approx(expected)


def test_the_interval_of_accuracy_is_the_binomial_one(answers: tuple[np.ndarray, ...]) -> None:
    truth, good, _ = answers
    accuracy = scores_with_intervals(_said(truth, good), METRICS, seed=0)[0]
    half = 1.96 * np.sqrt(accuracy.value * (1 - accuracy.value) / len(truth))
    assert accuracy.low == pytest.approx(accuracy.value - half, abs=0.006)
    assert accuracy.high == pytest.approx(accuracy.value + half, abs=0.006)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for draw in range(200):
        truth = np.zeros(300, dtype=np.int64)
        predicted = (rng.random(300) < 0.3).astype(np.int64)  # wrong three times in ten
        accuracy = scores_with_intervals(_said(truth, predicted, 2), ("accuracy",), seed=draw)[0]
        covered += accuracy.low <= 0.7 <= accuracy.high
    assert 180 <= covered <= 199  # 95 % of 200 is 190; five standard deviations are 15


def test_a_clear_difference_is_significant_and_its_regret_one_sided(
    answers: tuple[np.ndarray, ...],
) -> None:
    truth, good, poor = answers
    accuracy = _difference(truth, good, poor)[0]
    assert accuracy.mean == pytest.approx(accuracy_score(truth, good) - accuracy_score(truth, poor))
    assert accuracy.is_significant
    assert accuracy.regret_of_first == pytest.approx(0, abs=1e-6)
    assert accuracy.regret_of_second == pytest.approx(accuracy.mean, abs=0.01)


def test_equal_answers_differ_by_nothing(answers: tuple[np.ndarray, ...]) -> None:
    truth, good, _ = answers
    for difference in _difference(truth, good, good):
        assert (difference.mean, difference.low, difference.high) == (0, 0, 0)
        assert not difference.is_significant


def test_pairing_makes_the_interval_narrower_than_independent_resampling(
    answers: tuple[np.ndarray, ...],
) -> None:
    truth, good, _ = answers
    nearly = good.copy()
    nearly[:5] = (truth[:5] + 1) % 5
    difference = _difference(truth, good, nearly)[0]
    alone = scores_with_intervals(_said(truth, good), METRICS, seed=0)[0]
    assert difference.high - difference.low < (alone.high - alone.low) / 2


def test_where_less_is_better_regret_is_the_other_way_round() -> None:
    truth = np.arange(50.0)
    near, far = NumberAnswers(truth, truth + 1), NumberAnswers(truth, truth - 3)
    (rmse,) = paired_difference(("head", near), ("baseline", far), ("rmse",), seed=0)
    assert rmse.mean == pytest.approx(-2)
    assert rmse.regret_of_first == 0
    assert rmse.regret_of_second == pytest.approx(2)
