"""What a training, a generation and a checkpoint take, beyond what `approaches.memory` counts."""

from __future__ import annotations

from typing import assert_never

from zenml_ftvr.approaches.facts import FULL_PRECISION_BYTES, GIB
from zenml_ftvr.approaches.memory import (
    HALF_PRECISION_BYTES,
    trainable_params,
    training_memory,
)
from zenml_ftvr.decide.shapes import ModelShape
from zenml_ftvr.values import (
    Approach,
    Baseline,
    Contrastive,
    Full,
    Head,
    Lora,
    Partial,
    Scratch,
)
from zenml_ftvr.values.accelerator import MemorySettings, TrainingMemory

__all__ = ["checkpoint_bytes", "fits", "kv_cache_bytes"]

ALLOCATOR_SHARE = 0.2
"""What the allocator may hold beyond what is in use: the upper end of the 10 to 20 % usually seen;
a judgement."""


def fits(memory: TrainingMemory, device_memory_gib: float) -> bool:
    """Whether a training fits a device, with room for what the allocator cannot use."""
    return memory.peak * (1 + ALLOCATOR_SHARE) <= device_memory_gib * GIB


def kv_cache_bytes(
    shape: ModelShape, batch_size: int, n_tokens: int, bytes_per_value: int = HALF_PRECISION_BYTES
) -> int:
    """Keys and values that generating `n_tokens` (prompt included) keeps: 2 L T d_kv a sequence.

    For an encoder-decoder the decoder's own, and those of the encoded input taken as long.
    """
    base = shape.architecture
    layers = 2 * base.cross_layers if base.cross_layers else base.layers
    return 2 * layers * n_tokens * base.keys * batch_size * bytes_per_value


def checkpoint_bytes(approach: Approach, shape: ModelShape, settings: MemorySettings) -> int:
    """One checkpoint on disk: weights in 32 bits, of LoRA the adapters alone, and the moments.

    Scheduler, random state and the trainer's journal add kilobytes.
    """
    base = shape.architecture
    trained = trainable_params(approach, base)
    memory = training_memory(approach, base, settings)
    match approach:
        case Baseline() | Head():
            return 0
        case Lora():
            return FULL_PRECISION_BYTES * trained + memory.optimiser
        case Full() | Contrastive() | Scratch() | Partial():
            return FULL_PRECISION_BYTES * base.n_params + memory.optimiser
        case _:
            assert_never(approach)
