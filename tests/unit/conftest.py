"""A small learnable data set, tiny base models of three families, and what they are trained to."""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import TOKEN, Client, HubServer, running_client
from topics import NOISE, TOPICS, VOCABULARY

from zenml_ftvr.data import Dataset, make_dataset
from zenml_ftvr.values import (
    Approach,
    Baseline,
    Contrastive,
    DataSource,
    Full,
    Hardware,
    Head,
    Kind,
    Lora,
    ModelSource,
    Partial,
    Scratch,
    TextClassification,
    TrainedModel,
    TrainingPlan,
)

# Read when torch is imported. Tiny models gain nothing from a second thread, and where other tests
# run beside them two threads wait for each other most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

MAX_LENGTH = 32
POSITIONS = 64  # of the base models: more than MAX_LENGTH
SPREAD = 0.1  # of their random weights: enough to tell words apart where most stay frozen

LEARNS: dict[Kind, Approach] = {
    "baseline": Baseline(),
    "head": Head(),
    "contrastive": Contrastive(learning_rate=1e-3, pairs=800, batch_size=16),
    "partial": Partial(learning_rate=5e-3, epochs=12, batch_size=16, layers=1),
    "full": Full(learning_rate=3e-3, epochs=8, batch_size=16),
    "lora": Lora(learning_rate=4e-3, epochs=10, batch_size=8, rank=8),
    "scratch": Scratch(epochs=6, batch_size=16, depth=2, vocabulary_size=VOCABULARY),
}
"""Knobs with which each approach learns the small data set in about a second."""


@pytest.fixture(scope="session")
def learns() -> dict[Kind, Approach]:
    return LEARNS


@pytest.fixture(scope="session")
def make_texts() -> Callable[..., tuple[list[str], list[str]]]:
    """Texts and labels whose label follows from which words occur."""

    def make(n_rows: int, seed: int = 0) -> tuple[list[str], list[str]]:
        rng = random.Random(seed)
        texts, labels = [], []
        for index in range(n_rows):
            label = sorted(TOPICS)[index % len(TOPICS)]
            words = rng.sample(TOPICS[label].split(), 3)
            words += rng.sample(NOISE.split(), rng.randint(3, 9))
            rng.shuffle(words)
            texts.append(" ".join(words))
            labels.append(label)
        return texts, labels

    return make


@pytest.fixture(scope="session")
def split() -> Callable[..., Dataset]:
    """Texts and labels as a data set with a fifth each to validate and to test on."""

    def make(texts: list[str], labels: list[str]) -> Dataset:
        source = DataSource(name="made.csv", validation_fraction=0.2, test_fraction=0.2)
        return make_dataset(source, texts, labels)

    return make


@pytest.fixture(scope="session")
def dataset(
    make_texts: Callable[..., tuple[list[str], list[str]]], split: Callable[..., Dataset]
) -> Dataset:
    """240 rows, three classes of nearly equal size."""
    return split(*make_texts(240))


@pytest.fixture(scope="session")
def task() -> TextClassification:
    return TextClassification(max_length=MAX_LENGTH)


@pytest.fixture(scope="session")
def hardware() -> Hardware:
    return Hardware(
        device="cpu",
        device_name="made by hand",
        n_devices=1,
        cores=1,
        memory_gib=16.0,
        device_memory_gib=None,
    )


