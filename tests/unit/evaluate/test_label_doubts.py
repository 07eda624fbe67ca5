"""Wrong labels that are put in on purpose are found."""

from __future__ import annotations

import numpy as np

from zenml_ftvr.data import make_rows
from zenml_ftvr.evaluate.label_doubts import SHOWN, JudgedRows, doubtful, label_doubts
from zenml_ftvr.evaluate.reliability import softmax
from zenml_ftvr.tasks import ClassAnswers

LABELS = ("cat", "dog", "eel")


def _judged(split: str, n_rows: int, n_wrong: int, seed: int) -> tuple[JudgedRows, set[str]]:
    """Rows that a good model sees rightly, and the ids of those whose label is another."""
    rng = np.random.default_rng(seed)
    seen = rng.integers(0, 3, n_rows)
    given = seen.copy()
    wrong = rng.choice(n_rows, n_wrong, replace=False)
    given[wrong] = (given[wrong] + 1) % 3
    logits = np.eye(3)[seen] * 5 + rng.normal(0, 0.5, (n_rows, 3))
    ids = [f"{split}-{place}" for place in range(n_rows)]
    rows = make_rows(ids, [f"text {one}" for one in ids], [LABELS[one] for one in given])
    return JudgedRows(split, rows, ClassAnswers(given, logits)), {ids[one] for one in wrong}


def test_wrong_labels_are_found_with_what_they_should_be() -> None:
    parts = [_judged("validation", 120, 6, seed=0), _judged("test", 200, 9, seed=1)]
    found, n_doubts = label_doubts([part for part, _ in parts], LABELS, temperature=None)
    wrong = set().union(*(ids for _, ids in parts))
    assert {one.row_id for one in found} == wrong
    assert n_doubts == len(wrong)
    for one in found:
        assert one.row_id.startswith(one.split)
        assert one.text == f"text {one.row_id}"
        assert LABELS[(LABELS.index(one.suggested) + 1) % 3] == one.given
        assert one.probability_suggested > one.probability_given
    margins = [one.probability_suggested - one.probability_given for one in found]
    assert margins == sorted(margins, reverse=True)


def test_no_more_are_kept_than_a_person_reads_but_all_are_counted() -> None:
    part, wrong = _judged("test", 600, SHOWN + 20, seed=2)
    found, n_doubts = label_doubts([part], LABELS, temperature=None)
    assert (len(found), n_doubts) == (SHOWN, len(wrong))


def test_a_model_that_is_unsure_of_a_class_doubts_by_that_class_s_own_measure() -> None:
    # Eels are hard: rows labelled so have .5 on average, so that .55 is much for one of them.
    probabilities = np.array(
        [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.3, 0.2, 0.5], [0.42, 0.03, 0.55]]
    )
    assert doubtful(probabilities, np.array([0, 1, 2, 0])).tolist() == [-1, -1, -1, 2]


def test_a_guessing_model_doubts_few_labels() -> None:
    rng = np.random.default_rng(0)
    probabilities = softmax(rng.normal(0, 0.1, (300, 3)))
    given = probabilities.argmax(1)
    assert (doubtful(probabilities, given) == -1).all()


def test_a_class_without_rows_is_never_suggested() -> None:
    probabilities = np.array([[0.4, 0.0, 0.6], [0.5, 0.1, 0.4]])
    assert doubtful(probabilities, np.array([0, 0])).tolist() == [-1, -1]
