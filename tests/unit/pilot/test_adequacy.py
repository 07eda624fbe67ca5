"""What a base model knows of the data, measured: pieces, and probes of its features."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from zenml_ftvr.data import Dataset, make_dataset
from zenml_ftvr.models import ResolvedModel, resolve, twin_features
from zenml_ftvr.pilot.adequacy import LOOKED_AT_ROWS, measure_adequacy
from zenml_ftvr.values import DataSource, ModelSource, TextClassification, TokenClassification

TASK = TextClassification(max_length=32)


@pytest.fixture(scope="module")
def base(bert_folder: Path) -> ResolvedModel:
    return resolve(ModelSource(name=str(bert_folder)))


def test_probes_of_model_and_twin_are_scored_on_the_same_rows_out_of_fold(
    dataset: Dataset, base: ResolvedModel
) -> None:
    found = measure_adequacy(dataset, base, TASK, "cpu", 0)
    assert found.n_rows == len(dataset.train)
    for score in (found.probe, found.twin, found.without):
        assert score is not None
        assert score.n_rows == len(dataset.train)
        assert score.low <= score.value <= score.high
    assert found.probe is not None
    assert found.twin is not None
    assert found.over_twin is not None
    assert found.over_twin.mean == pytest.approx(found.probe.value - found.twin.value)
    assert found.over_twin.low <= found.over_twin.mean <= found.over_twin.high
    assert found.seconds > 0


def test_a_twin_is_the_same_for_a_seed_and_knows_nothing_of_the_model(
    dataset: Dataset, base: ResolvedModel
) -> None:
    rows = dataset.train.take(range(8))
    first, second = (twin_features(base, rows, TASK, "cpu", 3) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.allclose(first, twin_features(base, rows, TASK, "cpu", 4), atol=1e-3)
    assert first.shape == (8, base.architecture.hidden)


def test_a_tokenizer_that_fits_cuts_as_few_pieces_as_the_datas_own(
    dataset: Dataset, base: ResolvedModel
) -> None:
    found = measure_adequacy(dataset, base, TASK, "cpu", 0)
    assert found.pieces is not None
    assert found.own_pieces is not None
    assert found.pieces.per_word <= found.own_pieces.per_word + 0.2
    assert found.pieces.unknown_share == 0


def test_texts_that_the_tokenizer_was_not_made_for_are_cut_finer_than_by_the_datas_own(
    base: ResolvedModel, make_texts: Callable[..., tuple[list[str], list[str]]]
) -> None:
    texts, labels = make_texts(200)
    shifted = [" ".join(word[::-1] + "zq" for word in text.split()) for text in texts]
    odd = make_dataset(DataSource(name="made"), shifted, labels, task=TASK)
    found = measure_adequacy(odd, base, TASK, "cpu", 0)
    assert found.pieces is not None
    assert found.own_pieces is not None
    lost = found.pieces.unknown_share > 0.5
    assert lost or found.pieces.per_word > 1.5 * found.own_pieces.per_word


def test_where_no_head_can_be_solved_for_only_pieces_are_told(
    dataset: Dataset, base: ResolvedModel
) -> None:
    found = measure_adequacy(dataset, base, TokenClassification(), "cpu", 0)
    assert found.probe is None
    assert found.over_twin is None
    assert found.pieces is not None


def test_of_many_rows_a_thousand_are_looked_at(dataset: Dataset, base: ResolvedModel) -> None:
    many = np.tile(np.arange(len(dataset.train)), 8)
    large = dataclasses.replace(dataset, train=dataset.train.take(many.tolist()))
    assert measure_adequacy(large, base, TASK, "cpu", 0).n_rows == LOOKED_AT_ROWS


def test_a_model_that_foretells_text_is_set_beside_counts_of_bytes(
    dataset: Dataset, gpt2_folder: Path, tmp_path: Path
) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path / "decoder"
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(gpt2_folder))
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gpt2_folder).save_pretrained(folder)
    found = measure_adequacy(dataset, resolve(ModelSource(name=str(folder))), TASK, "cpu", 0)
    told = found.predictability
    assert told is not None
    asked = [text for text in dataset.train.texts if text.strip()][1::2][:64]
    assert told.n_bytes == sum(len(text.encode()) for text in asked)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pieces = sum(len(ids) for ids in tokenizer(asked, add_special_tokens=False)["input_ids"])
    # A model with random weights knows next to nothing: about log2(vocabulary) bits a piece.
    chance = pieces * np.log2(model.config.vocab_size) / told.n_bytes
    assert told.by_model == pytest.approx(chance, rel=0.1)
    assert 0 < told.by_ngrams < 8


def test_an_encoder_foretells_no_text(dataset: Dataset, base: ResolvedModel) -> None:
    assert measure_adequacy(dataset, base, TASK, "cpu", 0).predictability is None
