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
    "LEARNING_RATE",
    "RANK",
    "adapter_params",
    "capacity_bits",
    "flops_per_token",
    "memory_bytes",
    "resolve",
]

LEARNING_RATE = 5e-4
"""Ten times the 5e-5 that Devlin et al. 2019, arXiv 1810.04805, A.3 give as the most for full
fine-tuning; the ratio is that of Schulman et al. 2025, "LoRA Without Regret" (9.8), and Biderman et
al. 2024, arXiv 2405.09673, 4.7 (about 10). Hu et al. 2021, table 9 use 4e-4 and 5e-4 on most of
GLUE (from memory). Twice as much collapsed on customer reviews:
benchmarks/results/learning_rates.jsonl."""

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
    if approach.learning_rate is None:
        reasons.append(
            f"learning rate {LEARNING_RATE:g}: ten times the most that is usual for full "
            f"fine-tuning (Schulman et al. 2025; Devlin et al. 2019)."
        )
    if approach.rank is None:
        reasons.append(f"rank {RANK} on all linear layers (Biderman et al. 2024).")
    resolved = dataclasses.replace(
        approach,
        learning_rate=approach.learning_rate or LEARNING_RATE,
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
