"""A tiny model without dropout, and what is compared of its trainings by one and by several."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from zenml_ftvr.api import plan_for
from zenml_ftvr.data import Dataset
from zenml_ftvr.hardware import detect
from zenml_ftvr.train import granted_team, run_plan
from zenml_ftvr.values import (
    Approach,
    Full,
    Lora,
    ModelSource,
    Partial,
    TextClassification,
    TrainedModel,
    TrainingPlan,
)
from zenml_ftvr.values.execution import EXECUTION_VARIABLE, Execution

FULL = Full(learning_rate=3e-3, batch_size=16)
APPROACHES: tuple[Approach, ...] = (
    FULL,
    Lora(learning_rate=4e-3, batch_size=16, rank=4, variant="dora"),  # the others have dropout
    Partial(learning_rate=5e-3, batch_size=16, layers=1),
)
STEPS = {"max_steps": 26, "warmup_steps": 3, "eval_every_steps": 4}
"""Two and a half epochs of ten steps, the last of each a short one."""
SAME = 2e-6  # of losses near 1: a few units of a 32-bit number's last place, over 26 steps


def save_model_without_dropout(dataset: Dataset, folder: Path) -> Path:
    """Two layers of width 32, random weights: what dropout hides differs between workers."""
    from topics import VOCABULARY
    from transformers import BertConfig, BertModel, set_seed

    from zenml_ftvr.models import quiet, train_tokenizer

    set_seed(7)
    tokenizer = train_tokenizer(dataset.train.texts, VOCABULARY, 64)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with quiet():
        BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def plan_of_few_steps(dataset: Dataset, base: Path, approach: Approach = FULL) -> TrainingPlan:
    """Of `STEPS`."""
    task = TextClassification(max_length=32)
    plan = plan_for(dataset, approach, ModelSource(name=str(base)), task, 0)
    return dataclasses.replace(plan, **STEPS)


@contextlib.contextmanager
def granted(**fields: object) -> Iterator[None]:
    """A step to which the trainer grants this."""
    execution = Execution(trainer="mine", **fields)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(EXECUTION_VARIABLE, json.dumps(dataclasses.asdict(execution)))
        yield


def trained(plan: TrainingPlan, dataset: Dataset, folder: Path, **fields: object) -> TrainedModel:
    """As the trainer grants; by one process where nothing is said."""
    with granted(threads=1, **fields):
        return run_plan(plan, dataset, folder, detect(), team=granted_team(plan, detect()))


def curves_differ_by(one: TrainedModel, other: TrainedModel) -> float:
    """The largest difference between two curves that have the same readings."""
    readings = [[(point.step, point.metric) for point in model.curve] for model in (one, other)]
    assert readings[0] == readings[1]
    return max(abs(a.value - b.value) for a, b in zip(one.curve, other.curve, strict=True))
