"""How long a model learns from unlabelled text first, and what a repeated text is worth."""

from __future__ import annotations

import dataclasses
import math
from typing import TypeVar

from zenml_ftvr.values import Full, Lora, Scratch

__all__ = ["PRETRAIN_EPOCHS", "pretraining_steps", "resolve_pretraining", "worth_of_epochs"]

PRETRAIN_EPOCHS = 4.0
"""Muennighoff et al. 2023, arXiv 2305.16264, abstract: up to 4 epochs of repeated text change the
loss hardly, compared with fresh text."""
REPEAT_CONSTANT = 15.387756  # R*_D of the same, eq. 5

TAKES_TEXT = TypeVar("TAKES_TEXT", Full, Lora, Scratch)


def worth_of_epochs(epochs: float) -> float:
    """Epochs of fresh text that `epochs` of one text are worth; at most 16.4.

    Muennighoff et al. 2023, eq. 5: 1 + R* (1 - exp(-repetitions / R*)). Less than one epoch is
    worth what it is.
    """
    repetitions = max(0.0, epochs - 1)
    return min(1.0, epochs) + REPEAT_CONSTANT * (1 - math.exp(-repetitions / REPEAT_CONSTANT))


def pretraining_steps(n_sequences: int, epochs: float, batch_size: int) -> int:
    """Optimiser steps of `epochs` over `n_sequences` rows, the last batch of all perhaps short."""
    return max(1, math.ceil(epochs * n_sequences / batch_size))


def resolve_pretraining(approach: TAKES_TEXT) -> tuple[TAKES_TEXT, tuple[str, ...]]:
    """Fill `pretrain_epochs` where texts are named, and say what the repetition is worth."""
    if approach.pretrain_on is None or approach.pretrain_epochs is not None:
        return approach, ()
    resolved = dataclasses.replace(approach, pretrain_epochs=PRETRAIN_EPOCHS)
    return resolved, (
        f"{PRETRAIN_EPOCHS:g} epochs on the unlabelled texts of {approach.pretrain_on}: worth "
        f"{worth_of_epochs(PRETRAIN_EPOCHS):.3g} of fresh text, and further ones ever less "
        f"(Muennighoff et al. 2023, eq. 5).",
    )
