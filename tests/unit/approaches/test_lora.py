"""Adapters: the arithmetic against what PEFT builds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zenml_ftvr.approaches import lora
from zenml_ftvr.models import build, resolve
from zenml_ftvr.values import Lora, ModelSource, TrainingPlan


@pytest.mark.parametrize("rank", [1, 4])
@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_the_arithmetic_counts_what_peft_adds_to_the_blocks(
    family: str, rank: int, base_folders: dict[str, Path], plan_of: Callable[..., TrainingPlan]
) -> None:
    folder = base_folders[family]
    base = resolve(ModelSource(name=str(folder)))
    model = build(plan_of(Lora(rank=rank), base=folder), base, []).model
    added = [
        parameter.numel()
        for name, parameter in model.named_parameters()
        if ".lora_" in name and ".layer." in name
    ]
    assert sum(added) == lora.adapter_params(base.architecture, rank) > 0


def test_a_weight_holds_two_bits() -> None:
    assert lora.capacity_bits(1_000) == 2_000
