"""What a training holds: by hand, and against what torch keeps for the backward pass."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from zenml_ftvr.approaches import Architecture, lora, memory_bytes
from zenml_ftvr.approaches.facts import activation_bytes, kept_on
from zenml_ftvr.approaches.memory import memory_settings, training_memory
from zenml_ftvr.decide.shapes import shape_of
from zenml_ftvr.values import Approach, Full, Head, Lora, Partial, TrainingMemory

MINILM = Architecture(
    layers=6,
    hidden=384,
    heads=12,
    intermediate=1536,
    vocabulary_size=30_522,
    n_params=22_713_216,
)
BODY = 22_713_216 - 30_522 * 384
EMBEDDINGS = 30_522 * 384
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 256,
        "type_vocab_size": 2,
        "max_position_embeddings": 64,
    },
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64, "pad_token_id": 0},
    "llama": {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 176,
        "pad_token_id": 0,
    },
}


def held(approach: Approach, length: int = 128, **settings: Any) -> TrainingMemory:
    asked = dataclasses.replace(memory_settings(approach, MINILM, length), **settings)
    return training_memory(approach, MINILM, asked)


def bytes_kept_by_torch(family: str, rank: int, n_layers: int) -> int:
    """What a forward pass keeps of 4 texts of 32 tokens, weights left out."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForSequenceClassification

    layers = "n_layer" if family == "gpt2" else "num_hidden_layers"
    entries = {**CONFIGS[family], layers: n_layers, "vocab_size": 1_000, "use_cache": False}
    config = AutoConfig.for_model(family, **entries, bos_token_id=1, eos_token_id=2)
    model: Any = AutoModelForSequenceClassification.from_config(config)
    if rank:
        settings = LoraConfig(
            r=rank, target_modules="all-linear", lora_dropout=lora.DROPOUT, task_type="SEQ_CLS"
        )
        model = get_peft_model(model, settings)
    model.train()
    weights = {one.untyped_storage().data_ptr() for one in model.parameters()}
    kept: dict[int, int] = {}
    alive = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        alive.append(tensor)  # else another tensor could get its address
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids = torch.arange(3, 131).reshape(4, 32)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids[:, 0] * 0)
    return sum(kept.values())


@pytest.mark.parametrize("family", list(CONFIGS))
def test_a_layer_keeps_what_torch_counts(family: str) -> None:
    one, three = (bytes_kept_by_torch(family, 0, n_layers) for n_layers in (1, 3))
    entries = {"model_type": family, "vocab_size": 1_000, **CONFIGS[family]}
    base = shape_of(entries).architecture
    kept = kept_on("cpu", "fp32", drops=base.dropout)
    ours = [
        activation_bytes(dataclasses.replace(base, layers=n_layers), 4, 32, kept)
        for n_layers in (1, 3)
    ]
    assert three - one == pytest.approx(ours[1] - ours[0], rel=0.02)


def test_adapters_keep_what_torch_counts() -> None:
    one, three = (bytes_kept_by_torch("bert", 8, n_layers) for n_layers in (1, 3))
    base = shape_of({"model_type": "bert", "vocab_size": 1_000, **CONFIGS["bert"]}).architecture
    ours = []
    for n_layers in (1, 3):
        sized = dataclasses.replace(base, layers=n_layers)
        approach = Lora(rank=8, batch_size=4)
        settings = memory_settings(approach, sized, 32)
        ours.append(training_memory(approach, sized, settings).activations)
    assert three - one == pytest.approx(ours[1] - ours[0], rel=0.03)


def test_full_fine_tuning_is_sixteen_bytes_a_weight() -> None:
    memory = held(Full(batch_size=16))
    assert memory.weights + memory.gradients + memory.optimiser == 16 * 22_713_216


def test_adapters_are_sixteen_bytes_a_weight_beside_a_frozen_base() -> None:
    memory = held(Lora(batch_size=16, rank=8))
    trained = 8 * 6 * (8 * 384 + 2 * (384 + 1536))
    assert memory.held == 4 * 22_713_216 + 16 * trained


def test_the_last_layers_alone_have_gradients_and_activations() -> None:
    memory, all_of_it = held(Partial(layers=2, batch_size=16)), held(Full(batch_size=16))
    assert memory.gradients == 4 * (BODY // 3)
    assert memory.activations == all_of_it.activations // 3


def test_moments_of_a_byte_save_six_bytes_a_weight_but_not_of_embeddings() -> None:
    memory = held(Full(batch_size=16, optimiser="adamw_8bit"))
    assert memory.optimiser == pytest.approx(2 * BODY + 8 * EMBEDDINGS, rel=1e-3)


def test_a_base_in_four_bits_takes_half_a_byte_a_weight_and_its_embeddings_four() -> None:
    memory = held(Lora(batch_size=16, rank=8, quantise="4bit"))
    adapters = 4 * lora.adapter_params(MINILM, 8)
    assert memory.weights - adapters == pytest.approx((4.127 / 8) * BODY + 4 * EMBEDDINGS, rel=1e-6)


def test_sixteen_bits_halve_what_an_accelerator_keeps_and_copy_the_weights() -> None:
    plain, rounded = (
        held(Full(batch_size=16, precision=one), device="cuda")  # type: ignore[arg-type]
        for one in ("fp32", "bf16")
    )
    assert rounded.weights - plain.weights == 2 * 22_713_216
    masks = 16 * 128 * 384 * (6 * 2 + 1)
    assert rounded.activations - masks == (plain.activations - masks) // 2


def test_checkpointing_keeps_the_inputs_of_the_layers_and_one_layer() -> None:
    all_of_it = held(Full(batch_size=16)).activations
    kept = held(Full(batch_size=16, gradient_checkpointing="always")).activations
    assert kept == 6 * 16 * 128 * 384 * 4 + all_of_it // 6


def test_dora_keeps_two_more_answers_of_each_linear_layer() -> None:
    answers = 2 * 16 * 128 * 6 * (5 * 384 + 1536) * 4
    plain, dora = (
        held(Lora(batch_size=16, rank=8, variant=one), device="cuda").activations  # type: ignore[arg-type]
        for one in ("lora", "dora")
    )
    masks = 16 * 128 * MINILM.linear_in  # of the dropout that DoRA goes without
    assert dora - plain == answers - masks


def test_on_a_cpu_adapters_hold_more_than_all_of_a_small_model_at_full_length() -> None:
    """Measured: 1.40 GiB with adapters, 1.11 without (benchmarks/results/cost.jsonl)."""
    adapters, everything = (
        memory_bytes(one, MINILM, 128)
        for one in (Lora(batch_size=16, rank=16), Full(batch_size=16))
    )
    assert adapters > everything


def test_a_head_needs_a_copy_of_the_weights_and_one_layer() -> None:
    needed = memory_bytes(Head(), MINILM, 128)
    assert needed > 4 * 22_713_216
    assert needed < memory_bytes(Full(batch_size=32), MINILM, 128) / 3
