"""Texts to batches, predictions to scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from zenml_ftvr.models.resolve import load_tokenizer
from zenml_ftvr.tasks import text_classification
from zenml_ftvr.tasks.text_classification import (
    ClassificationRows,
    collator,
    encode,
    score,
    scores_of_counts,
)

IDS = st.lists(st.integers(0, 4), min_size=1, max_size=60)


@pytest.fixture(scope="module")
def tokenizer(bert_folder: Path) -> Any:
    return load_tokenizer(bert_folder)


def test_a_text_is_put_between_its_special_tokens(tokenizer: Any) -> None:
    (ids,) = encode(tokenizer, ["bishop takes"], 32)
    assert ids[0] == tokenizer.cls_token_id
    assert ids[-1] == tokenizer.sep_token_id
    assert ids[1] == tokenizer.convert_tokens_to_ids("bishop")


def test_a_long_text_is_cut_and_keeps_its_end_token(tokenizer: Any) -> None:
    whole, cut = encode(tokenizer, ["bishop pawn rook"], 32), encode(tokenizer, ["bishop pawn"], 3)
    assert [len(ids) for ids in (*whole, *cut)] == [5, 3]
    assert cut[0] == [whole[0][0], whole[0][1], whole[0][-1]]


def test_batches_for_the_tokenizer_keep_the_order(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["bishop", "pawn rook", "the castle", "a knight of", "tide", "keel", "mast and anchor"]
    at_once = encode(tokenizer, texts, 32)
    monkeypatch.setattr(text_classification, "TOKENISER_BATCH", 3)
    assert encode(tokenizer, texts, 32) == at_once
    assert [len(ids) for ids in at_once] == [3, 4, 4, 5, 3, 3, 5]


def test_a_row_holds_what_a_model_takes() -> None:
    rows = ClassificationRows([[2, 7, 3], [2, 3]], (1, 0))
    assert len(rows) == 2
    assert rows[0] == {"input_ids": [2, 7, 3], "attention_mask": [1, 1, 1], "labels": 1}
    assert rows.lengths == [3, 2]


def test_a_subset_keeps_each_rows_label() -> None:
    rows = ClassificationRows([[1], [2, 2], [3, 3, 3]], [10, 20, 30]).subset([2, 0, 2])
    assert [(len(row["input_ids"]), row["labels"]) for row in (rows[0], rows[1], rows[2])] == [
        (3, 30),
        (1, 10),
        (3, 30),
    ]


def test_a_batch_is_padded_to_its_own_longest_row_and_no_further(tokenizer: Any) -> None:
    rows = ClassificationRows(encode(tokenizer, ["bishop pawn", "tide"], 32), [2, 0])
    batch = collator(tokenizer)([rows[0], rows[1]])
    assert batch["input_ids"].shape == (2, 4)
    assert batch["input_ids"][1, 3] == tokenizer.pad_token_id
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch["labels"].tolist() == [2, 0]


@given(truth=IDS, data=st.data())
def test_scores_are_those_of_scikit_learn(truth: Sequence[int], data: st.DataObject) -> None:
    n = len(truth)
    predicted = data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    pair = np.array(truth), np.array(predicted)
    assert score("accuracy", *pair) == pytest.approx(accuracy_score(*pair))
    expected = f1_score(*pair, average="macro", zero_division=0)
    assert score("macro_f1", *pair) == pytest.approx(expected)


@given(st.lists(st.lists(st.integers(0, 9), min_size=9, max_size=9), min_size=1, max_size=8))
def test_many_draws_at_once_score_as_one_by_one(draws: list[list[int]]) -> None:
    counts = np.array(draws).reshape(-1, 3, 3)
    counts[:, 0, 0] += 1  # a draw has at least one row
    for metric in text_classification.METRICS:
        together = scores_of_counts(metric, counts)
        alone = [scores_of_counts(metric, one[None])[0] for one in counts]
        assert together == pytest.approx(alone)
        assert ((together >= 0) & (together <= 1)).all()
