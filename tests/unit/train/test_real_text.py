"""The embedded model on real text: the built-in docstrings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from zenml_ftvr.api import plan_for
from zenml_ftvr.data import Dataset, make_dataset, read_corpus
from zenml_ftvr.evaluate import evaluate_models
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    Approach,
    DataSource,
    Evaluation,
    Full,
    Hardware,
    Head,
    Ledger,
    Lora,
    ModelSource,
    TextClassification,
)


@pytest.fixture(scope="module")
def docstrings() -> Callable[..., Dataset]:
    """The first rows of the corpus, of its largest classes only."""

    def make(n_rows: int, n_classes: int) -> Dataset:
        texts, labels = read_corpus("docstrings", 0)
        largest = {label for label, _ in Counter(labels).most_common(n_classes)}
        kept = [pair for pair in zip(texts, labels, strict=True) if pair[1] in largest][:n_rows]
        source = DataSource(name="docstrings")
        return make_dataset(source, [text for text, _ in kept], [label for _, label in kept])

    return make


@pytest.fixture
def evaluated(hardware: Hardware, tmp_path: Path) -> Callable[[Approach, Dataset], Evaluation]:
    """An approach on MiniLM, trained by its defaults or its own knobs, on the test rows."""

    def run(approach: Approach, dataset: Dataset) -> Evaluation:
        task = TextClassification(max_length=64)
        plan = plan_for(dataset, approach, ModelSource(), task, 0)
        model = run_plan(plan, dataset, tmp_path / "model", hardware)
        return evaluate_models(
            [model],
            dataset,
            spent=Ledger(),
            predicted_seconds=[None],
            seed=0,
            on_rows=lambda kind, done, total: None,
        )

    return run


def test_a_head_on_minilm_beats_the_majority_by_far(
    docstrings: Callable[..., Dataset], evaluated: Callable[..., Evaluation]
) -> None:
    dataset = docstrings(850, 10)
    assert len(dataset.train) > 550
    evaluation = evaluated(Head(), dataset)
    accuracy = evaluation.models[0].score("accuracy")
    assert accuracy.value > evaluation.majority_accuracy + 0.3
    assert accuracy.low > evaluation.majority_accuracy + 0.2


@pytest.mark.slow
@pytest.mark.parametrize(
    "approach",
    [Full(epochs=3, learning_rate=1e-4), Lora(epochs=4, learning_rate=1e-3, rank=8)],
    ids=lambda one: one.kind,
)
def test_fine_tuning_minilm_beats_the_majority_by_far(
    approach: Approach, docstrings: Callable[..., Dataset], evaluated: Callable[..., Evaluation]
) -> None:
    evaluation = evaluated(approach, docstrings(480, 4))
    accuracy = evaluation.models[0].score("accuracy")
    assert accuracy.value > evaluation.majority_accuracy + 0.3
