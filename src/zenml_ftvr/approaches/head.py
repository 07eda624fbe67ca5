"""A linear head on frozen, mean-pooled features."""

from __future__ import annotations

from zenml_ftvr.approaches.facts import FULL_PRECISION_BYTES, Architecture

__all__ = ["BATCH_SIZE", "flops_per_token", "memory_bytes"]

BATCH_SIZE = 32
"""Texts a forward pass. No gradients are kept, so memory is no reason for less; on a CPU larger
batches only pad more."""


def flops_per_token(architecture: Architecture) -> float:
    """One forward pass: Kaplan et al. 2020, arXiv 2001.08361, 2.1."""
    return 2.0 * architecture.n_body_params


def memory_bytes(architecture: Architecture, batch_size: int, length: int) -> int:
    """Weights, and the largest activations of one layer (feed-forward and attention), in bytes."""
    a_layer = batch_size * length * (2 * architecture.intermediate + 4 * architecture.hidden)
    attention = 2 * batch_size * architecture.heads * length**2
    return FULL_PRECISION_BYTES * (architecture.n_params + a_layer + attention)
