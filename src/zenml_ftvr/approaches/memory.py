"""Bytes that a training holds, worked out before anything runs: one arithmetic for all approaches.

The measured peak of a calibration stands above it. It tells beforehand what cannot fit, what a
setting would change, and how a measured peak changes with batch and length.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, assert_never

from zenml_ftvr.approaches import full, head, lora, scratch
from zenml_ftvr.approaches.facts import (
    FULL_PRECISION_BYTES,
    Architecture,
    ImageShape,
    Kept,
    activation_bytes,
    checkpointed_bytes,
    kept_on,
    layer_activation_bytes,
    number_bytes,
    working_bytes,
)
from zenml_ftvr.values import (
    Approach,
    Baseline,
    Contrastive,
    Form,
    Full,
    Head,
    Lora,
    MemorySettings,
    Partial,
    Scratch,
    TrainingMemory,
)

__all__ = ["memory_bytes", "memory_settings", "trainable_params", "training_memory"]

Device = Literal["cpu", "cuda", "mps"]

HALF_PRECISION_BYTES = 2
ADAM_MOMENT_BYTES = 8  # two moments of 32 bits: Rajbhandari et al. 2020, arXiv 1910.02054, 3.1
QUANTISED_BLOCK = 2_048  # values that share a 32-bit scale: Dettmers et al. 2022, arXiv 2110.02861
ADAM_8BIT_MOMENT_BYTES = 2 * (1 + 4 / QUANTISED_BLOCK)
HEAP_SHARE, HEAP_SHARE_OF_ADAPTERS = 0.4, 0.8
"""On a CPU, with glibc's allocator: resident memory above weights, gradients and moments was 1.3 to
1.5 times what torch keeps for the backward pass (full fine-tuning of MiniLM at 32 to 128 tokens,
benchmarks/results/cost.jsonl), and 1.8 to 1.9 times with adapters."""
NF4_BYTES = (4 + 0.127) / 8
"""Four bits and the scales, themselves quantised: Dettmers et al. 2023, arXiv 2305.14314, 3 (the
0.127 from memory)."""


def trainable_params(approach: Approach, base: Architecture) -> int:
    """Weights that gradient steps change; task heads are left out, being small."""
    match approach:
        case Baseline() | Head():
            return 0
        case Full() | Contrastive() | Scratch():
            return base.n_params
        case Partial():
            return int(base.n_body_params * min(1.0, (approach.layers or 1) / base.layers))
        case Lora():
            return lora.adapter_params(base, approach.rank or lora.RANK)
        case _:
            assert_never(approach)


def memory_settings(approach: Approach, base: Architecture, length: int) -> MemorySettings:
    """How a resolved approach trains on texts of `length` tokens on a CPU, as its knobs say.

    Knobs that the machine decides (`auto`) count as 32 bits and nothing recomputed; other devices
    by `dataclasses.replace`.
    """
    settings = MemorySettings(
        batch_size=head.BATCH_SIZE if isinstance(approach, Head) else full.BATCH_SIZE,
        length=length,
        device="cpu",
    )
    if isinstance(approach, Baseline | Head):
        return settings
    settings = dataclasses.replace(settings, batch_size=approach.batch_size or full.BATCH_SIZE)
    if isinstance(approach, Contrastive):
        return settings
    if number_bytes(approach.precision) == HALF_PRECISION_BYTES:
        settings = dataclasses.replace(settings, precision="bf16_mixed")
    match approach:
        case Full():
            settings = dataclasses.replace(settings, optimiser=approach.optimiser)
        case Lora(quantise="4bit"):
            settings = dataclasses.replace(settings, frozen="nf4")
    if isinstance(approach, Full | Lora) and approach.gradient_checkpointing == "always":
        settings = dataclasses.replace(settings, checkpointing="full")
    return settings


def memory_bytes(
    approach: Approach,
    base: Architecture | None,
    max_length: int,
    *,
    device: Device = "cpu",
    form: Form = "encoder",
    image: ImageShape | None = None,
) -> int:
    """Peak bytes of training a resolved approach at full length; 0 for `baseline`.

    `form` and `image` are of a model of our own, whose length an image's patches give.
    """
    if isinstance(approach, Scratch):
        depth = approach.depth or scratch.MIN_DEPTH
        pieces = approach.vocabulary_size or scratch.MIN_VOCABULARY
        base = scratch.architecture(depth, pieces, max_length, form, image)
        if base.image is not None:
            max_length = base.image.n_patches + 1
    if base is None or isinstance(approach, Baseline):
        return 0
    settings = memory_settings(approach, base, max_length)
    on_device = dataclasses.replace(settings, device=device)
    return training_memory(approach, base, on_device).peak


def training_memory(
    approach: Approach, base: Architecture, settings: MemorySettings
) -> TrainingMemory:
    """What a resolved approach holds; `base` is the base model, for `scratch` the model itself.

    Weights and gradients are 32-bit, and under mixed precision a 16-bit copy of the weights stands
    beside them: 18 bytes a trained weight with Adam, 16 without the copy (Rajbhandari et al. 2020).
    """
    if isinstance(approach, Baseline):
        return TrainingMemory(weights=0, gradients=0, optimiser=0, activations=0, outputs=0)
    trained = trainable_params(approach, base)
    # Adapters stand beside all weights of the base; otherwise trained ones are among them.
    frozen = base.n_params if isinstance(approach, Lora) else base.n_params - trained
    copy = HALF_PRECISION_BYTES if settings.precision == "bf16_mixed" else 0
    texts = settings.batch_size * (2 if isinstance(approach, Contrastive) else 1)
    predictions = texts * settings.n_outputs
    if settings.outputs_per == "token":
        predictions *= settings.length
    kept = _kept(base, settings)
    frozen_bytes = _frozen_bytes(base, frozen, settings)
    on_host = settings.device == "cpu"
    heap = HEAP_SHARE_OF_ADAPTERS if isinstance(approach, Lora) else HEAP_SHARE
    return TrainingMemory(
        weights=round(frozen_bytes + (FULL_PRECISION_BYTES + copy) * trained),
        gradients=FULL_PRECISION_BYTES * trained,
        optimiser=round(_moment_bytes(approach, base, settings)),
        activations=_activation_bytes(approach, base, settings, texts, kept),
        outputs=2 * FULL_PRECISION_BYTES * predictions,
        working=working_bytes(base, texts, settings.length, kept),
        copies=FULL_PRECISION_BYTES * base.n_params if on_host else 0,
        heap_share=heap if on_host and not isinstance(approach, Head) else 0.0,
    )


def _kept(base: Architecture, settings: MemorySettings) -> Kept:
    precision: Literal["fp32", "bf16"] = "fp32" if settings.precision == "fp32" else "bf16"
    kept = kept_on(settings.device, precision, drops=base.dropout)
    if settings.attention == "auto":
        return kept
    return dataclasses.replace(kept, attention=settings.attention)


def _moment_bytes(approach: Approach, base: Architecture, settings: MemorySettings) -> float:
    """Adam's moments; with a byte for each, those of embeddings keep 32 bits."""
    trained = trainable_params(approach, base)
    if settings.optimiser == "adamw":
        return ADAM_MOMENT_BYTES * trained
    embedded = max(0, trained - base.n_body_params)
    return ADAM_MOMENT_BYTES * embedded + ADAM_8BIT_MOMENT_BYTES * (trained - embedded)


