"""What a plan builds: weights from a seed, a head for the labels, a tokenizer of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import ModelError
from zenml_ftvr.models import ResolvedModel, Trainable, build, resolve, train_tokenizer
from zenml_ftvr.models.resolve import load_tokenizer
from zenml_ftvr.values import (
    Approach,
    Baseline,
    Full,
    Kind,
    Lora,
    ModelSource,
    Scratch,
    TrainingPlan,
)

LOOP: tuple[Kind, ...] = ("full", "lora", "scratch")
FAMILIES = ("bert", "distilbert", "gpt2")


@pytest.fixture(scope="session")
def built(
    dataset: Dataset, base_folders: dict[str, Path], plan_of: Callable[..., TrainingPlan]
) -> Callable[..., Trainable]:
    def make(approach: Approach, family: str = "bert", **fields: Any) -> Trainable:
        folder = base_folders[family]
        plan = plan_of(approach, base=folder, **fields)
        base = None if plan.model is None else resolve(plan.model)
        return build(plan, base, dataset.train.texts)

    return make


def equal(one: Trainable, other: Trainable) -> bool:
    """Whether two models have the same weights, bit for bit."""
    pair = one.model.state_dict(), other.model.state_dict()
    return pair[0].keys() == pair[1].keys() and all(
        torch.equal(tensor, pair[1][name]) for name, tensor in pair[0].items()
    )


@pytest.mark.parametrize("kind", LOOP)
def test_weights_follow_from_the_seed(
    kind: Kind, built: Callable[..., Trainable], learns: dict[Kind, Approach]
) -> None:
    torch.manual_seed(1)  # whatever was drawn before
    first = built(learns[kind], seed=5)
    torch.manual_seed(2)
    assert equal(first, built(learns[kind], seed=5))
    assert not equal(first, built(learns[kind], seed=6))


@pytest.mark.parametrize("kind", LOOP)
def test_a_model_answers_with_the_plans_labels(
    kind: Kind, built: Callable[..., Trainable], learns: dict[Kind, Approach], dataset: Dataset
) -> None:
    config = built(learns[kind]).model.config
    assert config.num_labels == 3
    assert tuple(config.id2label[index] for index in range(3)) == dataset.labels
    assert config.label2id == {label: index for index, label in enumerate(dataset.labels)}


@pytest.mark.parametrize("family", FAMILIES)
def test_full_trains_every_weight(family: str, built: Callable[..., Trainable]) -> None:
    trainable = built(Full(), family)
    assert trainable.n_trainable == trainable.n_params > 20_000


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_trains_its_adapters_and_the_head_and_nothing_else(
    family: str, built: Callable[..., Trainable]
) -> None:
    trainable = built(Lora(rank=2), family)
    names = {name for name, weight in trainable.model.named_parameters() if weight.requires_grad}
    heads = {name for name in names if ".modules_to_save." in name}
    assert heads
    assert names - heads
    assert all(".lora_A." in name or ".lora_B." in name for name in names - heads)
    assert 0 < trainable.n_trainable < trainable.n_params / 5


def test_a_decoder_is_given_a_token_to_pad_with(built: Callable[..., Trainable]) -> None:
    trainable = built(Full(), "gpt2")
    assert trainable.tokenizer.pad_token_id is not None
    assert trainable.model.config.pad_token_id == trainable.tokenizer.pad_token_id


def test_scratch_has_the_planned_shape(built: Callable[..., Trainable]) -> None:
    trainable = built(Scratch(depth=3, vocabulary_size=300))
    config = trainable.model.config
    shape = (config.num_hidden_layers, config.hidden_size, config.num_attention_heads)
    assert shape == (3, 192, 3)
    assert (config.intermediate_size, config.max_position_embeddings) == (768, 32)
    assert config.vocab_size == len(trainable.tokenizer) <= 300


def test_a_tokenizer_is_no_larger_than_asked_and_knows_the_texts_words() -> None:
    texts = ["Mast and keel", "keel or rudder", "the mast, the keel"] * 5
    tokenizer = train_tokenizer(texts, 60, 32)
    assert len(tokenizer) <= 60
    assert tokenizer.tokenize("KEEL mast") == ["keel", "mast"]
    assert tokenizer.tokenize("\N{GREEK SMALL LETTER XI}") == ["[UNK]"]
    small = train_tokenizer(texts, 40, 32)
    assert len(small) <= 40
    assert len(small.tokenize("rudder")) > 1


def test_a_trained_tokenizer_says_the_same_after_it_was_saved(
    dataset: Dataset, tmp_path: Path
) -> None:
    tokenizer = train_tokenizer(dataset.train.texts, 300, 16)
    tokenizer.save_pretrained(tmp_path)
    texts = [*dataset.test.texts, "UPPER \N{SNOWMAN} unheard-of " * 9]
    again = load_tokenizer(tmp_path)
    assert (
        again(texts, truncation=True)["input_ids"] == tokenizer(texts, truncation=True)["input_ids"]
    )
    assert again.model_max_length == 16


def test_equal_texts_make_equal_tokenizers(dataset: Dataset) -> None:
    first, second, turned = (
        train_tokenizer(texts, 250, 32).backend_tokenizer.to_str()
        for texts in (dataset.train.texts, dataset.train.texts, dataset.train.texts[::-1])
    )
    assert first == second == turned


@pytest.fixture
def encoder_only(bert_folder: Path, tmp_path: Path) -> ResolvedModel:
    """A base model of a type that has no text classifier."""
    from transformers import BertGenerationConfig, BertGenerationEncoder

    tokenizer = load_tokenizer(bert_folder)
    config = BertGenerationConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
    )
    BertGenerationEncoder(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return resolve(ModelSource(name=str(tmp_path)))


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_a_model_type_without_a_classifier_is_named(
    kind: Kind,
    encoder_only: ResolvedModel,
    learns: dict[Kind, Approach],
    plan_of: Callable[..., TrainingPlan],
) -> None:
    plan = plan_of(learns[kind], base=encoder_only.folder)
    with pytest.raises(ModelError, match=r"does not load as .*BertGenerationConfig"):
        build(plan, encoder_only, [])


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_what_fine_tunes_needs_a_base(
    kind: Kind, learns: dict[Kind, Approach], plan_of: Callable[..., TrainingPlan]
) -> None:
    with pytest.raises(ModelError, match=f"'{kind}' needs a base model; set base_model.name"):
        build(plan_of(learns[kind]), None, [])


def test_what_is_solved_is_not_built(plan_of: Callable[..., TrainingPlan]) -> None:
    with pytest.raises(ModelError, match="'baseline' takes no optimiser steps"):
        build(plan_of(Baseline()), None, [])
