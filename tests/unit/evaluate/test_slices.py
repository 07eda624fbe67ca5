"""Parts of the test rows: which are formed, and which are found worse."""

from __future__ import annotations

import numpy as np
import pytest

from zenml_ftvr.evaluate.slices import (
    LEAST_ROWS,
    MISSING,
    MOST_VALUES,
    length_slices,
    score_slices,
    value_slices,
)
from zenml_ftvr.tasks import ClassAnswers
from zenml_ftvr.tasks.answers import NumberAnswers
from zenml_ftvr.tasks.text_answers import TextAnswers


def _right(share: np.ndarray, rng: np.random.Generator) -> ClassAnswers:
    """Rows that are each answered right with their own probability."""
    truth = np.zeros(len(share), dtype=np.int64)
    return ClassAnswers(truth, np.eye(2)[(rng.random(len(share)) >= share).astype(int)])


def test_lengths_make_four_parts_that_hold_every_row_once() -> None:
    texts = ["x" * length for length in range(1, 101)]
    found = length_slices(texts)
    assert [one.value for one in found] == [
        "1 to 25 characters",
        "26 to 50 characters",
        "51 to 75 characters",
        "76 to 100 characters",
    ]
    assert (sum(one.inside.astype(int) for one in found) == 1).all()


def test_rows_that_are_all_alike_make_no_parts() -> None:
    assert length_slices(["abc"] * 50) == ()
    assert length_slices([b"an image"] * 50) == ()


def test_a_column_is_cut_by_its_most_frequent_values() -> None:
    values = [f"v{place % 15}" for place in range(150)] + [None] * 40
    found = value_slices({"shop": values})
    assert len(found) == MOST_VALUES
    assert (found[0].column, found[0].value, int(found[0].inside.sum())) == ("shop", MISSING, 40)


def test_a_column_of_many_numbers_is_cut_into_quarters() -> None:
    found = value_slices({"age": [str(age) for age in range(20, 100)]})
    assert [one.value for one in found] == ["20 to 39", "40 to 59", "60 to 79", "80 to 99"]


def test_a_column_of_few_numbers_keeps_its_values() -> None:
    found = value_slices({"stars": [place % 5 + 1 for place in range(100)]})
    assert sorted(one.value for one in found) == ["1", "2", "3", "4", "5"]


def test_the_part_that_is_answered_worse_is_found_and_comes_first() -> None:
    rng = np.random.default_rng(0)
    country = np.array([("de", "fr", "it", "es")[place % 4] for place in range(800)])
    answers = _right(np.where(country == "it", 0.6, 0.9), rng)
    scores = score_slices(answers, value_slices({"country": country}), "accuracy", seed=0)
    assert [one.value for one in scores if one.is_worse] == ["it"]
    worst = scores[0]
    inside = country == "it"
    right = answers.predicted == answers.truth
    assert worst.score.value == pytest.approx(right[inside].mean())
    assert worst.rest == pytest.approx(right[~inside].mean())
    assert worst.score.low < worst.score.value < worst.score.high < worst.rest
    assert worst.n_rows == 200
    assert worst.n_comparisons == 4
    better = [one for one in scores if one.is_significant and not one.is_worse]
    assert all(one.score.value > one.rest for one in better)


def test_where_less_is_better_more_is_worse() -> None:
    rng = np.random.default_rng(1)
    shop = np.array(["a", "b"] * 200)
    truth = rng.normal(size=400)
    answers = NumberAnswers(truth, truth + rng.normal(size=400) * np.where(shop == "a", 2.0, 0.5))
    scores = score_slices(answers, value_slices({"shop": shop}), "rmse", seed=0)
    assert [one.value for one in scores if one.is_worse] == ["a"]


def test_the_interval_of_a_part_is_the_binomial_one() -> None:
    rng = np.random.default_rng(2)
    part = np.array(["in", "out"] * 300)
    answers = _right(np.full(600, 0.8), rng)
    (one, _) = score_slices(answers, value_slices({"part": part}), "accuracy", seed=0)
    half = 1.96 * np.sqrt(one.score.value * (1 - one.score.value) / 300)
    assert one.score.high - one.score.value == pytest.approx(half, abs=0.008)
    assert one.score.value - one.score.low == pytest.approx(half, abs=0.008)


def test_parts_without_a_difference_are_rarely_called_worse() -> None:
    rng = np.random.default_rng(3)
    part = np.array([f"v{place % 5}" for place in range(200)])
    alarms = 0
    for draw in range(50):
        answers = _right(np.full(200, 0.8), rng)
        scores = score_slices(answers, value_slices({"part": part}), "accuracy", seed=draw)
        alarms += any(one.is_worse for one in scores)
    # At most 5 % by Holm's correction: 2.5 of 50, and thrice their standard deviation.
    assert alarms <= 7


def test_small_parts_are_left_out() -> None:
    part = ["rare"] * (LEAST_ROWS - 1) + ["frequent"] * 100
    answers = _right(np.full(len(part), 0.5), np.random.default_rng(0))
    assert score_slices(answers, value_slices({"part": part}), "accuracy", seed=0) == ()


def test_written_texts_can_be_cut_too() -> None:
    truth = ["the cat sat on the mat", "a dog ran far away"] * 30
    written = ["the cat sat on the mat", "nothing of the kind"] * 30
    scores = score_slices(
        TextAnswers(truth, written), value_slices({"pet": ["cat", "dog"] * 30}), "chrf", seed=0
    )
    assert [(one.value, one.is_worse) for one in scores] == [("dog", True), ("cat", False)]