@pytest.fixture(scope="session")
def bert_folder(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of width 32, random weights, a tokenizer of its own."""
    from transformers import BertConfig, BertModel, set_seed

    from zenml_ftvr.models import train_tokenizer

    set_seed(7)
    tokenizer = train_tokenizer(dataset.train.texts, VOCABULARY, POSITIONS)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=POSITIONS,
        initializer_range=SPREAD,
        pad_token_id=tokenizer.pad_token_id,
    )
    return _saved(BertModel(config), tokenizer, tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def distilbert_folder(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other names for the sizes in its configuration, and a head of two layers."""
    from transformers import DistilBertConfig, DistilBertModel, set_seed

    from zenml_ftvr.models import train_tokenizer

    set_seed(7)
    tokenizer = train_tokenizer(dataset.train.texts, VOCABULARY, POSITIONS)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]  # it has no token types
    config = DistilBertConfig(
        vocab_size=len(tokenizer),
        dim=32,
        n_layers=2,
        n_heads=2,
        hidden_dim=64,
        max_position_embeddings=POSITIONS,
        initializer_range=SPREAD,
        pad_token_id=tokenizer.pad_token_id,
    )
    return _saved(DistilBertModel(config), tokenizer, tmp_path_factory.mktemp("distilbert"))


@pytest.fixture(scope="session")
def gpt2_folder(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder: no token to pad with in its tokenizer, none in its configuration."""
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel
    from tokenizers.trainers import BpeTrainer
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast, set_seed

    set_seed(7)
    end = "<|endoftext|>"
    inner = Tokenizer(BPE())
    inner.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[end],
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(dataset.train.texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, model_max_length=POSITIONS, bos_token=end, eos_token=end
    )
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=POSITIONS,
        initializer_range=SPREAD,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return _saved(GPT2Model(config), tokenizer, tmp_path_factory.mktemp("gpt2"))


@pytest.fixture(scope="session")
def vit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image encoder: two layers of width 32, random weights, coloured images of 8 pixels."""
    from transformers import ViTConfig, ViTImageProcessorPil, ViTModel, set_seed

    set_seed(7)
    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=8,
        patch_size=2,
        initializer_range=SPREAD,
    )
    processor = ViTImageProcessorPil(size={"height": 8, "width": 8})
    return _saved(ViTModel(config), processor, tmp_path_factory.mktemp("vit"))


def _saved(model: Any, tokenizer: Any, folder: Path) -> Path:
    from zenml_ftvr.models import quiet

    with quiet():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def base_folders(bert_folder: Path, distilbert_folder: Path, gpt2_folder: Path) -> dict[str, Path]:
    """The base models by their family."""
    return {"bert": bert_folder, "distilbert": distilbert_folder, "gpt2": gpt2_folder}


@pytest.fixture(scope="session")
def plan_of(
    dataset: Dataset, bert_folder: Path, task: TextClassification
) -> Callable[..., TrainingPlan]:
    """The plan of an approach for a data set and a base model, with any of its fields set."""
    from zenml_ftvr.api import plan_for

    def make(
        approach: Approach,
        *,
        of: Dataset = dataset,
        base: Path = bert_folder,
        seed: int = 0,
        **fields: Any,
    ) -> TrainingPlan:
        plan = plan_for(of, approach, ModelSource(name=str(base)), task, seed)
        return dataclasses.replace(plan, **fields)

    return make


@pytest.fixture(scope="session")
def trained(
    dataset: Dataset,
    plan_of: Callable[..., TrainingPlan],
    hardware: Hardware,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Kind], TrainedModel]:
    """Each approach trained until it has learnt the data set: once, however often it is asked."""
    from zenml_ftvr.train import run_plan

    done: dict[Kind, TrainedModel] = {}

    def train(kind: Kind) -> TrainedModel:
        if kind not in done:
            folder = tmp_path_factory.mktemp("trained") / kind
            done[kind] = run_plan(plan_of(LEARNS[kind]), dataset, folder, hardware)
        return done[kind]

    return train


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    """A Hub for all tests of a file; each has repositories of its own."""
    server = HubServer()
    yield server
    server.stop()
    assert server.unknown == []
    assert server.sent_to_storage == []  # no token to the host of the large files


@pytest.fixture(scope="module")
def client(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A process that reads from the Hub; no token is ever seen in what it writes."""
    folder = tmp_path_factory.mktemp("client")
    with running_client(hub.endpoint, folder / "hf", folder / "log") as process:
        yield process
    assert "huggingface.co" not in (folder / "log").read_text()
    assert TOKEN not in (folder / "log").read_text()
