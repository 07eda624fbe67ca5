"""A linear head on frozen, mean-pooled features."""

from __future__ import annotations

from zenml_ftvr.approaches.facts import Architecture

__all__ = ["BATCH_SIZE", "flops_per_token"]

BATCH_SIZE = 32
"""Texts a forward pass. No gradients are kept, so memory is no reason for less; on a CPU larger
batches only pad more."""


def flops_per_token(architecture: Architecture) -> float:
    """One forward pass: Kaplan et al. 2020, arXiv 2001.08361, 2.1."""
    return 2.0 * architecture.n_body_params
