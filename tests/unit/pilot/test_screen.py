"""Out-of-fold scores of the cheap arms: honest, paired, and of the training split alone."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zenml_ftvr.data import Dataset, Rows
from zenml_ftvr.models import ResolvedModel, resolve
from zenml_ftvr.pilot import screen
from zenml_ftvr.values import KINDS, ModelSource, ScreeningEvidence, TextClassification

TASK = TextClassification(max_length=32)


@pytest.fixture(scope="module")
def base(bert_folder: Path) -> ResolvedModel:
    return resolve(ModelSource(name=str(bert_folder)))


def accuracy(evidence: ScreeningEvidence, kind: str) -> float:
    measured = evidence.measured_for(kind)  # type: ignore[arg-type]
    assert measured is not None
    return measured.score("accuracy").value


def test_both_cheap_arms_are_scored_on_every_training_row(
    dataset: Dataset, base: ResolvedModel
) -> None:
    evidence = screen(dataset, base, KINDS, TASK, "cpu", 0)
    assert [one.kind for one in evidence.measured] == ["baseline", "head"]
    for one in evidence.measured:
        assert one.folds == 5
        assert [score.metric for score in one.scores] == ["accuracy", "macro_f1", "mcc", "roc_auc"]
        for score in one.scores:
            assert score.n_rows == len(dataset.train) == 152
            assert 0.6 < score.low <= score.value <= score.high
    counts = [dataset.train.labels.count(label) for label in dataset.labels]
    assert evidence.majority_share == pytest.approx(max(counts) / 152)
    assert evidence.seconds >= sum(one.seconds for one in evidence.measured) > 0


def test_the_difference_is_head_minus_baseline_on_the_same_rows(
    dataset: Dataset, base: ResolvedModel
) -> None:
    evidence = screen(dataset, base, KINDS, TASK, "cpu", 0)
    difference = evidence.difference("accuracy")
    assert difference is not None
    assert (difference.first, difference.second) == ("head", "baseline")
    expected = accuracy(evidence, "head") - accuracy(evidence, "baseline")
    assert difference.mean == pytest.approx(expected)
    assert difference.n_rows == 152


def test_only_what_is_offered_is_scored(dataset: Dataset, base: ResolvedModel) -> None:
    alone = screen(dataset, base, ["head", "full"], TASK, "cpu", 0)
    assert [one.kind for one in alone.measured] == ["head"]
    assert alone.differences == ()
    assert screen(dataset, base, ["full"], TASK, "cpu", 0).measured == ()
    without = screen(dataset, None, KINDS, TASK, "cpu", 0)
    assert [one.kind for one in without.measured] == ["baseline"]


def test_the_same_seed_scores_the_same(dataset: Dataset, base: ResolvedModel) -> None:
    first, again = (screen(dataset, base, KINDS, TASK, "cpu", 3) for _ in range(2))
    assert [one.scores for one in first.measured] == [one.scores for one in again.measured]
    assert first.differences == again.differences


def test_labels_by_chance_score_at_chance(
    make_texts: Callable[..., tuple[list[str], list[str]]],
    split: Callable[..., Dataset],
    base: ResolvedModel,
) -> None:
    texts, labels = make_texts(360)
    random.Random(0).shuffle(labels)
    evidence = screen(split(texts, labels), base, KINDS, TASK, "cpu", 0)
    for kind in ("baseline", "head"):
        # A third of some 215 rows; three standard deviations are a tenth.
        assert accuracy(evidence, kind) == pytest.approx(1 / 3, abs=0.1)


def test_rows_of_equal_text_are_in_one_fold(
    split: Callable[..., Dataset], base: ResolvedModel
) -> None:
    # Texts without a common word, each four times with a label by chance: whoever saw one of the
    # four knows the rest, whoever saw none knows nothing.
    rng = random.Random(0)
    letters = "abcdefghijklmnopqrst"
    texts = [f"{first * 3}{last * 3}" for first in letters for last in letters[:10]]
    labels = [rng.choice("ab") for _ in texts]
    rows = split([*texts, *(text.upper() for text in texts), *texts, *texts], labels * 4)
    assert rows.n_duplicates == 600
    evidence = screen(rows, base, KINDS, TASK, "cpu", 0)
    assert accuracy(evidence, "baseline") < 0.65
    assert accuracy(evidence, "head") < 0.65


def test_a_rare_class_means_fewer_folds(
    make_texts: Callable[..., tuple[list[str], list[str]]], split: Callable[..., Dataset]
) -> None:
    texts, labels = make_texts(200)
    rare = [f"pawn quark {number}" for number in range(5)]
    rows = split([*texts, *rare], [*labels, *["rare"] * 5])
    n_rare = rows.train.labels.count("rare")
    assert n_rare == 3
    told: list[tuple[str, int, int]] = []

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        told.append((what, done, total))

    evidence = screen(rows, None, ["baseline"], TASK, "cpu", 0, progress)
    assert evidence.measured[0].folds == n_rare
    assert told == [("cross-validating baseline", done, n_rare) for done in range(n_rare + 1)]


def test_every_row_is_answered_by_a_model_that_did_not_see_it(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[set[str]] = []
    asked: list[str] = []

    class Recording:
        def __init__(self, rows: Rows) -> None:
            self.seen = set(rows.texts)
            fits.append(self.seen)

        def outputs(self, rows: Rows) -> np.ndarray:
            assert not self.seen & set(rows.texts)
            asked.extend(rows.texts)
            return np.eye(3)[np.zeros(len(rows), dtype=np.int64)]

    module = importlib.import_module("zenml_ftvr.pilot.folds")  # the name is the function's
    monkeypatch.setattr(module, "fit_baseline", lambda work, rows, seed: Recording(rows))
    evidence = screen(dataset, None, ["baseline"], TASK, "cpu", 0)
    assert len(fits) == 5
    assert sorted(asked) == sorted(dataset.train.texts)
    zeros = dataset.train.labels.count(dataset.labels[0])
    assert accuracy(evidence, "baseline") == pytest.approx(zeros / 152)
