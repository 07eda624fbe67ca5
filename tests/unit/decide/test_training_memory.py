"""Bytes of training, generation and checkpoints: by hand, against published sums, and on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.approaches import lora
from zenml_ftvr.approaches.facts import Kept, layer_activation_bytes
from zenml_ftvr.approaches.memory import memory_bytes, trainable_params, training_memory
from zenml_ftvr.decide.memory import checkpoint_bytes, fits, kv_cache_bytes
from zenml_ftvr.decide.shapes import ModelShape, shape_of
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import (
    Approach,
    Baseline,
    Contrastive,
    Full,
    Head,
    Lora,
    MemorySettings,
    Partial,
    Scratch,
    TrainingMemory,
)

LLAMA_7B: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "intermediate_size": 11008,
    "vocab_size": 32000,
}
LLAMA = shape_of(LLAMA_7B)
N_LLAMA = 6_738_415_616
MINILM = shape_of(
    {
        "model_type": "bert",
        "hidden_size": 384,
        "num_hidden_layers": 6,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
        "vocab_size": 30522,
        "type_vocab_size": 2,
        "max_position_embeddings": 512,
    }
)
EAGER = MemorySettings(batch_size=16, length=128, attention="eager")


def gpt3_shape() -> ModelShape:
    base = dataclasses.replace(MINILM.architecture, hidden=12_288, heads=96, intermediate=49_152)
    return dataclasses.replace(MINILM, architecture=base)


def sums(approach: Approach, shape: ModelShape, settings: MemorySettings) -> TrainingMemory:
    return training_memory(approach, shape.architecture, settings)


def test_a_cpu_holds_more_than_an_accelerator() -> None:
    approach = Full(batch_size=16)
    on = [memory_bytes(approach, MINILM.architecture, 128, device=one) for one in ("cpu", "cuda")]  # type: ignore[arg-type]
    assert on[0] > 1.5 * on[1]


def test_a_layer_of_the_papers_shape_keeps_what_the_paper_says() -> None:
    base, s, b = gpt3_shape().architecture, 2_048, 3
    h, a = base.hidden, base.heads
    eager, fused = Kept(number=2, attention="eager"), Kept(number=2)
    assert layer_activation_bytes(base, b, s, eager) == s * b * h * 34 + 5 * a * s * s * b
    assert layer_activation_bytes(base, b, s, fused) == 34 * s * b * h


def test_with_full_checkpointing_a_layer_keeps_two_bytes_a_value_of_its_input() -> None:
    settings = MemorySettings(
        batch_size=2, length=64, precision="bf16_mixed", checkpointing="full", attention="eager"
    )
    once = layer_activation_bytes(MINILM.architecture, 2, 64, Kept(number=2, attention="eager"))
    embedded = 2 * 64 * 384 * (2 * 2 + 1)
    kept = sums(Full(), MINILM, settings).activations
    assert kept == 6 * 2 * 64 * 2 * 384 + (6 * once + embedded) // 6


def test_adam_in_32_bits_is_sixteen_bytes_a_weight() -> None:
    memory = sums(Full(), LLAMA, MemorySettings(batch_size=1, length=8))
    assert memory.weights + memory.gradients + memory.optimiser == 16 * N_LLAMA


def test_mixed_precision_adds_a_copy_and_8_bit_moments_save_six_bytes() -> None:
    mixed = MemorySettings(batch_size=1, length=8, precision="bf16_mixed")
    memory = sums(Full(), LLAMA, mixed)
    assert memory.weights + memory.gradients + memory.optimiser == 18 * N_LLAMA
    small = sums(Full(), LLAMA, dataclasses.replace(mixed, optimiser="adamw_8bit"))
    # Those of embeddings keep 32 bits.
    body = N_LLAMA - 32_000 * 4_096
    assert memory.optimiser - small.optimiser == pytest.approx(6 * body, rel=1e-3)


def test_adapters_on_a_16_bit_base_are_two_bytes_a_weight_and_sixteen_an_adapter() -> None:
    """Biderman et al. 2024, appendix H: 15.12 GB for 7e9 weights of which 1 % is trained."""
    settings = MemorySettings(batch_size=1, length=8, frozen="bf16")
    memory = sums(Lora(rank=28), LLAMA, settings)
    adapters = lora.adapter_params(LLAMA.architecture, 28)
    assert adapters == pytest.approx(0.01 * N_LLAMA, rel=0.05)
    held = memory.weights + memory.gradients + memory.optimiser
    assert held == 2 * N_LLAMA + 16 * adapters
    assert held == pytest.approx(15.12e9 * N_LLAMA / 7e9, rel=0.01)


def test_a_4_bit_base_of_seven_billion_takes_about_four_gigabytes() -> None:
    settings = MemorySettings(batch_size=1, length=8, frozen="nf4")
    memory = sums(Lora(rank=1), LLAMA, settings)
    assert 3.4e9 < memory.weights < 4.2e9


def test_llama_adapters_of_rank_one_are_two_and_a_half_million() -> None:
    assert trainable_params(Lora(rank=1), LLAMA.architecture) == pytest.approx(2.50e6, rel=0.01)


def test_only_what_is_trained_has_gradients_and_moments() -> None:
    settings = MemorySettings(batch_size=4, length=32)
    approaches: list[Approach] = [Head(), Lora(rank=4), Partial(layers=2), Full()]
    held = [sums(one, MINILM, settings) for one in approaches]
    assert held[0].gradients == held[0].optimiser == 0
    for memory, approach in zip(held, approaches, strict=True):
        assert memory.optimiser == 2 * memory.gradients
        assert memory.gradients == 4 * trainable_params(approach, MINILM.architecture)
    totals = [memory.total for memory in held]
    assert totals[0] == min(totals)
    assert totals[-1] == max(totals)
    assert sums(Baseline(), MINILM, settings).total == 0


def test_a_language_models_predictions_are_held_for_every_token() -> None:
    settings = MemorySettings(batch_size=2, length=100, n_outputs=32_000, outputs_per="token")
    assert sums(Full(), LLAMA, settings).outputs == 2 * 100 * 32_000 * 8


def test_with_a_gate_and_fewer_keys_a_layer_keeps_other_sums() -> None:
    config = {**LLAMA_7B, "num_key_value_heads": 8, "model_type": "mistral"}
    base = shape_of(config).architecture
    per_token = layer_activation_bytes(base, 1, 1, Kept(number=2))
    attention = 2 * 4096 + 2 * 4096 + 4 * 1024 + 2 * 4096
    assert per_token == attention + (2 * 4096 + 8 * 11_008) + 8 * 4096


settings_of = st.builds(
    MemorySettings,
    batch_size=st.integers(1, 64),
    length=st.integers(8, 1_024),
    precision=st.sampled_from(["fp32", "bf16_mixed"]),
    optimiser=st.sampled_from(["adamw", "adamw_8bit"]),
    checkpointing=st.sampled_from(["none", "full"]),
    attention=st.sampled_from(["eager", "fused"]),
    frozen=st.sampled_from(["fp32", "bf16", "nf4"]),
)
trained = st.sampled_from([Full(), Lora(rank=4), Partial(layers=3), Scratch(), Contrastive()])


@given(approach=trained, settings=settings_of)
def test_every_saving_saves_and_more_rows_take_more(
    approach: Approach, settings: MemorySettings
) -> None:
    def total(**changes: Any) -> int:
        return sums(approach, MINILM, dataclasses.replace(settings, **changes)).total

    assert total(optimiser="adamw_8bit") < total(optimiser="adamw")
    assert total(attention="fused") < total(attention="eager")
    assert max(total(frozen="nf4"), total(frozen="bf16")) <= total(frozen="fp32")
    assert total() < total(batch_size=settings.batch_size + 1)
    assert total() < total(length=settings.length + 1)


def test_checkpointing_saves_where_there_are_several_layers() -> None:
    none, full = (
        sums(Full(), LLAMA, MemorySettings(batch_size=1, length=4_096, checkpointing=one))
        for one in ("none", "full")
    )
    assert full.activations < none.activations / 10


def test_what_fits_leaves_room_for_the_allocator() -> None:
    memory = sums(Full(), LLAMA, MemorySettings(batch_size=1, length=8))
    gib = memory.peak / 2**30
    assert not fits(memory, 1.19 * gib)
    assert fits(memory, 1.21 * gib)


def test_keys_and_values_of_a_sequence() -> None:
    """Two of 32 layers, 4,096 wide, 16-bit: half a MiB a token."""
    assert kv_cache_bytes(LLAMA, 1, 1) == 2**19
    grouped = shape_of({**LLAMA_7B, "num_key_value_heads": 8})
    assert kv_cache_bytes(grouped, 3, 10) == 3 * 10 * 2**17


def test_a_checkpoint_holds_what_transformers_writes(tmp_path: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModel

    entries = {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 256,
        "vocab_size": 2_000,
        "type_vocab_size": 2,
        "max_position_embeddings": 64,
    }
    shape = shape_of({"model_type": "bert", **entries})
    model = AutoModel.from_config(AutoConfig.for_model("bert", **entries))
    optimiser = torch.optim.AdamW(model.parameters())
    sum(parameter.sum() for parameter in model.parameters()).backward()
    optimiser.step()
    model.save_pretrained(tmp_path)
    torch.save(optimiser.state_dict(), tmp_path / "optimizer.pt")
    written = sum(file.stat().st_size for file in tmp_path.iterdir())
    predicted = checkpoint_bytes(Full(), shape, MemorySettings(batch_size=1, length=8))
    assert written == pytest.approx(predicted, rel=0.02)


def test_a_checkpoint_of_adapters_is_small_and_a_solved_head_has_none() -> None:
    settings = MemorySettings(batch_size=1, length=8)
    adapters = lora.adapter_params(LLAMA.architecture, 16)
    assert checkpoint_bytes(Lora(rank=16), LLAMA, settings) == 12 * adapters
    assert checkpoint_bytes(Full(), LLAMA, settings) == 12 * N_LLAMA
    assert checkpoint_bytes(Head(), MINILM, settings) == 0


@pytest.mark.parametrize("name", ["batch_size", "length", "n_outputs"])
def test_settings_without_rows_tokens_or_outputs_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"MemorySettings.{name} is 0"):
        dataclasses.replace(EAGER, **{name: 0})
