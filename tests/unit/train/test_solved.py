"""The approaches that are solved: word counts, and a head on given features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zenml_ftvr.data import Dataset
from zenml_ftvr.train import LinearHead, choose_head_c, count_params, fit_baseline, fit_head
from zenml_ftvr.train.solved import HEAD_CS

Features = npt.NDArray[np.float32]


@pytest.fixture
def blobs() -> Callable[..., tuple[Features, list[int]]]:
    """Features [rows, 6] around a centre for each class, on scales that differ."""

    def make(n_classes: int, n_rows: int = 120) -> tuple[Features, list[int]]:
        rng = np.random.default_rng(0)
        truth = np.arange(n_rows) % n_classes
        centres = rng.normal(size=(n_classes, 6))
        points = centres[truth] + rng.normal(size=(n_rows, 6))
        return (points * [1, 10, 0.1, 1, 1, 100] + 5).astype(np.float32), truth.tolist()

    return make


def softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_a_head_is_scikit_learns_regression_on_scaled_features(
    n_classes: int, blobs: Callable[..., tuple[Features, list[int]]]
) -> None:
    features, truth = blobs(n_classes)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1_000))
    theirs.fit(features, truth)
    head = fit_head(features, truth, n_classes, 0.1, 0)
    assert head.weight.shape == (n_classes, 6)
    assert head.weight.dtype == head.bias.dtype == np.float32
    assert softmax(head.logits(features)) == pytest.approx(theirs.predict_proba(features), abs=1e-3)


def test_a_class_without_a_training_row_is_never_answered(
    blobs: Callable[..., tuple[Features, list[int]]],
) -> None:
    features, truth = blobs(3)
    rows = [index for index, label in enumerate(truth) if label != 1]
    head = fit_head(features[rows], [truth[index] for index in rows], 3, 0.1, 0)
    answers = head.logits(features).argmax(axis=1)
    assert set(answers) == {0, 2}
    assert softmax(head.logits(features))[:, 1].max() == 0


def test_a_feature_that_never_changes_does_no_harm(
    blobs: Callable[..., tuple[Features, list[int]]],
) -> None:
    features, truth = blobs(2)
    features[:, 0] = 3.0
    head = fit_head(features, truth, 2, 0.1, 0)
    assert np.isfinite(head.weight).all()
    assert head.weight[:, 0] == pytest.approx(0)
    assert (head.logits(features).argmax(axis=1) == truth).mean() > 0.8


def test_logits_are_a_product_and_a_bias() -> None:
    head = LinearHead(
        np.array([[1, 0], [0, 2]], dtype=np.float32), np.array([0.5, -1], dtype=np.float32)
    )
    assert head.logits(np.array([[3, 4]], dtype=np.float32)).tolist() == [[3.5, 7.0]]


def test_noise_is_regularised_most_and_signal_least() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(300, 60)).astype(np.float32)
    truth = rng.integers(0, 2, 300)
    alone = [str(row) for row in range(300)]
    told = np.column_stack([noise[:, :5], truth]).astype(np.float32)
    assert choose_head_c(noise, truth.tolist(), alone, 0) <= 0.01
    assert choose_head_c(told, truth.tolist(), alone, 0) == max(HEAD_CS)


def test_equal_texts_do_not_vouch_for_each_other() -> None:
    rng = np.random.default_rng(2)
    once = rng.normal(size=(60, 40)).astype(np.float32)
    labels = rng.integers(0, 2, 60)  # nothing to learn, but each row is there five times
    features, truth = np.repeat(once, 5, axis=0), np.repeat(labels, 5).tolist()
    apart = [str(row) for row in range(300)]
    together = [str(row // 5) for row in range(300)]
    assert choose_head_c(features, truth, apart, 0) > min(HEAD_CS)
    assert choose_head_c(features, truth, together, 0) == min(HEAD_CS)


def test_word_counts_tell_pairs_of_words_and_marks_apart() -> None:
    texts = ["not bad good", "not good bad", "fine ?", "fine !"] * 4
    pipeline = fit_baseline(texts, [0, 1, 2, 3] * 4, 0)
    assert pipeline.predict(texts[:4]).tolist() == [0, 1, 2, 3]
    words = set(pipeline[0].vocabulary_)
    assert {"not bad", "not good", "?", "!"} <= words


def test_a_baselines_parameters_are_a_weight_for_each_word_and_class(dataset: Dataset) -> None:
    pipeline = fit_baseline(dataset.train.texts, dataset.label_ids(dataset.train), 0)
    n_words = len(pipeline[0].vocabulary_)
    assert count_params(pipeline) == 3 * (n_words + 1)
    two = fit_baseline(["a b", "c d"] * 4, [0, 1] * 4, 0)
    assert count_params(two) == len(two[0].vocabulary_) + 1  # one regression tells two apart


def test_what_is_solved_is_solved_again_to_the_bit(
    dataset: Dataset, blobs: Callable[..., tuple[Features, list[int]]]
) -> None:
    label_ids = dataset.label_ids(dataset.train)
    first, again = (fit_baseline(dataset.train.texts, label_ids, 0) for _ in range(2))
    for one, other in zip(first[-1].estimators_, again[-1].estimators_, strict=True):
        assert np.array_equal(one.coef_, other.coef_)
    features, truth = blobs(3)
    heads = [fit_head(features, truth, 3, 0.1, 0) for _ in range(2)]
    assert np.array_equal(heads[0].weight, heads[1].weight)
    assert np.array_equal(heads[0].bias, heads[1].bias)
