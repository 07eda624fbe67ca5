"""Bytes that a training, a generation and a checkpoint take, worked out before anything runs.

The measured peak of the calibration stands above these; they tell beforehand what cannot fit, and
what a setting would change.
"""

from __future__ import annotations

from typing import assert_never

from zenml_ftvr.approaches import Architecture, lora
from zenml_ftvr.approaches.facts import (
    FULL_PRECISION_BYTES,
    GIB,
    layer_activation_bytes,
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

__all__ = [
    "checkpoint_bytes",
    "fits",
    "kv_cache_bytes",
    "trainable_params",
    "training_memory",
]

HALF_PRECISION_BYTES = 2
ADAM_MOMENT_BYTES = 8  # two moments of 32 bits: Rajbhandari et al. 2020, arXiv 1910.02054, 3.1
QUANTISED_BLOCK = 2_048  # values that share a 32-bit scale: Dettmers et al. 2022, arXiv 2110.02861
ADAM_8BIT_MOMENT_BYTES = 2 * (1 + 4 / QUANTISED_BLOCK)
NF4_BYTES = (4 + 0.127) / 8
"""Four bits and the scales, themselves quantised: Dettmers et al. 2023, arXiv 2305.14314, 3 (the
0.127 from memory)."""
ALLOCATOR_SHARE = 0.2
"""What the allocator may hold beyond what is in use: the upper end of the 10 to 20 % usually seen;
a judgement."""


def trainable_params(approach: Approach, base: Architecture) -> int:
    """Weights that gradient steps change; task heads are left out, being small."""
    match approach:
        case Baseline() | Head():
            return 0
        case Full() | Contrastive() | Scratch():
            return base.n_params
        case Partial():
            return base.n_body_params * min(approach.layers or 1, base.layers) // base.layers
        case Lora():
            return lora.adapter_params(base, approach.rank or lora.RANK)
        case _:
            assert_never(approach)


def training_memory(
    approach: Approach, shape: ModelShape, settings: MemorySettings
) -> TrainingMemory:
    """What a resolved approach holds at its peak; `shape` as in `flops.flops_per_token`.

    Weights and gradients are 32-bit, and under mixed precision a 16-bit copy of the weights stands
    beside them: 18 bytes a trained weight with Adam, 16 without the copy (Rajbhandari et al. 2020).
    """
    base = shape.architecture
    trained = trainable_params(approach, base)
    # Adapters stand beside all weights of the base; otherwise trained ones are among them.
    frozen = base.n_params if isinstance(approach, Lora) else base.n_params - trained
    copy = HALF_PRECISION_BYTES if settings.precision == "bf16_mixed" else 0
    moments = ADAM_MOMENT_BYTES if settings.optimiser == "adamw" else ADAM_8BIT_MOMENT_BYTES
    texts = settings.batch_size * (2 if isinstance(approach, Contrastive) else 1)
    predictions = texts * settings.n_outputs
    if settings.outputs_per == "token":
        predictions *= settings.length
    is_neural = not isinstance(approach, Baseline)
    return TrainingMemory(
        weights=round(
            (_frozen_bytes(shape, frozen, settings) if is_neural else 0)
            + (FULL_PRECISION_BYTES + copy) * trained
        ),
        gradients=FULL_PRECISION_BYTES * trained,
        optimiser=round(moments * trained),
        activations=_activation_bytes(approach, base, settings, texts),
        outputs=2 * FULL_PRECISION_BYTES * predictions if is_neural else 0,
    )


def _frozen_bytes(shape: ModelShape, n_frozen: int, settings: MemorySettings) -> float:
    match settings.frozen:
        case "fp32":
            copy = HALF_PRECISION_BYTES if settings.precision == "bf16_mixed" else 0
            return (FULL_PRECISION_BYTES + copy) * n_frozen
        case "bf16":
            return HALF_PRECISION_BYTES * n_frozen
        case "nf4":
            # Only what multiplies matrices in blocks is quantised; embeddings stay at 16 bits.
            base = shape.architecture
            embedded = min(n_frozen, base.vocabulary_size * base.hidden)
            return HALF_PRECISION_BYTES * embedded + NF4_BYTES * (n_frozen - embedded)
        case _:
            assert_never(settings.frozen)


def _activation_bytes(
    approach: Approach, base: Architecture, settings: MemorySettings, texts: int
) -> int:
    """What backward passes need, or for a forward pass alone what one layer holds.

    Korthikanti et al. 2022, arXiv 2205.05198, 4.1 and 5: with full checkpointing 2 s b h a layer,
    and one layer in full while it is computed again. Doubled for 32 bits.
    """
    if isinstance(approach, Baseline):
        return 0
    a_layer = layer_activation_bytes(base, texts, settings.length, settings.attention)
    layers = base.layers
    if isinstance(approach, Partial):
        layers = min(approach.layers or 1, base.layers)
    if isinstance(approach, Head):
        kept = a_layer
    elif settings.checkpointing == "full":
        kept = 2 * settings.length * texts * base.hidden * layers + a_layer
    else:
        kept = a_layer * layers
    return kept * (2 if settings.precision == "fp32" else 1)


def fits(memory: TrainingMemory, device_memory_gib: float) -> bool:
    """Whether a training fits a device, with room for what the allocator cannot use."""
    return memory.total * (1 + ALLOCATOR_SHARE) <= device_memory_gib * GIB


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
    """A checkpoint on disk: 32-bit weights, for LoRA the adapters alone, and the optimiser's state.

    Scheduler, random state and the trainer's journal add kilobytes.
    """
    base = shape.architecture
    trained = trainable_params(approach, base)
    memory = training_memory(approach, shape, settings)
    match approach:
        case Baseline() | Head():
            return 0
        case Lora():
            return FULL_PRECISION_BYTES * trained + memory.optimiser
        case Full() | Contrastive() | Scratch() | Partial():
            return FULL_PRECISION_BYTES * base.n_params + memory.optimiser
        case _:
            assert_never(approach)
