"""Trained models on the test rows, against scikit-learn's numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)

from zenml_ftvr.data import Dataset, Rows
from zenml_ftvr.errors import DataError
from zenml_ftvr.evaluate import evaluate_models
from zenml_ftvr.models import load
from zenml_ftvr.values import Evaluation, Kind, Ledger, LedgerEntry, TrainedModel

SPENT = Ledger(
    entries=(LedgerEntry(what="calibration", kind=None, seconds=30.0),), usd_per_hour=2.0
)


@pytest.fixture
def evaluate(
    trained: Callable[[Kind], TrainedModel], dataset: Dataset
) -> Callable[..., Evaluation]:
    """Evaluates the named kinds, the first as the choice."""

    def run(*kinds: Kind, on_rows: Callable[[str, int, int], None] | None = None) -> Evaluation:
        models = [trained(kind) for kind in kinds]
        return evaluate_models(
            models,
            dataset,
            spent=SPENT,
            predicted_seconds=[1.5, *[None] * (len(models) - 1)],
            seed=0,
            on_rows=on_rows or (lambda kind, done, total: None),
        )

    return run


def truth_and_answers(model: TrainedModel, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    answers = load(model.path).predict(dataset.test.texts)
    places = [dataset.labels.index(answer.label) for answer in answers]
    return np.array(dataset.label_ids(dataset.test)), np.array(places)


@pytest.mark.parametrize("kind", ["head", "lora"])
def test_scores_are_those_of_scikit_learn_on_the_test_rows(
    kind: Kind,
    evaluate: Callable[..., Evaluation],
    trained: Callable[[Kind], TrainedModel],
    dataset: Dataset,
) -> None:
    result = evaluate(kind).model(kind)
    truth, answers = truth_and_answers(trained(kind), dataset)
    assert (truth != answers).any()  # else every definition would agree
    assert result.score("accuracy").value == pytest.approx(accuracy_score(truth, answers))
    expected = f1_score(truth, answers, average="macro")
    assert result.score("macro_f1").value == pytest.approx(expected)
    assert np.array_equal(result.confusion, confusion_matrix(truth, answers))
    columns = precision_recall_fscore_support(truth, answers)
    for label, *numbers in zip(result.labels, *columns, strict=True):
        assert [label.precision, label.recall, label.f1, label.n_rows] == pytest.approx(numbers)
    assert tuple(label.label for label in result.labels) == dataset.labels


def test_an_evaluation_counts_its_rows_and_the_majoritys_share(
    evaluate: Callable[..., Evaluation], dataset: Dataset
) -> None:
    evaluation = evaluate("baseline")
    assert evaluation.n_test == len(dataset.test) == 49
    trained_on = dataset.train.labels
    most = max(dataset.labels, key=trained_on.count)
    share = dataset.test.labels.count(most) / 49
    assert evaluation.majority_accuracy == pytest.approx(share)
    result = evaluation.model("baseline")
    assert result.rows_per_second * result.seconds == pytest.approx(49)


def test_the_first_model_is_the_choice_and_all_are_compared_with_the_baseline(
    evaluate: Callable[..., Evaluation],
) -> None:
    evaluation = evaluate("lora", "baseline", "head")
    assert evaluation.choice == "lora"
    assert [model.kind for model in evaluation.models] == ["lora", "baseline", "head"]
    pairs = [(one.first, one.second, one.metric) for one in evaluation.differences]
    assert pairs == [
        (kind, "baseline", metric)
        for kind in ("lora", "head")
        for metric in ("accuracy", "macro_f1", "mcc", "roc_auc")
    ]
    first = evaluation.differences[0]
    scores = [evaluation.model(kind).score("accuracy").value for kind in ("lora", "baseline")]
    assert first.mean == pytest.approx(scores[0] - scores[1])


def test_without_a_baseline_nothing_is_compared(evaluate: Callable[..., Evaluation]) -> None:
    assert evaluate("head").differences == ()


def test_the_ledger_goes_on_with_an_entry_for_each_model(
    evaluate: Callable[..., Evaluation],
) -> None:
    ledger = evaluate("head", "baseline").ledger
    assert ledger.usd_per_hour == 2.0
    assert ledger.entries[0] == SPENT.entries[0]
    assert [(entry.what, entry.kind, entry.predicted_seconds) for entry in ledger.entries[1:]] == [
        ("evaluation", "head", 1.5),
        ("evaluation", "baseline", None),
        ("evaluation", None, None),
    ]
    assert all(entry.seconds > 0 for entry in ledger.entries)


def test_progress_names_the_model_and_reaches_the_end(
    evaluate: Callable[..., Evaluation],
) -> None:
    told: list[tuple[str, int, int]] = []
    evaluate("full", "baseline", on_rows=lambda *one: told.append(one))
    last = {kind: (done, total) for kind, done, total in told}
    assert list(last) == ["full", "baseline"]
    assert all(done == total > 0 for done, total in last.values())


def test_a_class_with_few_test_rows_keeps_its_own_line(
    trained: Callable[[Kind], TrainedModel], dataset: Dataset
) -> None:
    rows = [index for index, label in enumerate(dataset.test.labels) if label != "chess"]
    first = dataset.test.labels.index("chess")
    few = dataclasses.replace(dataset, test=Rows(dataset.test.table.take([first, *rows])))
    evaluation = evaluate_models(
        [trained("head")],
        few,
        spent=Ledger(),
        predicted_seconds=[None],
        seed=0,
        on_rows=lambda kind, done, total: None,
    )
    (chess,) = [one for one in evaluation.models[0].labels if one.label == "chess"]
    assert chess.n_rows == 1
    assert sum(evaluation.models[0].confusion[0]) == 1


def test_models_of_other_data_are_refused(
    trained: Callable[[Kind], TrainedModel],
    make_texts: Callable[..., tuple[list[str], list[str]]],
    split: Callable[..., Dataset],
) -> None:
    other = split(*make_texts(240, seed=5))
    with pytest.raises(DataError, match=rf"'head' was trained on data .*{other.fingerprint[:12]}"):
        evaluate_models(
            [trained("head")],
            other,
            spent=Ledger(),
            predicted_seconds=[None],
            seed=0,
            on_rows=lambda kind, done, total: None,
        )


def test_a_folder_with_other_labels_is_refused(
    trained: Callable[[Kind], TrainedModel], dataset: Dataset
) -> None:
    more = dataclasses.replace(dataset, labels=(*dataset.labels, "zen"))
    with pytest.raises(DataError, match="answers with the labels chess, cooking, sailing, but"):
        evaluate_models(
            [trained("baseline")],
            more,
            spent=Ledger(),
            predicted_seconds=[None],
            seed=0,
            on_rows=lambda kind, done, total: None,
        )
