"""Floating-point operations of a training, approach by approach, and the hours they take."""

from __future__ import annotations

from typing import assert_never

from zenml_ftvr.approaches import contrastive, full, head, lora, partial, scratch
from zenml_ftvr.decide.shapes import ModelShape
from zenml_ftvr.errors import ConfigurationError
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
from zenml_ftvr.values.accelerator import Accelerator, NumberFormat

__all__ = [
    "flops_per_token",
    "forward_flops_per_token",
    "frozen_flops_per_token",
    "hours_for",
    "own_shape",
    "training_flops",
]


def own_shape(approach: Scratch, max_length: int) -> ModelShape:
    """The shape of the model that a resolved `scratch` builds."""
    return ModelShape(
        model_type="scratch",
        architecture=scratch.architecture(
            approach.depth or scratch.MIN_DEPTH,
            approach.vocabulary_size or scratch.MIN_VOCABULARY,
            max_length,
        ),
    )


def forward_flops_per_token(shape: ModelShape, length: int) -> float:
    """One forward pass: 2 a weight, and attention to `length` tokens. Kaplan et al. 2020, 2.1."""
    weights = head.flops_per_token(shape.architecture) + 2.0 * shape.shared_output_params
    return weights + _attention(shape, length)


def _attention(shape: ModelShape, length: int) -> float:
    """Scores and their weighted sum, forward: two products of 2 s q a token and layer.

    Causal, so that half is attended to, forward and backward make 6 L s h (Narayanan et al. 2021,
    arXiv 2104.04473, appendix; the factor for causal attention as commonly counted).
    """
    architecture = shape.architecture
    layers = architecture.layers + architecture.cross_layers
    return 4.0 * layers * length * architecture.queries * shape.attended_share


def flops_per_token(approach: Approach, shape: ModelShape, length: int) -> float:
    """What a resolved approach does for a token each time it sees it, texts being `length` long.

    `shape` is the base model's, for `scratch` its own (`own_shape`). The backward pass is twice the
    forward one: once for activations and once for weights, which are left out where frozen. The one
    pass over frozen lower layers is `frozen_flops_per_token`. 0 for `baseline`.
    """
    base = shape.architecture
    attention = _attention(shape, length)
    outputs = 2.0 * shape.shared_output_params
    match approach:
        case Baseline():
            return 0.0
        case Head():
            return forward_flops_per_token(shape, length)
        case Full():
            return full.flops_per_token(base, approach) + 3 * (attention + outputs)
        case Contrastive():
            return contrastive.flops_per_token(base) + 3 * (attention + outputs)
        case Scratch():
            return scratch.flops_per_token(base) + 3 * (attention + outputs)
        case Partial():
            layers = min(approach.layers or 1, base.layers)
            share = layers / base.layers
            return partial.flops_per_token(base, layers) + 3 * (share * attention + outputs)
        case Lora():
            rank = approach.rank or lora.RANK
            return lora.flops_per_token(base, rank, approach) + 2 * outputs + 3 * attention
        case _:
            assert_never(approach)


def frozen_flops_per_token(approach: Approach, shape: ModelShape, length: int) -> float:
    """What is done once for a token, whatever the epochs: `partial`'s pass below its layers."""
    if not isinstance(approach, Partial):
        return 0.0
    base = shape.architecture
    below = 1 - min(approach.layers or 1, base.layers) / base.layers
    return below * (head.flops_per_token(base) + _attention(shape, length))


def training_flops(approach: Approach, shape: ModelShape, n_texts: int, length: int) -> float:
    """All operations of training a resolved approach on `n_texts` of `length` tokens each."""
    each = flops_per_token(approach, shape, length)
    tokens = float(n_texts * length)
    match approach:
        case Baseline():
            return 0.0
        case Head():
            return each * tokens
        case Contrastive():
            return each * 2.0 * (approach.pairs or contrastive.MOST_PAIRS) * length
        case Partial():
            once = frozen_flops_per_token(approach, shape, length) * tokens
            return once + each * tokens * (approach.epochs or full.EPOCHS)
        case Full() | Lora():
            return each * tokens * (approach.epochs or full.EPOCHS)
        case Scratch():
            return each * tokens * (approach.epochs or scratch.EPOCHS)
        case _:
            assert_never(approach)


def hours_for(
    flops: float,
    accelerator: Accelerator,
    precision: NumberFormat,
    utilisation: float,
    n_devices: int = 1,
) -> float:
    """Hours that `flops` take at a share of the peak, `utilisation` in 0..1, which is measured.

    There is no default for it: large dense runs reach .4 and more, small fine-tunings a fraction of
    that. Raises `ConfigurationError` where the device has no fast path for `precision`.
    """
    peak = accelerator.peak(precision)
    if peak is None:
        fast = ", ".join(name for name, _ in accelerator.peak_flops)
        raise ConfigurationError(
            f"{accelerator.name} has no fast path for {precision}. Take one of {fast}."
        )
    if not 0 < utilisation <= 1 or n_devices < 1:
        raise ConfigurationError(
            f"utilisation is {utilisation} on {n_devices} devices; it must lie above 0 and be 1 at "
            f"most, on one device or more."
        )
    return flops / (n_devices * peak * utilisation * 3600)
