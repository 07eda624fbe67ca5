"""Full fine-tuning: what its knobs cost, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.approaches import Architecture, TrainingFacts, full, memory_bytes, resolve
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import Full

MINILM = Architecture(
    layers=6,
    hidden=384,
    heads=12,
    intermediate=1536,
    vocabulary_size=30_522,
    n_params=22_713_216,
)
EMBEDDINGS = 30_522 * 384
BODY = 22_713_216 - EMBEDDINGS
ACTIVATIONS = 6 * 2 * 16 * 128 * 384 * (34 + 20)  # 16 rows of 128 tokens, 32 bits


@pytest.mark.parametrize("decay", [0.0, -0.5, 1.01, float("nan")])
def test_a_decay_is_a_share(decay: float) -> None:
    with pytest.raises(ConfigurationError, match=r"layer_decay is .* above 0 and at most 1"):
        Full(layer_decay=decay)


def test_what_the_user_set_is_kept() -> None:
    mine = Full(
        learning_rate=3e-5,
        epochs=1.5,
        batch_size=8,
        layer_decay=0.9,
        optimiser="adamw_8bit",
        gradient_checkpointing="always",
        precision="fp16",
        start="solved_head",
    )
    facts = TrainingFacts(n_train=2_000, n_validation=1, n_test=1, n_classes=2, n_words=1)
    assert resolve(mine, facts) == (mine, ())


def test_checkpointing_makes_the_forward_pass_twice() -> None:
    assert full.flops_per_token(MINILM, Full(gradient_checkpointing="always")) == 8 * BODY
    assert full.flops_per_token(MINILM, Full(gradient_checkpointing="auto")) == 6 * BODY


@given(batch_size=st.integers(1, 256), length=st.integers(8, 4_096))
def test_no_knob_that_saves_memory_costs_any(batch_size: int, length: int) -> None:
    def needed(**knobs: str) -> int:
        approach = Full(batch_size=batch_size, **knobs)  # type: ignore[arg-type]
        return memory_bytes(approach, MINILM, length, device="cuda")

    assert needed(gradient_checkpointing="always") <= needed(gradient_checkpointing="never")
    assert needed(optimiser="adamw_8bit") < needed()
    assert needed(precision="bf16", gradient_checkpointing="always") <= needed(precision="bf16")
