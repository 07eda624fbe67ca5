"""Texts to batches, predictions to scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zenml_ftvr.models.resolve import load_tokenizer
from zenml_ftvr.tasks import EncodedRows, text_classification
from zenml_ftvr.tasks.text_classification import (
    TextWork,
    encode,
)
from zenml_ftvr.values import TextClassification


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
    rows = EncodedRows([[2, 7, 3], [2, 3]], (1, 0))
    assert len(rows) == 2
    assert rows[0] == {"input_ids": [2, 7, 3], "attention_mask": [1, 1, 1], "labels": 1}
    assert rows.lengths == [3, 2]


def test_a_subset_keeps_each_rows_label() -> None:
    rows = EncodedRows([[1], [2, 2], [3, 3, 3]], [10, 20, 30]).subset([2, 0, 2])
    assert [(len(row["input_ids"]), row["labels"]) for row in (rows[0], rows[1], rows[2])] == [
        (3, 30),
        (1, 10),
        (3, 30),
    ]


def test_a_batch_is_padded_to_its_own_longest_row_and_no_further(tokenizer: Any) -> None:
    rows = EncodedRows(encode(tokenizer, ["bishop pawn", "tide"], 32), [2, 0])
    batch = TextWork(task=TextClassification(), labels=()).collator(tokenizer, None)(
        [rows[0], rows[1]]
    )
    assert batch["input_ids"].shape == (2, 4)
    assert batch["input_ids"][1, 3] == tokenizer.pad_token_id
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch["labels"].tolist() == [2, 0]
