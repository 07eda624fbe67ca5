"""Every metric against the reference implementation, and weights against repeated rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    matthews_corrcoef,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from zenml_ftvr.tasks import Answers, ClassAnswers, score
from zenml_ftvr.tasks.answers import (
    LanguageAnswers,
    NumberAnswers,
    SetAnswers,
    TagAnswers,
)
from zenml_ftvr.values import Metric

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def _classes(n_classes: int, seed: int, n: int = 200) -> ClassAnswers:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n)
    # Halves, so that scores tie, and differences of two are exact.
    scores = np.round(2 * (rng.normal(size=(n, n_classes)) + np.eye(n_classes)[truth])) / 2
    return ClassAnswers(truth, scores)


def _tags(seed: int, n: int = 60) -> TagAnswers:
    rng = np.random.default_rng(seed)
    truth = [rng.choice(TAGS, rng.integers(1, 9)).tolist() for _ in range(n)]
    said = [[tag if rng.random() < 0.7 else str(rng.choice(TAGS)) for tag in row] for row in truth]
    return TagAnswers(truth, said)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_scores_of_classes_are_those_of_scikit_learn(n_classes: int) -> None:
    one = _classes(n_classes, n_classes)
    pair = one.truth, one.predicted
    assert score(one, "accuracy") == pytest.approx(accuracy_score(*pair))
    assert score(one, "macro_f1") == pytest.approx(f1_score(*pair, average="macro"))
    assert score(one, "mcc") == pytest.approx(matthews_corrcoef(*pair))
    areas = [roc_auc_score(one.truth == place, one.scores[:, place]) for place in range(n_classes)]
    if n_classes == 2:
        areas = [roc_auc_score(one.truth, one.scores[:, 1] - one.scores[:, 0])]
    assert score(one, "roc_auc") == pytest.approx(np.mean(areas))


def test_scores_of_sets_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, (150, 4))
    one = SetAnswers(truth, truth + rng.normal(size=(150, 4)) - 0.5)
    pair = truth, one.predicted
    assert score(one, "micro_f1") == pytest.approx(f1_score(*pair, average="micro"))
    assert score(one, "macro_f1") == pytest.approx(f1_score(*pair, average="macro"))
    assert score(one, "subset_accuracy") == pytest.approx(accuracy_score(*pair))
    assert score(one, "roc_auc") == pytest.approx(roc_auc_score(truth, one.scores))


def test_scores_of_numbers_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(1e4, 3, 90)
    one = NumberAnswers(truth, truth + rng.normal(size=90))
    assert score(one, "r2") == pytest.approx(r2_score(truth, one.predicted))
    assert score(one, "rmse") == pytest.approx(root_mean_squared_error(truth, one.predicted))


def test_scores_of_tags_are_those_of_seqeval() -> None:
    from seqeval.metrics import accuracy_score as tag_accuracy
    from seqeval.metrics import f1_score as entity_f1

    one = _tags(5)
    assert score(one, "entity_f1") == pytest.approx(entity_f1(one.truth, one.predicted))
    assert score(one, "token_accuracy") == pytest.approx(tag_accuracy(one.truth, one.predicted))


def test_scores_of_language_follow_from_the_sums() -> None:
    one = LanguageAnswers(
        negative_log_likelihood=np.array([4.0, 2.0]),
        n_tokens=np.array([4.0, 1.0]),
        n_bytes=np.array([10.0, 2.0]),
        n_hits=np.array([3.0, 0.0]),
    )
    assert score(one, "bits_per_byte") == pytest.approx(6 / np.log(2) / 12)
    assert score(one, "perplexity") == pytest.approx(np.exp(6 / 5))
    assert score(one, "token_accuracy") == pytest.approx(3 / 5)


def _repeated(one: Any, places: np.ndarray) -> Any:
    """The same answers with rows as often as they are named."""
    import dataclasses

    kept = {
        field.name: (
            value[places]
            if isinstance(value := getattr(one, field.name), np.ndarray)
            else [value[place] for place in places]
        )
        for field in dataclasses.fields(one)
    }
    return type(one)(**kept)


def _all_kinds() -> list[tuple[Answers, Metric]]:
    rng = np.random.default_rng(6)
    sets = rng.integers(0, 2, (40, 3))
    numbers = rng.normal(size=40)
    language = LanguageAnswers(*(rng.uniform(1, 9, 40) for _ in range(4)))
    return [
        *((_classes(2, 1, 40), metric) for metric in ("accuracy", "macro_f1", "mcc", "roc_auc")),
        *((_classes(4, 2, 40), metric) for metric in ("accuracy", "macro_f1", "mcc", "roc_auc")),
        *(
            (SetAnswers(sets, sets + rng.normal(size=sets.shape)), metric)
            for metric in ("micro_f1", "macro_f1", "subset_accuracy", "roc_auc")
        ),
        *((NumberAnswers(numbers, numbers + 0.3), metric) for metric in ("r2", "rmse")),
        *((language, metric) for metric in ("bits_per_byte", "perplexity", "token_accuracy")),
        *((_tags(8, 40), metric) for metric in ("entity_f1", "token_accuracy")),
    ]  # type: ignore[list-item]


@given(seed=st.integers(0, 2**32 - 1))
def test_a_weight_counts_as_that_many_rows(seed: int) -> None:
    places = np.random.default_rng(seed).integers(0, 40, 40)
    weights = np.bincount(places, minlength=40).astype(float)
    for answers, metric in _all_kinds():
        (drawn,) = answers.values(metric, weights[None])
        assert drawn == pytest.approx(score(_repeated(answers, places), metric), abs=1e-9), metric


def test_a_draw_without_one_of_two_classes_has_no_area_and_says_chance() -> None:
    one = ClassAnswers(np.array([0, 0, 1]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0]]))
    assert one.values("roc_auc", np.array([[2.0, 1.0, 0.0]])).tolist() == [0.5]
