"""Knobs that the machine decides: precision and recomputed activations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zenml_ftvr.api import basis_for, profile_dataset
from zenml_ftvr.approaches import Architecture, memory_bytes
from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.models import resolve
from zenml_ftvr.pilot import calibrate
from zenml_ftvr.train import prepare, settled, trainer_for
from zenml_ftvr.values import (
    Approach,
    Budget,
    Contrastive,
    Full,
    Hardware,
    Kind,
    Lora,
    ModelSource,
    Partial,
    Request,
    Scratch,
    TextClassification,
    TrainingPlan,
)

GIB = 2**30
LARGE = Architecture(
    layers=24,
    hidden=1024,
    heads=16,
    intermediate=4096,
    vocabulary_size=30_522,
    n_params=335_000_000,
)


def with_memory(hardware: Hardware, gib: float) -> Hardware:
    return dataclasses.replace(hardware, memory_gib=gib)


@pytest.mark.parametrize("approach", [Full, Lora])
def test_activations_are_recomputed_where_they_would_not_fit(
    approach: type[Full] | type[Lora], hardware: Hardware
) -> None:
    asked = approach(batch_size=32)
    kept = memory_bytes(asked, LARGE, 512) / GIB
    for gib, answer in ((kept * 1.01, "never"), (kept * 0.99, "always"), (0.1, "always")):
        here = settled(asked, LARGE, 512, with_memory(hardware, gib))
        assert isinstance(here, Full | Lora)
        assert here.gradient_checkpointing == answer
    assert memory_bytes(here, LARGE, 512) < 0.7 * kept * GIB


@pytest.mark.parametrize("knob", ["always", "never"])
def test_what_the_user_decided_stays(knob: Any, hardware: Hardware) -> None:
    asked = Full(gradient_checkpointing=knob)
    for gib in (0.1, 1_000.0):
        here = settled(asked, LARGE, 512, with_memory(hardware, gib))
        assert isinstance(here, Full)
        assert here.gradient_checkpointing == knob


@pytest.mark.skipif(torch.cuda.is_available(), reason="auto is another there")
def test_nothing_is_left_to_the_machine(hardware: Hardware) -> None:
    for approach in (Partial(), Full(), Lora(), Scratch()):
        here = settled(approach, LARGE, 128, hardware)
        assert "auto" not in dataclasses.astuple(here)
        assert getattr(here, "precision", None) == "fp32"
    assert settled(Contrastive(), LARGE, 128, hardware) == Contrastive()
    with pytest.raises(ConfigurationError, match="fp16"):
        settled(Full(precision="fp16"), LARGE, 128, hardware)


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_recomputing_keeps_less_and_changes_no_weight(
    kind: Kind,
    learns: dict[Kind, Approach],
    plan_of: Callable[..., TrainingPlan],
    dataset: Dataset,
    tmp_path: Path,
) -> None:
    passes: dict[str, int] = {}

    def weights(knob: str) -> dict[str, torch.Tensor]:
        approach = dataclasses.replace(  # type: ignore[call-arg]
            learns[kind], gradient_checkpointing=knob
        )
        plan = plan_of(approach, max_steps=5, eval_every_steps=5)
        prepared = prepare(plan, dataset, resolve(plan.model))  # type: ignore[arg-type]
        model = prepared.trainable.model
        layer = next(module for name, module in model.named_modules() if name.endswith("layer.0"))
        seen: list[int] = []
        layer.attention.register_forward_hook(lambda *_: seen.append(1))
        trainer_for(plan, prepared, tmp_path, [], evaluates=False).train()
        passes[knob] = len(seen)
        return dict(model.state_dict())

    kept, again = weights("never"), weights("always")
    assert (passes["never"], passes["always"]) == (5, 10)
    assert all(torch.equal(tensor, again[name]) for name, tensor in kept.items())


@pytest.mark.skipif(torch.cuda.is_available(), reason="they would be calibrated")
def test_an_arm_that_the_device_cannot_train_is_skipped_with_the_reason(
    dataset: Dataset, bert_folder: Path, hardware: Hardware, task: TextClassification
) -> None:
    approaches = (Lora(quantise="4bit"), Full(optimiser="adamw_8bit"), Scratch(precision="fp16"))
    request = Request(
        budget=Budget(hours=1.0),
        approaches=approaches,
        base_model=ModelSource(name=str(bert_folder)),
        task=task,
    )
    base = resolve(request.base_model)
    profile = profile_dataset(dataset, base, request)
    calibration = calibrate(dataset, base, basis_for(profile, base, request), approaches, hardware)
    assert calibration.arms == ()
    reasons = dict(calibration.skipped)
    assert reasons.keys() == {"lora", "full", "scratch"}
    assert "needs an NVIDIA card" in reasons["lora"]
    assert "needs an NVIDIA card" in reasons["full"]
    assert "precision is 'fp16'" in reasons["scratch"]


def test_an_arm_that_fits_when_it_recomputes_is_calibrated(
    dataset: Dataset,
    bert_folder: Path,
    hardware: Hardware,
    task: TextClassification,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = Request(
        budget=Budget(hours=1.0),
        approaches=(Full(batch_size=64),),
        base_model=ModelSource(name=str(bert_folder)),
        task=task,
    )
    base = resolve(request.base_model)
    profile = profile_dataset(dataset, base, request)
    basis = basis_for(profile, base, request)
    always = Full(batch_size=64, gradient_checkpointing="always")
    least = memory_bytes(always, base.architecture, task.max_length) / GIB
    small = with_memory(hardware, least * 1.01)
    monkeypatch.setattr("zenml_ftvr.train.settle.detect", lambda: small)
    fits = calibrate(dataset, base, basis, request.approaches, small)
    assert [arm.kind for arm in fits.arms] == ["full"]
    never = (Full(batch_size=64, gradient_checkpointing="never"),)
    ((kind, why),) = calibrate(dataset, base, basis, never, small).skipped
    assert kind == "full"
    assert "by arithmetic" in why
