"""Full fine-tuning: what its knobs cost, by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.approaches import Architecture, memory_bytes
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


@given(batch_size=st.integers(1, 256), length=st.integers(8, 4_096))
def test_no_knob_that_saves_memory_costs_any(batch_size: int, length: int) -> None:
    def needed(**knobs: str) -> int:
        approach = Full(batch_size=batch_size, **knobs)  # type: ignore[arg-type]
        return memory_bytes(approach, MINILM, length, device="cuda")

    assert needed(gradient_checkpointing="always") <= needed(gradient_checkpointing="never")
    assert needed(optimiser="adamw_8bit") < needed()
    assert needed(precision="bf16", gradient_checkpointing="always") <= needed(precision="bf16")
