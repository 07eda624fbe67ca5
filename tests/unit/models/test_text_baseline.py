"""Word counts and a linear model, for labels, sets of labels and numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from zenml_ftvr.data import Dataset, Rows
from zenml_ftvr.models import fit_baseline
from zenml_ftvr.models.baselines import load_baseline
from zenml_ftvr.models.baselines.text import fit_text_baseline
from zenml_ftvr.tasks import score, work_for
from zenml_ftvr.tasks.text_classification import TextWork
from zenml_ftvr.values import TextClassification


def _rows(texts: list[str], targets: Any) -> Rows:
    return Rows(pa.table({"row_id": texts, "text": texts, "label": targets}))


def _labels(*labels: str) -> TextWork:
    return TextWork(task=TextClassification(), labels=labels)


def test_word_counts_tell_pairs_of_words_and_marks_apart() -> None:
    texts = ["not bad good", "not good bad", "fine ?", "fine !"] * 4
    rows = _rows(texts, ["a", "b", "c", "d"] * 4)
    fitted = fit_text_baseline(_labels("a", "b", "c", "d"), rows, 0)
    assert fitted.outputs(rows)[:4].argmax(axis=1).tolist() == [0, 1, 2, 3]
    words = set(fitted.pipeline[0].vocabulary_)
    assert {"not bad", "not good", "?", "!"} <= words


def test_a_baselines_parameters_are_a_weight_for_each_word_and_class(dataset: Dataset) -> None:
    fitted = fit_text_baseline(work_for(TextClassification(), dataset), dataset.train, 0)
    n_words = len(fitted.pipeline[0].vocabulary_)
    assert fitted.n_params == 3 * (n_words + 1)
    two = fit_text_baseline(_labels("a", "b"), _rows(["a b", "c d"] * 4, ["a", "b"] * 4), 0)
    # One regression tells two apart.
    assert two.n_params == len(two.pipeline[0].vocabulary_) + 1


def test_equal_rows_give_equal_weights_to_the_bit(dataset: Dataset) -> None:
    work = work_for(TextClassification(), dataset)
    first, again = (fit_text_baseline(work, dataset.train, 0) for _ in range(2))
    for one, other in zip(
        first.pipeline[-1].estimators_, again.pipeline[-1].estimators_, strict=True
    ):
        assert np.array_equal(one.coef_, other.coef_)


def _many(target: str) -> tuple[TextWork, Rows]:
    rng = np.random.default_rng(0)
    words = ["red", "green", "blue"]
    texts, sets = [], []
    for _ in range(120):
        chosen = [word for word in words if rng.random() < 0.5]
        noise = rng.choice(["of", "the", "and", "in", "on"], 4).tolist()
        texts.append(" ".join(rng.permutation([*chosen, *noise]).tolist()))
        sets.append(chosen)
    if target == "multi":
        task = TextClassification(target="multi")
        labels = pa.array(sets, pa.list_(pa.string()))
        return TextWork(task=task, labels=tuple(sorted(words))), _rows(texts, labels)
    numbers = pa.array([100.0 + 10 * ("red" in one) - 5 * ("blue" in one) for one in sets])
    task = TextClassification(target="regression")
    return TextWork(task=task, labels=()), _rows(texts, numbers)


@pytest.mark.parametrize(
    ("target", "metric", "least"), [("multi", "micro_f1", 0.95), ("regression", "r2", 0.8)]
)
def test_sets_and_numbers_are_learnt_and_come_back_from_a_folder(
    target: str, metric: Any, least: float, tmp_path: Path
) -> None:
    work, rows = _many(target)
    fitted = fit_baseline(work, rows, 0)
    outputs = fitted.outputs(rows)
    assert score(work.answers(outputs, rows), metric) > least
    fitted.save(tmp_path)
    again = load_baseline(work, tmp_path)
    assert np.array_equal(again.outputs(rows), outputs)
    assert again.n_params == fitted.n_params > 10
