"""Scores of classes, labels, tags and spans, and of numbers, against counts by hand and seqeval."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_language_models import language_dataset, language_rows

from zenml_ftvr.data import Dataset, dataset_from
from zenml_ftvr.evaluate.label_scores import label_scores
from zenml_ftvr.evaluate.mistakes import worst_mistakes
from zenml_ftvr.evaluate.number_errors import DRAWN, WORST, number_errors
from zenml_ftvr.tasks import ClassAnswers, NumberAnswers, SetAnswers, TagAnswers
from zenml_ftvr.values import DataSource, TextClassification, TokenClassification

TAGS = ("B-org", "B-person", "I-org", "I-person", "O")
TRUTH = [
    ["B-person", "I-person", "O", "B-org"],
    ["O", "B-org", "I-org", "B-person"],
    ["O", "O"],
]
SAID = [
    ["B-person", "O", "O", "B-org"],
    ["O", "B-org", "I-org", ""],  # the last word was not read
    ["B-person", "O"],
]


def test_spans_are_right_where_seqeval_says_so() -> None:
    from seqeval.metrics import classification_report

    found = label_scores(TagAnswers(TRUTH, SAID), TAGS)
    read = [[tag or "O" for tag in row] for row in SAID]
    expected = classification_report(TRUTH, read, output_dict=True, zero_division=0)
    for one in found.spans:
        theirs = expected[one.label]
        assert (one.precision, one.recall, one.f1) == pytest.approx(
            (theirs["precision"], theirs["recall"], theirs["f1-score"])
        )
        assert one.n_rows == theirs["support"]
    assert [one.label for one in found.spans] == ["org", "person"]


def test_words_are_counted_by_tag_and_those_without_one_are_in_no_column() -> None:
    found = label_scores(TagAnswers(TRUTH, SAID), TAGS)
    assert found.confusion == (
        (2, 0, 0, 0, 0),
        (0, 1, 0, 0, 0),
        (0, 0, 1, 0, 0),
        (0, 0, 0, 0, 1),
        (0, 1, 0, 0, 3),
    )
    by_tag = {one.label: one for one in found.labels}
    assert [by_tag[tag].n_rows for tag in TAGS] == [2, 2, 1, 1, 4]
    person = by_tag["B-person"]
    assert (person.precision, person.recall, person.f1) == (0.5, 0.5, 0.5)


def test_parts_of_speech_have_no_spans() -> None:
    found = label_scores(TagAnswers([["DET", "NOUN"]], [["DET", "DET"]]), ("DET", "NOUN"))
    assert found.spans == ()
    assert found.confusion == ((1, 0), (1, 0))


def test_labels_of_sets_are_counted_each_for_itself() -> None:
    truth = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 0]])
    scores = np.array([[2.0, -1, -1], [1, 1, -1], [-1, -1, -1], [1, 1, -1]])
    found = label_scores(SetAnswers(truth, scores), ("a", "b", "never"))
    assert [(one.precision, one.recall, one.f1, one.n_rows) for one in found.labels] == [
        (1.0, 1.0, 1.0, 3),
        (0.5, 0.5, 0.5, 2),
        (0.0, 0.0, 0.0, 0),
    ]
    assert (found.confusion, found.spans) == ((), ())


def test_classes_have_scores_and_confusions() -> None:
    answers = ClassAnswers(np.array([0, 0, 1]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
    found = label_scores(answers, ("a", "b"))
    assert found.confusion == ((1, 1), (0, 1))
    assert [one.n_rows for one in found.labels] == [2, 1]
    assert found.labels[0].recall == 0.5
    assert found.labels[1].precision == 0.5


def _numbered(n_rows: int) -> Dataset:
    rows = [{"text": f"row {place}", "label": float(place)} for place in range(n_rows)]
    source = DataSource(name="made", validation_fraction=0.1, test_fraction=0.5, fatal=())
    return dataset_from(rows, source, task=TextClassification(target="regression"))


def test_numbers_are_off_by_what_arithmetic_says() -> None:
    data = _numbered(60)
    truth = np.asarray(data.test.targets, dtype=np.float64)
    answered = truth + 1.0
    answered[3] = truth[3] - 40.0
    found = number_errors(NumberAnswers(truth, answered), data)
    assert found is not None
    n = len(truth)
    assert found.bias == pytest.approx((n - 1 - 40) / n)
    assert (found.median, found.largest) == (1.0, 40.0)
    mean = np.mean(data.train.targets)
    assert found.rmse_of_mean == pytest.approx(np.sqrt(np.mean((truth - mean) ** 2)))
    assert found.worst[0].text == data.test.inputs[3]
    assert found.worst[0].row_id == data.test.row_ids[3]
    assert (found.worst[0].truth, found.worst[0].answered) == (truth[3], answered[3])
    assert len(found.worst) == WORST
    assert sorted(found.pairs) == sorted(zip(truth.tolist(), answered.tolist(), strict=True))


def test_of_many_rows_some_are_kept_from_end_to_end() -> None:
    data = _numbered(2_000)
    truth = np.asarray(data.test.targets, dtype=np.float64)
    found = number_errors(NumberAnswers(truth, truth), data)
    assert found is not None
    assert len(found.pairs) == DRAWN < len(truth)
    assert (found.pairs[0][0], found.pairs[-1][0]) == (truth.min(), truth.max())


def test_other_answers_are_no_numbers() -> None:
    data = language_dataset(language_rows(["a", "b", "c"]), 1, 1)
    assert number_errors(TagAnswers(TRUTH, SAID), data) is None


SOURCE = DataSource(name="made", validation_fraction=0.2, test_fraction=0.5, fatal=())


def test_the_rows_with_the_most_wrong_spans_come_first() -> None:
    rows = [
        {"text": [f"w{place}", "and", f"more{place}"], "label": ["B-a", "I-a", "B-b"]}
        for place in range(40)
    ]
    data = dataset_from(rows, SOURCE, task=TokenClassification())
    truth = [list(row) for row in data.test.targets]
    said = [list(row) for row in truth]
    said[2] = ["B-a", "O", "O"]  # one cut short, one missed: three spans in one list alone
    said[5][2] = "O"
    found = worst_mistakes(TagAnswers(truth, said), data)
    assert [one.row_id for one in found] == [data.test.row_ids[2], data.test.row_ids[5]]
    first, _, last = data.test.inputs[2]
    assert found[0].truth == (f"{first} and (a)", f"{last} (b)")
    assert found[0].answered == (f"{first} (a)",)
    assert found[0].text == f"{first} and {last}"


def test_wrong_parts_of_speech_are_told_word_by_word() -> None:
    rows = [{"text": ["a", f"w{place}"], "label": ["DET", "NOUN"]} for place in range(40)]
    data = dataset_from(rows, SOURCE, task=TokenClassification())
    truth = [list(row) for row in data.test.targets]
    said = [list(row) for row in truth]
    said[1] = ["NOUN", ""]
    (found,) = worst_mistakes(TagAnswers(truth, said), data)
    word = data.test.inputs[1][1]
    assert found.truth == ("a (DET)", f"{word} (NOUN)")
    assert found.answered == ("a (NOUN)", f"{word} (no tag)")


def test_wrong_sets_of_labels_are_told_as_labels() -> None:
    rows = [
        {"text": f"row {place}", "label": ["a", "b"] if place % 2 else ["a"]} for place in range(60)
    ]
    data = dataset_from(rows, SOURCE, task=TextClassification(target="multi"))
    truth = np.array([[label in row for label in data.labels] for row in data.test.targets], int)
    scores = np.where(truth == 1, 1.0, -1.0)
    scores[0] *= -1
    (found,) = worst_mistakes(SetAnswers(truth, scores), data)
    assert found.row_id == data.test.row_ids[0]
    assert found.truth == tuple(data.test.targets[0])
    assert set(found.truth).isdisjoint(found.answered)
    assert worst_mistakes(NumberAnswers(truth[:, 0], truth[:, 0]), data) == ()