def _frozen_bytes(base: Architecture, n_frozen: int, settings: MemorySettings) -> float:
    match settings.frozen:
        case "fp32":
            copy = HALF_PRECISION_BYTES if settings.precision == "bf16_mixed" else 0
            embedded = min(n_frozen, base.n_params - base.n_body_params)
            return (FULL_PRECISION_BYTES + copy) * n_frozen - copy * embedded
        case "bf16":
            return HALF_PRECISION_BYTES * n_frozen
        case "nf4":
            # Only what multiplies matrices in blocks is quantised; embeddings stay as they are.
            embedded = min(n_frozen, base.n_params - base.n_body_params)
            return FULL_PRECISION_BYTES * embedded + NF4_BYTES * (n_frozen - embedded)
        case _:
            assert_never(settings.frozen)


def _activation_bytes(
    approach: Approach, base: Architecture, settings: MemorySettings, texts: int, kept: Kept
) -> int:
    """What backward passes need, or for a forward pass alone what one layer holds."""
    length = settings.length
    if isinstance(approach, Head):
        return layer_activation_bytes(base, texts, length, dataclasses.replace(kept, mask=0))
    counted = checkpointed_bytes if settings.checkpointing == "full" else activation_bytes
    every_layer = counted(base, texts, length, kept)
    match approach:
        case Partial():
            return int(every_layer * min(1.0, (approach.layers or 1) / base.layers))
        case Lora():
            beside = _adapter_activation_bytes(approach, base, texts * length, kept)
            return every_layer + beside // (base.layers if settings.checkpointing == "full" else 1)
        case Full() | Contrastive() | Scratch():
            return every_layer
        case Baseline():
            return 0
        case _:
            assert_never(approach)


def _adapter_activation_bytes(approach: Lora, base: Architecture, tokens: int, kept: Kept) -> int:
    """What adapters add to a pass over `tokens`, and what frozen layers beside them leave out.

    A linear layer whose weight is frozen keeps no input; its adapter keeps the input that dropout
    left, a mask where it drops, and what the A matrix makes of it. (PEFT 0.21, counted in torch
    with its hooks for saved tensors: tests/unit/approaches.) DoRA keeps for the gradient of the
    lengths each layer's own answer and the adapter's.
    """
    rank = approach.rank or lora.RANK
    drops = lora.dropout(approach) > 0
    mask = kept.mask if drops else 0
    adapters = base.linear_in * (kept.number + mask) + len(base.linear_shapes) * rank * kept.number
    inputs = base.hidden + base.queries + base.hidden + base.intermediate
    left_out = base.layers * inputs * kept.number
    lengths = 2 * base.linear_out * kept.number if approach.variant == "dora" else 0
    return tokens * (adapters - left_out + lengths)
