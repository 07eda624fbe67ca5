"""The last layers of the base model; what lies below is frozen, and run once."""

from __future__ import annotations

import dataclasses
import math

from zenml_ftvr.approaches import full
from zenml_ftvr.approaches.facts import Architecture, TrainingFacts, epochs_for
from zenml_ftvr.values import Partial

__all__ = ["LEARNING_RATE", "flops_per_token", "layers_for", "resolve"]

LEARNING_RATE = 5e-4
"""The best of 1e-4, 2e-4 and 5e-4 with the embedded default on two sets:
benchmarks/results/learning_rates.jsonl."""

FEW_LAYERS_SHARE = 0.25
"""Lee et al. 2019, arXiv 1911.03090: a fourth of the layers of BERT and RoBERTa, the last, reach
90 % of the quality of all."""
MORE_LAYERS_SHARE = 0.5  # a judgement, not measured: more rows can pay for more weights
MANY_ROWS = 10_000  # a judgement too: four times the sets a fourth was tried on here


def layers_for(n_train: int, n_layers: int) -> int:
    """How many of the last layers the data can pay for, at least one."""
    share = FEW_LAYERS_SHARE if n_train < MANY_ROWS else MORE_LAYERS_SHARE
    return max(1, math.ceil(share * n_layers))


def resolve(approach: Partial, facts: TrainingFacts) -> tuple[Partial, tuple[str, ...]]:
    """Fill the knobs that the user left open; the sentences say how."""
    reasons = []
    layers = approach.layers
    if layers is None and facts.n_layers is not None:
        layers = layers_for(facts.n_train, facts.n_layers)
        reasons.append(
            f"the last {layers} of {facts.n_layers} layers are trained: a fourth (Lee et al. "
            f"2019), or half from {MANY_ROWS:,} rows on, which nobody measured."
        )
    epochs = approach.epochs
    if epochs is None:
        epochs = epochs_for(
            facts.n_train, ample=full.EPOCHS, most=full.MOST_EPOCHS, ample_rows=full.AMPLE_ROWS
        )
        reasons.append(f"{epochs:.3g} epochs: the same as full fine-tuning.")
    if approach.learning_rate is None:
        reasons.append(
            f"learning rate {LEARNING_RATE:g}: the best of those measured on the default model."
        )
    resolved = dataclasses.replace(
        approach,
        learning_rate=approach.learning_rate or LEARNING_RATE,
        epochs=epochs,
        batch_size=approach.batch_size or full.BATCH_SIZE,
        layers=layers,
    )
    return resolved, tuple(reasons)


def _trained_share(architecture: Architecture, layers: int) -> float:
    return min(1.0, layers / architecture.layers)


def flops_per_token(architecture: Architecture, layers: int) -> float:
    """Forward 2 and backward 4 a trained parameter; the pass over what is frozen is made once."""
    return full.flops_per_token(architecture) * _trained_share(architecture, layers)
