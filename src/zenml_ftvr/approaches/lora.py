"""Low-rank adapters on all linear layers."""

from __future__ import annotations

import dataclasses
import math

from zenml_ftvr.approaches import full
from zenml_ftvr.approaches.facts import Architecture, TrainingFacts, epochs_for
from zenml_ftvr.values import Lora

__all__ = [
    "ALPHA_PER_RANK",
    "DROPOUT",
    "LEARNING_RATE",
    "RANK",
    "adapter_params",
    "alpha",
    "capacity_bits",
    "dropout",
    "flops_per_token",
    "rank_for",
    "resolve",
    "target_bits",
]

LEARNING_RATE = 5e-4
"""Ten times the 5e-5 that Devlin et al. 2019, arXiv 1810.04805, A.3 give as the most for full
fine-tuning; the ratio is that of Schulman et al. 2025, "LoRA Without Regret" (9.8), and Biderman et
al. 2024, arXiv 2405.09673, 4.7 (about 10). Hu et al. 2021, table 9 use 4e-4 and 5e-4 on most of
GLUE (from memory). Twice as much collapsed on customer reviews:
benchmarks/results/learning_rates.jsonl."""

RANK, MOST_RANK = 16, 256
"""Biderman et al. 2024, 4.7: 16 to 256. No lower, whatever the data hold: the learning rate was
measured at 16."""
ALPHA_PER_RANK = 2  # Biderman et al. 2024, 4.7: alpha = 2r, so that the update is scaled by 2
RSLORA_ALPHA = 8
"""Divided by the root of the rank (Kalajdzievski 2023, arXiv 2312.03732), it gives the same scale
of 2 at rank 16."""
DROPOUT = 0.05  # Dettmers et al. 2023, arXiv 2305.14314, A.2: 0.05 to 0.1 help small models
DORA_DROPOUT = 0.0
"""With dropout, PEFT runs every frozen layer twice in a DoRA step (peft 0.21, tuners/lora/dora.py:
the base's answer to the input without dropout is no use then)."""

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
    rank = approach.rank
    if rank is None:
        rank, why = rank_for(facts)
        reasons.append(why)
    resolved = dataclasses.replace(
        approach,
        learning_rate=approach.learning_rate or LEARNING_RATE,
        epochs=epochs,
        batch_size=approach.batch_size or full.BATCH_SIZE,
        rank=rank,
    )
    return resolved, tuple(reasons)


def target_bits(facts: TrainingFacts) -> float:
    """What the training targets can teach at most, in bits; of one label a row, log2(classes)."""
    if facts.target_bits is not None:
        return facts.target_bits
    return facts.n_train * math.log2(max(2, facts.n_classes))


def rank_for(facts: TrainingFacts) -> tuple[int, str]:
    """The least power of two that holds what the data can teach, within limits, and a sentence.

    Schulman et al. 2025: adapters fall behind full fine-tuning where the data hold more bits than
    the adapters' parameters can take.
    """
    shape = facts.architecture
    if shape is None:
        return RANK, f"rank {RANK} on all linear layers (Biderman et al. 2024)."
    bits = target_bits(facts)
    needed = max(1, math.ceil(bits / capacity_bits(adapter_params(shape, 1))))
    rank = 2 ** math.ceil(math.log2(needed))
    most = min(MOST_RANK, 2 ** math.floor(math.log2(max(2, shape.hidden))))
    least = min(RANK, most)
    holds = (
        f"the training targets hold at most {bits:,.0f} bits, for which rank {needed:,} has room "
        f"({BITS_PER_PARAM:g} bits a weight: Allen-Zhu & Li 2024)"
    )
    if rank > most:
        why = f"rank {most}, the most (Biderman et al. 2024, and never above the width): {holds}."
        return most, why
    if rank < least:
        return least, f"rank {least}, the least (Biderman et al. 2024): {holds}."
    return rank, f"rank {rank}, a power of two: {holds}."


def alpha(approach: Lora) -> int:
    """The numerator of the adapters' scale."""
    if approach.variant == "rslora":
        return RSLORA_ALPHA
    return ALPHA_PER_RANK * (approach.rank or RANK)


def dropout(approach: Lora) -> float:
    """The share of an adapter's inputs that a step leaves out."""
    return DORA_DROPOUT if approach.variant == "dora" else DROPOUT


def adapter_params(architecture: Architecture, rank: int) -> int:
    """r (d_in + d_out) a linear layer: Hu et al. 2021, arXiv 2106.09685, 4.1."""
    return rank * architecture.linear_in_out


def capacity_bits(n_trainable: int) -> float:
    """What adapters of `n_trainable` parameters can hold, in bits."""
    return BITS_PER_PARAM * n_trainable


def flops_per_token(architecture: Architecture, rank: int, approach: Lora | None = None) -> float:
    """Forward 2 and the activations' gradients 2 a frozen weight, and all 6 of an adapter's.

    For square matrices that is the 2/3 + 2R/N of full fine-tuning's of Schulman et al. 2025 (N:
    their width), which overstates it for those of the feed-forward. Checkpointing makes the forward
    pass again. DoRA's column lengths are computed once a step, whatever the number of tokens, and
    are not counted: with the embedded default and 16 short rows a step took 1.1 and 1.4 times
    LoRA's processor time, on a CPU that others used too (benchmarks/results/variants.jsonl).
    """
    again = approach is not None and approach.gradient_checkpointing == "always"
    frozen, adapters = architecture.n_body_params, adapter_params(architecture, rank)
    return (4.0 + 2.0 * again) * frozen + (6.0 + 2.0 * again) * adapters
