"""Documents in blocks: nothing lost, nothing mixed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_language_models import letters_tokenizer, tiny_bloom, tiny_gpt2, tiny_llama

from zenml_ftvr.models import keeps_documents_apart
from zenml_ftvr.tasks import TargetScale, make_work
from zenml_ftvr.tasks.packing import IGNORED, Document, fill_blocks, pack, pieces_of
from zenml_ftvr.values import CausalLM

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=40)
SIZES = st.integers(8, 24)


def documents(lengths: list[int]) -> list[Document]:
    """Documents of which no two tokens are equal."""
    made, start = [], 0
    for length in lengths:
        ids = list(range(start, start + length))
        made.append(Document(ids, list(ids), length))
        start += length
    return made


@given(lengths=LENGTHS, size=SIZES)
def test_pieces_hold_a_document_in_order_and_each_token_is_learnt_once(
    lengths: list[int], size: int
) -> None:
    for document in documents(lengths):
        pieces = list(pieces_of(document, size))
        assert all(0 < len(ids) <= size and len(ids) == len(labels) for ids, labels in pieces)
        joined = [*pieces[0][0], *(token for ids, _ in pieces[1:] for token in ids[1:])]
        assert joined == list(document.ids)
        learnt = [label for _, labels in pieces for label in labels if label != IGNORED]
        assert learnt == list(document.ids[1:])  # nothing comes before the first


@given(lengths=LENGTHS, size=SIZES)
def test_every_piece_is_in_one_block_and_no_block_is_too_long(
    lengths: list[int], size: int
) -> None:
    lengths = [min(length, size) for length in lengths]
    blocks = fill_blocks(lengths, size)
    assert sorted(piece for block in blocks for piece in block) == list(range(len(lengths)))
    assert all(0 < sum(lengths[piece] for piece in block) <= size for block in blocks)
    # Two blocks that are each at most half full would have been one.
    half_empty = [block for block in blocks if 2 * sum(lengths[piece] for piece in block) <= size]
    assert len(half_empty) <= 1


@settings(deadline=None)
@given(lengths=LENGTHS, size=SIZES)
def test_packed_rows_lose_and_mix_no_token(lengths: list[int], size: int) -> None:
    rows = pack(documents(lengths), size)
    seen: Counter[int] = Counter()
    for index in range(len(rows)):
        row = rows[index]
        assert rows.lengths[index] == len(row["input_ids"]) == len(row["labels"])
        assert rows.input_ids[index] == row["input_ids"]
        ids, positions = np.asarray(row["input_ids"]), np.asarray(row["position_ids"])
        # Where positions go on, so does the document; where they begin anew, nothing is learnt.
        goes_on = np.flatnonzero(positions[1:] != 0) + 1
        assert (ids[goes_on] == ids[goes_on - 1] + 1).all()
        assert (np.asarray(row["labels"])[positions == 0] == IGNORED).all()
        seen.update(label for label in row["labels"] if label != IGNORED)
        assert [token for piece in rows.pieces(index) for token in piece] == row["input_ids"]
    firsts = {document.ids[0] for document in documents(lengths)}
    assert set(seen) == set(range(sum(lengths))) - firsts
    assert set(seen.values()) <= {1}


@given(lengths=LENGTHS, size=SIZES)
def test_bytes_are_those_of_the_documents(lengths: list[int], size: int) -> None:
    made = [one for one in documents(lengths) if len(one.ids) > 1]
    assert pack(made, size).n_bytes == pytest.approx(sum(one.n_bytes for one in made))


def test_a_subset_of_blocks_has_its_own_bytes_and_lengths() -> None:
    rows = pack(documents([20, 3, 9, 15]), 10)
    some = rows.subset([1, 0])
    assert some[0] == rows[1]
    assert some.lengths == [rows.lengths[1], rows.lengths[0]]
    rest = rows.subset(range(2, len(rows)))
    assert some.n_bytes + rest.n_bytes == pytest.approx(rows.n_bytes)


@pytest.mark.parametrize("make", [tiny_gpt2, tiny_llama])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_packed_document_is_answered_as_alone(make: Any, attention: str) -> None:
    tokenizer = letters_tokenizer()
    model = make(tokenizer).eval()
    model.set_attn_implementation(attention)
    work = make_work(CausalLM(max_length=32), (), TargetScale())
    texts = [[1, 9, 8, 7, 6, 2], [1, 12, 13, 14, 2], [1, 20, 21, 2]]
    rows = pack([Document(ids, ids, len(ids)) for ids in texts], 32)
    other = pack([Document([1, 30, 31, 2], [1, 30, 31, 2], 4)], 32)
    assert len(rows) == 1
    collate = work.collator(tokenizer, model)
    with torch.inference_mode():
        together = model(**collate([other[0], rows[0]])).logits[1]  # beside a padded row
        for start, ids in [(0, texts[0]), (6, texts[1]), (11, texts[2])]:
            alone = model(input_ids=torch.tensor([ids])).logits[0]
            torch.testing.assert_close(
                together[start : start + len(ids)], alone, rtol=1e-4, atol=1e-5
            )
    assert keeps_documents_apart(model)


def test_a_family_that_cannot_keep_documents_apart_gets_one_a_row() -> None:
    tokenizer = letters_tokenizer()
    assert not keeps_documents_apart(tiny_bloom(tokenizer))
    rows = pack(documents([3, 4, 5]), 16, share=False)
    assert rows.lengths == [3, 4, 5]
