"""Low-rank adapters on all linear layers."""

from __future__ import annotations

import dataclasses

from zenml_ftvr.approaches import full
from zenml_ftvr.approaches.facts import (
    ADAM_BYTES_PER_TRAINABLE,
    FULL_PRECISION_BYTES,
    Architecture,
    TrainingFacts,
    activation_bytes,
    epochs_for,
)
from zenml_ftvr.values import Lora

__all__ = [
    "ALPHA_PER_RANK",
    "DROPOUT",
    "LEARNING_RATE_RATIO",
    "RANK",
    "adapter_params",
    "capacity_bits",
    "flops_per_token",
    "memory_bytes",
    "resolve",
]

LEARNING_RATE_RATIO = 10.0
"""Over full fine-tuning: Schulman et al. 2025, "LoRA Without Regret" (9.8); Biderman et al. 2024,
arXiv 2405.09673, 4.7 (about 10)."""

RANK = 16  # Biderman et al. 2024, 4.7: 16 to 256; the low end suffices for small sets
ALPHA_PER_RANK = 2  # Biderman et al. 2024, 4.7: alpha = 2r
DROPOUT = 0.05  # Dettmers et al. 2023, arXiv 2305.14314, A.2: 0.05 to 0.1 help small models

BITS_PER_PARAM = 2.0  # Allen-Zhu & Li 2024, arXiv 2404.05405: knowledge capacity of a parameter


def resolve(approach: Lora, facts: TrainingFacts) -> tuple[Lora, tuple[str, ...]]:
    """Fill the knobs that the user left open; the sentences say how."""
    reasons = []
    epochs = approach.epochs
    if epochs is None:
        epochs = epochs_for(
            facts.n_train, ample=full.EPOCHS, most=full.MOST_EPOCHS, ample_rows=full.AMPLE_ROWS
        )
        reasons.append(f"{epochs:.3g} epochs: the same as full fine-tuning.")
    learning_rate = approach.learning_rate
    if learning_rate is None:
        learning_rate = LEARNING_RATE_RATIO * full.LEARNING_RATE
        reasons.append(
            f"learning rate {learning_rate:g}: {LEARNING_RATE_RATIO:g} times that of full "
            f"fine-tuning (Schulman et al. 2025)."
        )
    if approach.rank is None:
        reasons.append(f"rank {RANK} on all linear layers (Biderman et al. 2024).")
    resolved = dataclasses.replace(
        approach,
        learning_rate=learning_rate,
        epochs=epochs,
        batch_size=approach.batch_size or full.BATCH_SIZE,
        rank=approach.rank or RANK,
    )
    return resolved, tuple(reasons)


def adapter_params(architecture: Architecture, rank: int) -> int:
    """r (d_in + d_out) a linear layer: Hu et al. 2021, arXiv 2106.09685, 4.1."""
    return rank * architecture.linear_in_out


def capacity_bits(n_trainable: int) -> float:
    """What adapters of `n_trainable` parameters can hold, in bits."""
    return BITS_PER_PARAM * n_trainable


def flops_per_token(architecture: Architecture, rank: int) -> float:
    """2/3 + 2R/N of full fine-tuning's: Schulman et al. 2025 (N: width of a square matrix)."""
    return full.flops_per_token(architecture) * (2 / 3 + 2 * rank / architecture.hidden)


def memory_bytes(architecture: Architecture, rank: int, batch_size: int, length: int) -> int:
    """Frozen weights, trained adapters with their optimiser state, and activations, in bytes."""
    frozen = FULL_PRECISION_BYTES * architecture.n_params
    trained = ADAM_BYTES_PER_TRAINABLE * adapter_params(architecture, rank)
    return frozen + trained + activation_bytes(architecture, batch_size, length)
