"""Adapters: rank, FLOPs and memory by hand, and the arithmetic against what PEFT builds."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from zenml_ftvr.approaches import Architecture, TrainingFacts, lora, resolve
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.models import build
from zenml_ftvr.models import resolve as resolve_base
from zenml_ftvr.values import Approach, Lora, ModelSource, TrainingPlan

MINILM = Architecture(
    layers=6,
    hidden=384,
    heads=12,
    intermediate=1536,
    vocabulary_size=30_522,
    n_params=22_713_216,
)
IN_OUT = 6 * (8 * 384 + 2 * (384 + 1536))  # 41,472 weights of rank 1, 82,944 bits
BODY = 22_713_216 - 30_522 * 384


def facts(n_train: int, n_classes: int = 2, **more: Any) -> TrainingFacts:
    return TrainingFacts(
        n_train=n_train,
        n_validation=800,
        n_test=800,
        n_classes=n_classes,
        n_words=80_000,
        architecture=MINILM,
        **more,
    )


@pytest.mark.parametrize("rank", [1, 4])
@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_the_arithmetic_counts_what_peft_adds_to_the_blocks(
    family: str, rank: int, base_folders: dict[str, Path], plan_of: Callable[..., TrainingPlan]
) -> None:
    folder = base_folders[family]
    base = resolve_base(ModelSource(name=str(folder)))
    model = build(plan_of(Lora(rank=rank), base=folder), base, []).model
    added = [
        parameter.numel()
        for name, parameter in model.named_parameters()
        if ".lora_" in name and ".layer." in name
    ]
    assert sum(added) == lora.adapter_params(base.architecture, rank) > 0


def test_a_weight_holds_two_bits() -> None:
    assert lora.capacity_bits(1_000) == 2_000


@pytest.mark.parametrize(
    ("known", "rank", "said"),
    [
        # log2(2) bits a row; a rank holds 82,944 of them.
        (facts(2_000), 16, "rank 16, the least .* at most 2,000 bits, for which rank 1 has room"),
        (facts(1_327_104), 16, "rank 16, a power of two: .* rank 16 has room"),
        (facts(1_327_105), 32, "rank 32, a power of two: .* rank 17 has room"),
        (facts(1_327_105, 4), 64, "rank 64, .* rank 33 has room"),
        (facts(10**9), 256, "rank 256, the most .* rank 12,057 has room"),
        # Where a row's target is more than a class: a bit a token, say.
        (facts(2_000, target_bits=2e6), 32, "at most 2,000,000 bits, for which rank 25 has room"),
    ],
)
def test_the_rank_holds_what_the_data_can_teach(known: TrainingFacts, rank: int, said: str) -> None:
    resolved, reasons = resolve(Lora(), known)
    assert isinstance(resolved, Lora)
    assert resolved.rank == rank
    assert re.search(said, reasons[-1])


def test_no_rank_is_above_the_width() -> None:
    narrow = dataclasses.replace(MINILM, hidden=12, intermediate=48)
    for n_train in (100, 10**9):
        rank, why = lora.rank_for(dataclasses.replace(facts(n_train), architecture=narrow))
        assert rank == 8
        assert why.startswith("rank 8")


@given(n_train=st.integers(2, 10**9), more=st.integers(1, 10**9), n_classes=st.integers(2, 1_000))
def test_more_data_never_gets_a_lower_rank(n_train: int, more: int, n_classes: int) -> None:
    few, _ = lora.rank_for(facts(n_train, n_classes))
    many, _ = lora.rank_for(facts(n_train + more, n_classes))
    assert few <= many
    assert few & (few - 1) == 0
    assert lora.RANK <= few <= lora.MOST_RANK


def test_the_plan_of_a_real_base_knows_its_sizes(
    plan_of: Callable[..., TrainingPlan],
) -> None:
    plan = plan_of(Lora())
    assert any("rank 16, the least" in reason and "bits" in reason for reason in plan.reasons)


def test_what_the_user_set_of_the_variants_is_kept() -> None:
    mine = Lora(
        learning_rate=3e-4,
        epochs=2.5,
        batch_size=4,
        rank=2,
        variant="dora",
        plus_ratio=16.0,
        quantise="4bit",
        gradient_checkpointing="never",
        precision="bf16",
        start="solved_head",
    )
    assert resolve(mine, facts(2_000)) == (mine, ())


def test_b_matrices_never_learn_slower() -> None:
    with pytest.raises(ConfigurationError, match=r"plus_ratio is 0\.5; it must be at least 1"):
        Lora(plus_ratio=0.5)
    with pytest.raises(ConfigurationError, match="plus_ratio is nan"):
        Lora(plus_ratio=float("nan"))


@pytest.mark.parametrize(
    ("knob", "value"), [("variant", "qlora"), ("quantise", "8bit"), ("precision", "fp8")]
)
def test_a_knob_that_is_set_to_what_it_has_not_is_named(knob: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"Lora\.{knob}.*'{value}'"):
        TypeAdapter(Lora).validate_python({knob: value})


def test_the_knobs_survive_json() -> None:
    adapter: TypeAdapter[Approach] = TypeAdapter(Approach)
    mine = Lora(variant="dora", quantise="4bit", precision="bf16", start="solved_head")
    assert adapter.validate_json(adapter.dump_json(mine)) == mine
    assert adapter.validate_python({"kind": "lora", "rank": 4}) == Lora(rank=4)  # as before


def test_checkpointing_makes_the_forward_pass_again() -> None:
    plain = lora.flops_per_token(MINILM, 16)
    again = lora.flops_per_token(MINILM, 16, Lora(gradient_checkpointing="always"))
    assert again - plain == pytest.approx(2 * (BODY + 16 * IN_OUT))


def kept_bytes(plan: TrainingPlan) -> int:
    """Bytes that a forward pass keeps for the backward pass, weights left out, counted by torch."""
    import torch

    base = resolve_base(plan.model)  # type: ignore[arg-type]
    model = build(plan, base, []).model.train()
    weights = {weight.data_ptr() for weight in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids = torch.full((16, 32), 5)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        answer = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids[:, 0] * 0)
        assert answer.loss.requires_grad
    return sum(kept.values())


def test_what_dora_keeps_beside_is_what_torch_counts(plan_of: Callable[..., TrainingPlan]) -> None:
    # Without dropout in either, so that nothing else differs.
    from zenml_ftvr.approaches import lora as arithmetic

    plain, lengths = plan_of(Lora(rank=2)), plan_of(Lora(rank=2, variant="dora"))
    base = resolve_base(plain.model)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(arithmetic, "DROPOUT", 0.0)
        beside = kept_bytes(lengths) - kept_bytes(plain)
    predicted = 2 * 16 * 32 * base.architecture.linear_out * 4
    assert 0.7 * predicted < beside < 1.3 * predicted
