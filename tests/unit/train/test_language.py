"""Rows to learn a language from: how much is hidden, and that an item is always the same."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from zenml_ftvr.models import train_tokenizer
from zenml_ftvr.train.language import (
    LanguageRows,
    collator,
    frequency_loss,
    sequences,
    vocabulary_of,
)
from zenml_ftvr.values import Form

WORDS = ["mast", "keel", "rudder", "harbour", "tide", "anchor", "breeze", "hull", "pawn", "castle"]
TEXTS = [" ".join(WORDS[(i * k + k) % 10] for k in range(1, 4 + i % 9)) for i in range(90)]


def tokenizer_of(form: Form = "encoder") -> Any:
    return train_tokenizer(TEXTS, 120, 64, form=form)


def rows_of(seed: int = 0, epochs: float = 3.0, batch_size: int = 4) -> LanguageRows:
    tokenizer = tokenizer_of()
    ids = sequences(tokenizer, TEXTS, 64, "masked")
    return LanguageRows(
        ids, vocabulary_of(tokenizer), "masked", seed, epochs=epochs, batch_size=batch_size
    )


def test_an_item_is_the_same_whenever_and_wherever_it_is_asked_for() -> None:
    one, other = rows_of(), rows_of()
    forwards = [one[index] for index in range(len(one))]
    backwards = [other[index] for index in reversed(range(len(other)))]
    assert forwards == backwards[::-1]
    assert forwards != [rows_of(seed=1)[index] for index in range(len(one))]


def test_each_epoch_hides_other_tokens_of_every_row_once() -> None:
    rows = rows_of()
    n = len(TEXTS)
    assert len(rows) == 3 * n

    def originals(epoch: int) -> Counter[tuple[int, ...]]:
        found: Counter[tuple[int, ...]] = Counter()
        for index in range(epoch * n, (epoch + 1) * n):
            row = rows[index]
            pairs = zip(row["input_ids"], row["labels"], strict=True)
            found[tuple(label if label >= 0 else one for one, label in pairs)] += 1
        return found

    tokenizer = tokenizer_of()
    ids = Counter(map(tuple, sequences(tokenizer, TEXTS, 64, "masked")))
    assert originals(0) == originals(1) == originals(2) == ids
    first, second = ([rows[e * n + i]["labels"] for i in range(n)] for e in (0, 1))
    assert sorted(first) != sorted(second)


def test_part_of_an_epoch_is_part_of_the_rows() -> None:
    assert len(rows_of(epochs=0.5)) == 45
    assert len(rows_of(epochs=2.5)) == 225


def test_fifteen_in_a_hundred_are_asked_for_and_eight_in_ten_of_them_hidden() -> None:
    tokenizer = tokenizer_of()
    vocabulary = vocabulary_of(tokenizer)
    long = [[2, *([7, 8, 9, 10] * 25), 3]] * 300
    rows = LanguageRows(long, vocabulary, "masked", 0)
    asked = masked = kept = 0
    for index in range(len(rows)):
        row = rows[index]
        assert (row["input_ids"][0], row["input_ids"][-1]) == (2, 3)
        for one, label in zip(row["input_ids"], row["labels"], strict=True):
            if label >= 0:
                asked += 1
                masked += one == tokenizer.mask_token_id
                kept += one == label
                assert one not in vocabulary.marks or one == tokenizer.mask_token_id
    assert asked == 300 * 15
    assert masked / asked == pytest.approx(0.8, abs=0.02)
    assert kept / asked == pytest.approx(0.1, abs=0.02)


def test_even_of_one_token_something_is_asked() -> None:
    row = LanguageRows([[2, 9, 3]], vocabulary_of(tokenizer_of()), "masked", 0)[0]
    assert row["labels"] == [-100, 9, -100]


def test_a_restoring_model_is_asked_for_the_whole_text() -> None:
    tokenizer = tokenizer_of("encoder-decoder")
    ids = sequences(tokenizer, TEXTS, 64, "denoising")
    rows = LanguageRows(ids, vocabulary_of(tokenizer), "denoising", 0)
    items = [rows[index] for index in range(len(rows))]
    assert sorted(item["labels"] for item in items) == sorted(ids)
    assert sum(tokenizer.mask_token_id in item["input_ids"] for item in items) > len(items) / 2


def test_a_longer_text_is_cut_into_several_and_nothing_is_lost() -> None:
    tokenizer = tokenizer_of()
    text = " ".join(WORDS * 20)
    cut = sequences(tokenizer, [text], 16, "masked")
    assert {len(one) for one in cut[:-1]} == {16}
    inner = [one for ids in cut for one in ids[1:-1]]
    assert inner == tokenizer(text)["input_ids"][1:-1]


def test_texts_of_a_decoder_lie_end_to_end() -> None:
    tokenizer = tokenizer_of("decoder")
    blocks = sequences(tokenizer, TEXTS, 16, "causal")
    assert {len(block) for block in blocks[:-1]} == {16}
    flat = [one for block in blocks for one in block]
    assert flat.count(tokenizer.eos_token_id) == flat.count(tokenizer.bos_token_id) == len(TEXTS)
    rows = LanguageRows(blocks, vocabulary_of(tokenizer), "causal", 0)
    assert all(rows[index]["labels"] == rows[index]["input_ids"] for index in range(len(rows)))


def test_rows_of_like_length_share_a_batch() -> None:
    rows = rows_of(epochs=1.0, batch_size=8)
    lengths = np.asarray([len(rows[index]["input_ids"]) for index in range(len(rows))])
    spread = [np.ptp(lengths[start : start + 8]) for start in range(0, len(lengths), 8)]
    assert np.mean(spread) < np.ptp(lengths) / 4


def test_padding_is_neither_looked_at_nor_asked_for() -> None:
    tokenizer = tokenizer_of()
    rows = rows_of()
    batch = collator(vocabulary_of(tokenizer))([rows[index] for index in range(200, 220)])
    padded = batch["attention_mask"] == 0
    assert padded.any()
    assert (batch["input_ids"][padded] == tokenizer.pad_token_id).all()
    assert (batch["labels"][padded] == -100).all()
    assert (batch["input_ids"][~padded] != tokenizer.pad_token_id).all()


def test_guessing_by_frequency_is_as_good_as_the_tokens_are_uneven() -> None:
    vocabulary = vocabulary_of(tokenizer_of())
    even = [[2, *([7, 8, 9, 10] * 50), 3]]
    asked = LanguageRows(even * 20, vocabulary, "masked", 0)
    # Four pieces equally often, and a little for those that never occur.
    assert frequency_loss(even * 20, asked) == pytest.approx(np.log(4), abs=0.01)
    following = LanguageRows([[7] * 50], vocabulary, "causal", 0)
    assert frequency_loss([[7] * 99 + [8] * 99], following) == pytest.approx(np.log(2), abs=0.1)
