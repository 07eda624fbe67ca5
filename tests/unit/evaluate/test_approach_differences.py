"""Approaches rather than models: seeds are a source of chance too."""

from __future__ import annotations

import numpy as np
import pytest

from zenml_ftvr.evaluate.approaches import (
    ApproachScores,
    approach_scores,
    compare_approaches,
    scores_over_seeds,
)
from zenml_ftvr.tasks import ClassAnswers, score
from zenml_ftvr.values import Kind


def _models(truth: np.ndarray, skills: list[float], rng: np.random.Generator) -> list[ClassAnswers]:
    """A model of each skill: the share of rows that it answers right."""
    made = []
    for skill in skills:
        predicted = np.where(rng.random(len(truth)) < skill, truth, 1 - truth)
        made.append(ClassAnswers(truth, np.eye(2)[predicted]))
    return made


def _of(kind: Kind, models: list[ClassAnswers], seed: int = 0) -> ApproachScores:
    return approach_scores(kind, models, ["accuracy"], seed)["accuracy"]


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, 400)


def test_the_score_of_an_approach_is_the_mean_of_its_models(truth: np.ndarray) -> None:
    models = _models(truth, [0.7, 0.8, 0.9], np.random.default_rng(1))
    found = approach_scores("full", models, ["accuracy", "macro_f1"], seed=0)
    values = [score(one, "accuracy") for one in models]
    (accuracy, _) = scores_over_seeds(found)
    assert accuracy.value == pytest.approx(np.mean(values))
    assert accuracy.low < accuracy.value < accuracy.high <= 1
    assert "3 seeds" in accuracy.method


def test_seeds_that_differ_widen_the_interval(truth: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    alike = _of("full", _models(truth, [0.8] * 5, rng))
    apart = _of("full", _models(truth, [0.6, 0.7, 0.8, 0.9, 1.0], rng))
    widths = []
    for one in (alike, apart):
        (found,) = scores_over_seeds({"accuracy": one})
        widths.append(found.high - found.low)
    assert widths[1] > 2 * widths[0]


def test_one_lucky_seed_proves_nothing_about_an_approach(truth: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    lucky, other = _models(truth, [0.9, 0.7], rng)
    (found,) = compare_approaches([(_of("full", [lucky]), _of("lora", [other]))])
    assert found.p_corrected < 0.001  # of the two models there is no doubt
    assert found.n_seeds == 1
    assert not found.is_significant


def test_the_same_gap_is_significant_with_seeds_that_agree_and_not_with_those_that_do_not(
    truth: np.ndarray,
) -> None:
    rng = np.random.default_rng(4)
    steady = (
        _of("full", _models(truth, [0.9] * 5, rng)),
        _of("lora", _models(truth, [0.7] * 5, rng)),
    )
    shaky = (
        _of("full", _models(truth, [1.0, 1.0, 0.95, 0.95, 0.6], rng)),
        _of("lora", _models(truth, [0.95, 0.9, 0.6, 0.55, 0.5], rng)),
    )
    (sure,), (unsure,) = (compare_approaches([pair]) for pair in (steady, shaky))
    assert sure.is_significant
    assert (sure.n_seeds, sure.n_rows) == (5, 400)
    assert not unsure.is_significant
    assert unsure.low < 0 < unsure.high


def test_many_comparisons_are_corrected_together(truth: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    best = _of("full", _models(truth, [0.85] * 3, rng))
    others = [_of(kind, _models(truth, [0.8] * 3, rng)) for kind in ("lora", "head", "baseline")]
    found = compare_approaches([(best, other) for other in others])
    assert {one.n_comparisons for one in found} == {3}
    smallest = min(found, key=lambda one: one.p_value)
    assert smallest.p_corrected == pytest.approx(min(1.0, 3 * smallest.p_value))


def test_equal_answers_differ_by_nothing(truth: np.ndarray) -> None:
    models = _models(truth, [0.8, 0.8], np.random.default_rng(6))
    flat = [models[0], models[0]]
    (found,) = compare_approaches([(_of("full", flat), _of("lora", flat))])
    assert found.mean == 0
    assert found.p_value > 0.9
    assert found.low <= 0 <= found.high


def test_intervals_cover_what_new_seeds_and_new_rows_would_give() -> None:
    """A thousand draws, and other numbers of seeds, are in benchmarks/results/intervals.json."""
    rng = np.random.default_rng(7)
    covered, n_draws = 0, 60
    for draw in range(n_draws):
        truth = rng.integers(0, 2, 120)
        pair = []
        for mean in (0.85, 0.80):
            skills = np.clip(rng.normal(mean, 0.04, 3), 0, 1)
            pair.append(_of("full", _models(truth, list(skills), rng), seed=draw))
        (found,) = compare_approaches([(pair[0], pair[1])])
        covered += found.low <= 0.05 <= found.high
    assert covered >= 51, covered  # 95 % of 60 is 57; below it lie 3.5 standard deviations


def test_each_model_s_luck_with_the_rows_is_counted_once() -> None:
    # Equal skills: all that sets seeds apart is luck, which the draws of rows show already.
    rng = np.random.default_rng(8)
    widths = []
    for draw in range(20):
        truth = rng.integers(0, 2, 200)
        (found,) = scores_over_seeds(
            {"accuracy": _of("full", _models(truth, [0.8] * 5, rng), draw)}
        )
        widths.append(found.high - found.low)
    # The mean of five times 200 independent answers, plus what five seeds cannot rule out.
    expected = 2 * 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert np.median(widths) == pytest.approx(expected, rel=0.35)
