"""The approaches that are solved: word counts, and a head on given features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zenml_ftvr.data import Rows
from zenml_ftvr.tasks.text_classification import TextWork
from zenml_ftvr.train import LinearHead, choose_strength, fit_head
from zenml_ftvr.train.solved import HEAD_CS, RIDGE_CS, choose_c, fit_classes
from zenml_ftvr.values import TextClassification

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
    head = fit_classes(features, truth, n_classes, 0.1, 0)
    assert head.weight.shape == (n_classes, 6)
    assert head.weight.dtype == head.bias.dtype == np.float32
    assert softmax(head.logits(features)) == pytest.approx(theirs.predict_proba(features), abs=1e-3)


def test_a_class_without_a_training_row_is_never_answered(
    blobs: Callable[..., tuple[Features, list[int]]],
) -> None:
    features, truth = blobs(3)
    rows = [index for index, label in enumerate(truth) if label != 1]
    head = fit_classes(features[rows], [truth[index] for index in rows], 3, 0.1, 0)
    answers = head.logits(features).argmax(axis=1)
    assert set(answers) == {0, 2}
    assert softmax(head.logits(features))[:, 1].max() == 0


def test_a_feature_that_never_changes_does_no_harm(
    blobs: Callable[..., tuple[Features, list[int]]],
) -> None:
    features, truth = blobs(2)
    features[:, 0] = 3.0
    head = fit_classes(features, truth, 2, 0.1, 0)
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
    assert choose_c(noise, truth.tolist(), alone, 0) <= 0.01
    assert choose_c(told, truth.tolist(), alone, 0) == max(HEAD_CS)


def test_equal_texts_do_not_vouch_for_each_other() -> None:
    rng = np.random.default_rng(2)
    once = rng.normal(size=(60, 40)).astype(np.float32)
    labels = rng.integers(0, 2, 60)  # nothing to learn, but each row is there five times
    features, truth = np.repeat(once, 5, axis=0), np.repeat(labels, 5).tolist()
    apart = [str(row) for row in range(300)]
    together = [str(row // 5) for row in range(300)]
    assert choose_c(features, truth, apart, 0) > min(HEAD_CS)
    assert choose_c(features, truth, together, 0) == min(HEAD_CS)


def test_what_is_solved_is_solved_again_to_the_bit(
    blobs: Callable[..., tuple[Features, list[int]]],
) -> None:
    features, truth = blobs(3)
    heads = [fit_classes(features, truth, 3, 0.1, 0) for _ in range(2)]
    assert np.array_equal(heads[0].weight, heads[1].weight)
    assert np.array_equal(heads[0].bias, heads[1].bias)


def _rows(targets: pa.Array) -> Rows:
    ids = [str(row) for row in range(len(targets))]
    return Rows(pa.table({"row_id": ids, "text": ids, "label": targets}))


def test_each_label_of_a_set_has_odds_of_its_own() -> None:
    rng = np.random.default_rng(5)
    features = rng.normal(size=(200, 4)).astype(np.float32)
    has = [["up"] * int(row[0] > 0) + ["warm"] * int(row[1] > 0) for row in features]
    work = TextWork(task=TextClassification(target="multi"), labels=("never", "up", "warm"))
    rows = _rows(pa.array(has, pa.list_(pa.string())))
    head = fit_head(work, features, rows, choose_strength(work, features, rows, 0), 0)
    odds = head.logits(features)
    assert ((odds[:, 1] > 0) == (features[:, 0] > 0)).mean() > 0.95
    assert ((odds[:, 2] > 0) == (features[:, 1] > 0)).mean() > 0.95
    assert odds[:, 0].max() < -1e8  # no row taught it


def test_numbers_are_a_ridge_regression_in_their_own_units() -> None:
    rng = np.random.default_rng(6)
    features = rng.normal(5, 3, size=(300, 4)).astype(np.float32)
    numbers = 1_000 + 20 * features[:, 0] - 7 * features[:, 3]
    work = TextWork(task=TextClassification(target="regression"), labels=())
    rows = _rows(pa.array(numbers.astype(float)))
    head = fit_head(work, features, rows, choose_strength(work, features, rows, 0), 0)
    assert head.logits(features)[:, 0] == pytest.approx(numbers, abs=1)


@pytest.mark.parametrize("signal", [0.0, 1.0])
def test_noise_shrinks_a_ridge_regression_more_than_signal(signal: float) -> None:
    rng = np.random.default_rng(7)
    features = rng.normal(size=(120, 60)).astype(np.float32)
    numbers = signal * 10 * features[:, 0] + rng.normal(size=120)
    work = TextWork(task=TextClassification(target="regression"), labels=())
    c = choose_strength(work, features, _rows(pa.array(numbers.astype(float))), 0)
    assert c == min(RIDGE_CS) if signal == 0 else c > min(RIDGE_CS)
