"""Operations and hours: by hand, against torch's counter, and by what must hold."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.approaches import lora
from zenml_ftvr.decide.accelerators import accelerator_named
from zenml_ftvr.decide.flops import (
    flops_per_token,
    forward_flops_per_token,
    frozen_flops_per_token,
    hours_for,
    own_shape,
    training_flops,
)
from zenml_ftvr.decide.shapes import ModelShape, shape_of
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import (
    Accelerator,
    Baseline,
    Contrastive,
    Full,
    Head,
    Lora,
    Partial,
    Scratch,
)


def bert(layers: int = 6, hidden: int = 384, heads: int = 12) -> ModelShape:
    return shape_of(
        {
            "model_type": "bert",
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "intermediate_size": 4 * hidden,
            "vocab_size": 30522,
            "type_vocab_size": 2,
            "max_position_embeddings": 512,
        }
    )


LLAMA = shape_of(
    {
        "model_type": "llama",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "intermediate_size": 11008,
        "vocab_size": 32000,
    }
)


def test_causal_training_is_six_operations_a_weight_and_six_l_s_h() -> None:
    body = 6_738_415_616 - 32_000 * 4_096
    expected = 6 * body + 6 * 32 * 2_048 * 4_096
    assert flops_per_token(Full(), LLAMA, 2_048) == pytest.approx(expected)


def test_a_forward_pass_counts_what_torch_counts() -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoConfig, AutoModel

    shape = bert(layers=2, hidden=64, heads=4)
    config = AutoConfig.for_model(
        "bert", hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=256
    )
    model = AutoModel.from_config(config, attn_implementation="eager").eval()
    tokens = torch.ones((3, 50), dtype=torch.long)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(input_ids=tokens, attention_mask=tokens)
    ours = forward_flops_per_token(shape, 50) * tokens.numel()
    # Ours counts biases, norms, positions and the pooler as matrices over all tokens.
    assert counter.get_total_flops() == pytest.approx(ours, rel=0.35)
    blocks = 2 * (4 * 64**2 + 2 * 64 * 256)
    in_blocks = (2 * blocks + 4 * 2 * 50 * 64) * tokens.numel()
    pooler = 2 * 64 * 64 * 3
    assert counter.get_total_flops() == pytest.approx(in_blocks + pooler, rel=1e-6)


def test_at_real_sizes_the_body_is_nearly_all_blocks() -> None:
    shape = bert(layers=12, hidden=768)
    blocks = 12 * (4 * 768**2 + 2 * 768 * 3072)
    attention = 4 * 12 * 128 * 768
    assert forward_flops_per_token(shape, 128) == pytest.approx(2 * blocks + attention, rel=0.02)


def test_training_all_costs_three_forward_passes() -> None:
    shape = bert()
    forward = forward_flops_per_token(shape, 128)
    assert flops_per_token(Full(), shape, 128) == pytest.approx(3 * forward)
    assert flops_per_token(Contrastive(), shape, 128) == pytest.approx(3 * forward)
    assert flops_per_token(Head(), shape, 128) == pytest.approx(forward)
    assert flops_per_token(Baseline(), shape, 128) == 0


def test_adapters_leave_out_the_gradients_of_the_frozen_weights() -> None:
    shape = bert(layers=12, hidden=768)
    base, rank = shape.architecture, 16
    full, adapted = (
        flops_per_token(approach, shape, 128) for approach in (Full(), Lora(rank=rank))
    )
    saved = 2 * base.n_body_params - 6 * lora.adapter_params(base, rank)
    assert full - adapted == pytest.approx(saved)
    # The share of Schulman et al. 2025 holds for square matrices; feed-forward ones are not.
    assert 2 / 3 < adapted / full < 2 / 3 + 2 * rank / base.hidden


def test_a_language_models_shared_output_layer_is_multiplied_too() -> None:
    tied = dataclasses.replace(LLAMA, shared_output_params=1_000_000)
    more = flops_per_token(Full(), tied, 128) - flops_per_token(Full(), LLAMA, 128)
    assert more == pytest.approx(6_000_000)
    lora_more = flops_per_token(Lora(rank=8), tied, 128) - flops_per_token(Lora(rank=8), LLAMA, 128)
    assert lora_more == pytest.approx(4_000_000)


@given(layers=st.integers(1, 6))
def test_frozen_and_trained_layers_together_are_the_model(layers: int) -> None:
    shape = bert()
    approach = Partial(layers=layers)
    once, each = (
        counted(approach, shape, 128) for counted in (frozen_flops_per_token, flops_per_token)
    )
    assert once + each / 3 == pytest.approx(forward_flops_per_token(shape, 128))


def test_partial_passes_what_is_frozen_once_and_the_rest_every_epoch() -> None:
    shape = bert()
    one, four = (
        training_flops(Partial(layers=2, epochs=epochs), shape, 1_000, 128) for epochs in (1.0, 4.0)
    )
    frozen = frozen_flops_per_token(Partial(layers=2), shape, 128) * 128_000
    assert frozen > 0
    assert four - frozen == pytest.approx(4 * (one - frozen))


def test_contrastive_sees_two_texts_a_pair_and_not_the_rows() -> None:
    shape = bert()
    approach = Contrastive(pairs=500)
    few, many = (training_flops(approach, shape, rows, 64) for rows in (10, 10_000))
    assert few == many == pytest.approx(1_000 * 64 * flops_per_token(approach, shape, 64))


def test_scratch_is_counted_on_its_own_small_model() -> None:
    approach = Scratch(depth=2, vocabulary_size=4_000, epochs=16.0)
    own = own_shape(approach, 128)
    assert own.architecture.hidden == 128
    small = training_flops(approach, own, 1_000, 128)
    assert 0 < small < training_flops(Full(epochs=4.0), bert(), 1_000, 128)


@given(
    approach=st.sampled_from([Head(), Full(epochs=2.0), Lora(epochs=2.0, rank=8), Scratch()]),
    rows=st.integers(1, 10_000),
    length=st.integers(8, 512),
)
def test_more_rows_and_longer_ones_never_cost_less(
    approach: Head | Full | Lora | Scratch, rows: int, length: int
) -> None:
    here = training_flops(approach, bert(), rows, length)
    assert here < training_flops(approach, bert(), rows + 1, length)
    assert here < training_flops(approach, bert(), rows, length + 1)


def a100() -> Accelerator:
    found = accelerator_named("NVIDIA A100-SXM4-80GB")
    assert found is not None
    return found


def test_hours_follow_from_peak_and_utilisation() -> None:
    assert hours_for(312e12 * 3_600, a100(), "bf16", 0.5) == pytest.approx(2)
    assert hours_for(312e12 * 3_600, a100(), "bf16", 0.5, n_devices=4) == pytest.approx(0.5)


def test_a_precision_without_a_fast_path_is_refused() -> None:
    t4 = accelerator_named("Tesla T4")
    assert t4 is not None
    with pytest.raises(
        ConfigurationError, match=r"T4 has no fast path for bf16\. Take one of fp32"
    ):
        hours_for(1e15, t4, "bf16", 0.3)


@pytest.mark.parametrize("utilisation", [0.0, -0.1, 1.01])
def test_a_utilisation_that_cannot_be_is_refused(utilisation: float) -> None:
    with pytest.raises(ConfigurationError, match="utilisation is"):
        hours_for(1e15, a100(), "bf16", utilisation)
