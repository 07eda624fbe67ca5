"""The head solved for before the first step: on what the model's own last layer sees."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import ConfigurationError, ModelError
from zenml_ftvr.models import Trainable, build, resolve
from zenml_ftvr.tasks.text_classification import encode
from zenml_ftvr.train import Prepared, prepare, run_plan
from zenml_ftvr.train.warm_start import head_inputs, last_linear, start_from_solved_head
from zenml_ftvr.values import (
    Approach,
    Full,
    Hardware,
    Kind,
    Lora,
    ModelSource,
    Partial,
    TrainingPlan,
)

FAMILIES = ("bert", "distilbert", "roberta", "gpt2")
APPROACHES: tuple[Approach, ...] = (
    Full(learning_rate=1e-3),
    Lora(learning_rate=1e-3, rank=4),
    Partial(learning_rate=1e-3, layers=1),
)


@pytest.fixture(scope="session")
def roberta_folder(
    dataset: Dataset, bert_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A head of two layers within one module, as RoBERTa and its kin have."""
    from transformers import RobertaConfig, RobertaModel, set_seed

    from zenml_ftvr.models import quiet
    from zenml_ftvr.models.resolve import load_tokenizer

    set_seed(7)
    tokenizer = load_tokenizer(bert_folder)
    folder = tmp_path_factory.mktemp("roberta")
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=66,
        type_vocab_size=2,
        initializer_range=0.1,
        pad_token_id=tokenizer.pad_token_id,
    )
    with quiet():
        RobertaModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def folder_of(
    base_folders: dict[str, Path], roberta_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Base models without dropout: what random weights know of a text would drown in it."""
    folders = {}
    for family, folder in {**base_folders, "roberta": roberta_folder}.items():
        copy = tmp_path_factory.mktemp("dry") / family
        shutil.copytree(folder, copy)
        config = json.loads((copy / "config.json").read_text())
        for name in config:
            if ("drop" in name or name.endswith("_pdrop")) and isinstance(config[name], float):
                config[name] = 0.0
        (copy / "config.json").write_text(json.dumps(config))
        folders[family] = copy
    return folders


def loss_before_any_step(prepared: Prepared) -> float:
    """Mean cross-entropy on the training rows."""
    rows, model = prepared.train, prepared.trainable.model.eval()
    losses = []
    with torch.no_grad():
        for start in range(0, len(rows), 32):
            some = [rows[index] for index in range(start, min(start + 32, len(rows)))]
            losses.append(float(model(**prepared.collate(some)).loss) * len(some))
    return sum(losses) / len(rows)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("approach", APPROACHES, ids=lambda approach: approach.kind)
def test_the_first_loss_is_far_below_that_of_a_random_head(
    approach: Approach,
    family: str,
    folder_of: dict[str, Path],
    plan_of: Callable[..., TrainingPlan],
    dataset: Dataset,
) -> None:
    plan = plan_of(approach, base=folder_of[family])
    base = resolve(ModelSource(name=str(folder_of[family])))
    solved = dataclasses.replace(approach, start="solved_head")  # type: ignore[call-arg]
    before = prepare(plan, dataset, base)
    after = prepare(dataclasses.replace(plan, approach=solved), dataset, base)
    assert loss_before_any_step(before) > 0.9
    assert loss_before_any_step(after) < 0.7 * loss_before_any_step(before)
    # Nothing but the last layer is another.
    names = dict(before.trainable.model.named_parameters())
    changed = {
        name
        for name, weight in after.trainable.model.named_parameters()
        if not torch.equal(weight, names[name])
    }
    width = {names[name].shape[0] for name in changed}
    assert len(changed) == (1 if family == "gpt2" else 2)
    assert width == {3}
    assert before.trainable.n_trainable == after.trainable.n_trainable


def trainable_of(plan: TrainingPlan) -> Trainable:
    return build(plan, resolve(plan.model), [])  # type: ignore[arg-type]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_features_are_what_the_last_layer_answers_from(
    family: str,
    folder_of: dict[str, Path],
    plan_of: Callable[..., TrainingPlan],
    dataset: Dataset,
) -> None:
    trainable = trainable_of(plan_of(Full(), base=folder_of[family]))
    texts = [*dataset.train.texts[:40], "mast"]  # of many lengths: padding must not be pooled
    ids = encode(trainable.tokenizer, texts, 32)
    features, layer = head_inputs(trainable, ids, 0), last_linear(trainable, ids[0])
    model = trainable.model.eval()
    for row, own in zip(ids, features, strict=True):
        with torch.no_grad():
            alone = model(input_ids=torch.tensor([row])).logits[0]
            np.testing.assert_allclose(layer(torch.from_numpy(own)), alone, atol=1e-4)


def test_what_is_dropped_in_training_does_not_make_the_head_answer_wildly(
    bert_folder: Path, plan_of: Callable[..., TrainingPlan], dataset: Dataset
) -> None:
    # The features of these random weights differ in their last digits alone. A head that was
    # solved for without dropout answers with a loss of 10 once a tenth of them is dropped.
    plan = plan_of(Full(learning_rate=1e-3, start="solved_head"), base=bert_folder)
    prepared = prepare(plan, dataset, resolve(plan.model))  # type: ignore[arg-type]
    torch.manual_seed(3)
    with torch.no_grad():
        some = [prepared.train[index] for index in range(len(prepared.train))]
        loss = prepared.trainable.model.train()(**prepared.collate(some)).loss
    assert float(loss) < 1.15  # ln 3 is 1.10


def test_the_start_draws_nothing_from_the_generator_that_training_draws_from(
    folder_of: dict[str, Path], plan_of: Callable[..., TrainingPlan], dataset: Dataset
) -> None:
    trainable = trainable_of(plan_of(Full(), base=folder_of["bert"]))
    trainable.model.train()
    ids = encode(trainable.tokenizer, dataset.train.texts, 32)
    before = torch.random.get_rng_state()
    start_from_solved_head(trainable, ids, dataset.label_ids(dataset.train), seed=0)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert trainable.model.training


def test_a_class_without_a_training_row_keeps_its_random_start(
    bert_folder: Path, plan_of: Callable[..., TrainingPlan], dataset: Dataset
) -> None:
    trainable = trainable_of(plan_of(Full(), base=bert_folder))
    ids = encode(trainable.tokenizer, dataset.train.texts, 32)
    labels = [index % 2 for index in range(len(ids))]
    layer = last_linear(trainable, ids[0])
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    start_from_solved_head(trainable, ids, labels, seed=0)
    assert torch.equal(layer.weight[2], weight[2])
    assert torch.equal(layer.bias[2], bias[2])
    assert not torch.equal(layer.weight[:2], weight[:2])
    assert float(layer.bias.detach().abs().max()) < 1e3


def test_labels_that_are_no_classes_are_refused(
    bert_folder: Path, plan_of: Callable[..., TrainingPlan]
) -> None:
    trainable = trainable_of(plan_of(Full(), base=bert_folder))
    wrong: Any
    for wrong in ([0.5, 1.5], [[0, 1], [1, 1]]):
        with pytest.raises(ConfigurationError, match=r"one label a row\. Use 'random_head'"):
            start_from_solved_head(trainable, [[5, 6], [7, 8]], wrong, seed=0)


def test_a_model_without_such_a_layer_is_named(
    bert_folder: Path, plan_of: Callable[..., TrainingPlan]
) -> None:
    trainable = trainable_of(plan_of(Full(), base=bert_folder))
    trainable.model.classifier = torch.nn.Identity()
    with pytest.raises(ModelError, match="no linear layer of BertForSequenceClassification"):
        last_linear(trainable, [5, 6])


@pytest.mark.parametrize("kind", ["partial", "full", "lora"])
def test_a_warm_start_trains_on_and_equal_plans_give_equal_models(
    kind: Kind,
    learns: dict[Kind, Approach],
    plan_of: Callable[..., TrainingPlan],
    folder_of: dict[str, Path],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    from safetensors.torch import load_file

    approach = dataclasses.replace(learns[kind], start="solved_head")  # type: ignore[call-arg]
    plan = plan_of(approach, base=folder_of["bert"], max_steps=16, eval_every_steps=16)
    models = [run_plan(plan, dataset, tmp_path / name, hardware) for name in ("a", "b")]
    (first,) = (tmp_path / "a").glob("*model.safetensors")
    weights, again = load_file(first), load_file(tmp_path / "b" / first.name)
    assert all(torch.equal(tensor, again[name]) for name, tensor in weights.items())
    losses = [point.value for point in models[0].curve if point.metric == "train/loss"]
    assert losses[0] < 0.8  # ln 3 is 1.1
