"""Calibration against scikit-learn, and temperatures that are known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from zenml_ftvr.evaluate.reliability import (
    N_BINS,
    check_probabilities,
    fitted_temperature,
    reliability,
    softmax,
)
from zenml_ftvr.tasks import ClassAnswers


def _calibrated(n_rows: int, seed: int, n_classes: int = 3) -> ClassAnswers:
    """Labels drawn by the very probabilities that the logits mean."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n_rows, n_classes))
    cumulative = softmax(logits).cumsum(1)
    truth = (rng.random((n_rows, 1)) > cumulative).sum(1).clip(max=n_classes - 1)
    return ClassAnswers(truth, logits)


def test_bins_are_those_of_scikit_learn() -> None:
    answers = _calibrated(2_000, seed=1)
    confidence = softmax(answers.scores).max(1)
    right = answers.predicted == answers.truth
    shares, means = calibration_curve(right, confidence, n_bins=N_BINS, strategy="uniform")
    found = [one for one in reliability(answers, 1.0, seed=0).bins if one.n_rows]
    assert [one.share_right for one in found] == pytest.approx(shares)
    assert [one.mean_confidence for one in found] == pytest.approx(means)
    assert sum(one.n_rows for one in found) == 2_000


def test_the_error_is_the_mean_gap_of_the_bins() -> None:
    found = reliability(_calibrated(500, seed=2), 1.0, seed=0)
    gaps = [
        one.n_rows * abs(one.share_right - one.mean_confidence) for one in found.bins if one.n_rows
    ]
    assert found.ece == pytest.approx(sum(gaps) / 500)


def test_log_loss_is_that_of_scikit_learn() -> None:
    answers = _calibrated(300, seed=3)
    for temperature in (1.0, 2.5):
        expected = log_loss(answers.truth, softmax(answers.scores, temperature), labels=[0, 1, 2])
        assert reliability(answers, temperature, seed=0).log_loss == pytest.approx(expected)


def test_a_calibrated_model_is_as_far_off_as_its_bias_says() -> None:
    errors, biases = [], []
    for seed in range(30):
        found = reliability(_calibrated(200, seed), 1.0, seed)
        errors.append(found.ece)
        biases.append(found.ece_if_calibrated)
    assert np.mean(errors) == pytest.approx(np.mean(biases), rel=0.15)
    assert np.mean(biases) > 0.03  # 200 rows in 15 bins: far from none, though nothing is wrong


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_spoilt_probabilities_is_found(temperature: float) -> None:
    answers = _calibrated(6_000, seed=4)
    spoilt = ClassAnswers(answers.truth, answers.scores * temperature)
    assert fitted_temperature(spoilt) == pytest.approx(temperature, rel=0.08)


def test_an_overconfident_model_is_repaired_and_answers_the_same() -> None:
    test, tuning = (
        ClassAnswers(one.truth, one.scores * 4)
        for one in (_calibrated(900, 5), _calibrated(400, 6))
    )
    checked = check_probabilities(test, tuning, seed=0)
    assert checked.temperature == pytest.approx(4.0, rel=0.2)
    assert checked.n_fitted == 400
    assert checked.scaled is not None
    assert checked.scaled.ece < checked.as_trained.ece / 3
    assert checked.scaled.log_loss < checked.as_trained.log_loss
    assert checked.as_trained.ece > 2 * checked.as_trained.ece_if_calibrated
    shares = [
        sum((one.share_right or 0) * one.n_rows for one in found.bins)
        for found in (checked.as_trained, checked.scaled)
    ]
    assert shares[0] == pytest.approx(shares[1])  # no answer has changed


def test_no_temperature_is_fitted_on_a_handful_of_rows() -> None:
    checked = check_probabilities(_calibrated(100, 7), _calibrated(19, 8), seed=0)
    assert (checked.temperature, checked.scaled, checked.n_fitted) == (None, None, 0)
