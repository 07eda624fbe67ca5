"""A tokenizer and a transformer of our own, from random weights."""

from __future__ import annotations

import dataclasses
import math

from zenml_ftvr.approaches import full
from zenml_ftvr.approaches.facts import Architecture, TrainingFacts, epochs_for
from zenml_ftvr.values import Scratch

__all__ = [
    "EPOCHS",
    "LEARNING_RATE",
    "MIN_EPOCHS",
    "architecture",
    "flops_per_token",
    "memory_bytes",
    "resolve",
]

LEARNING_RATE = 1e-3
"""The best of 5e-4, 1e-3 and 2e-3 on the built-in corpus (2e-3 learns little):
benchmarks/results/learning_rates.jsonl; the rule of Kaplan et
al. 2020, arXiv 2001.08361, D.6 (0.003239 - 0.0001395 ln N) gives 1.4e-3 at 0.4 M parameters."""

EPOCHS = 16.0
"""Muennighoff et al. 2023, arXiv 2305.16264, eq. 5: repetition loses its value around 15.4."""
MOST_EPOCHS = 32.0  # twice that, where there are so few rows that updates would be too few
MIN_EPOCHS = 4.0  # the same: up to 4 epochs a repeated token is worth a fresh one
REPEAT_CONSTANT = 15.387756  # R*_D of the same, eq. 5

WIDTH_PER_LAYER = 64  # one attention head a layer: Kaplan et al. 2020, 3.1: shape matters little
MIN_DEPTH, MAX_DEPTH = 2, 12  # 12 x 768 is BERT base; beyond it, training from text alone is rare
TOKENS_PER_PARAM = 2.0
"""The low end of 2 to 10 target-task tokens a parameter, at which training from scratch drew level
in published comparisons (Liu et al. 2020, arXiv 2001.08210, tables 1 and 2; derived)."""

WORDS_PER_PIECE = 12
"""A vocabulary of one piece for every so many words of text gives each piece several examples:
benchmarks/results/learning_rates.jsonl trained 6,500 pieces on about 78,000 words."""
MIN_VOCABULARY, MAX_VOCABULARY = 1_000, 30_000  # bytes and frequent pairs; BERT's own 30,522


def depth_for(n_tokens: int, epochs: float) -> int:
    """Layers that the training tokens can pay for.

    The body of a transformer of depth d and width 64 d has 12 d (64 d)^2 parameters (Kaplan et al.
    2020, 2.1). Repeated tokens count for less (Muennighoff et al. 2023, eq. 5).
    """
    repeats = max(0.0, epochs - 1)
    effective = n_tokens * (1 + REPEAT_CONSTANT * (1 - math.exp(-repeats / REPEAT_CONSTANT)))
    affordable = effective / TOKENS_PER_PARAM
    depth = (affordable / (12 * WIDTH_PER_LAYER**2)) ** (1 / 3)
    return int(min(MAX_DEPTH, max(MIN_DEPTH, math.floor(depth))))


def resolve(approach: Scratch, facts: TrainingFacts) -> tuple[Scratch, tuple[str, ...]]:
    """Fill the knobs that the user left open; the sentences say how."""
    reasons = []
    epochs = approach.epochs
    if epochs is None:
        epochs = epochs_for(
            facts.n_train, ample=EPOCHS, most=MOST_EPOCHS, ample_rows=full.AMPLE_ROWS
        )
        reasons.append(
            f"{epochs:.3g} epochs: repeated tokens lose their value at about {EPOCHS:g} "
            f"(Muennighoff et al. 2023); more for fewer rows."
        )
    depth = approach.depth
    if depth is None:
        depth = depth_for(facts.n_words, epochs)
        reasons.append(
            f"{depth} layers of width {WIDTH_PER_LAYER * depth}: what {facts.n_words:,} words of "
            f"training text, repeated {epochs:.3g} times, can pay for at {TOKENS_PER_PARAM:g} "
            f"tokens a parameter, at least {MIN_DEPTH} layers."
        )
    vocabulary_size = approach.vocabulary_size
    if vocabulary_size is None:
        wanted = facts.n_words // WORDS_PER_PIECE
        vocabulary_size = min(MAX_VOCABULARY, max(MIN_VOCABULARY, round(wanted, -2)))
        reasons.append(
            f"a vocabulary of {vocabulary_size:,} pieces: one for every {WORDS_PER_PIECE} words "
            f"of the training texts, within {MIN_VOCABULARY:,} and {MAX_VOCABULARY:,}."
        )
    resolved = dataclasses.replace(
        approach,
        learning_rate=approach.learning_rate or LEARNING_RATE,
        epochs=epochs,
        batch_size=approach.batch_size or full.BATCH_SIZE,
        depth=depth,
        vocabulary_size=vocabulary_size,
    )
    return resolved, tuple(reasons)


def architecture(depth: int, vocabulary_size: int, max_length: int) -> Architecture:
    """The encoder that follows from the one dial: width 64 d, d heads, feed-forward 4 times."""
    hidden = WIDTH_PER_LAYER * depth
    embeddings = (vocabulary_size + max_length + 2) * hidden
    return Architecture(
        layers=depth,
        hidden=hidden,
        heads=depth,
        intermediate=4 * hidden,
        vocabulary_size=vocabulary_size,
        n_params=12 * depth * hidden**2 + embeddings,
    )


def flops_per_token(own: Architecture) -> float:
    """As for full fine-tuning: every weight is trained."""
    return full.flops_per_token(own)


def memory_bytes(own: Architecture, batch_size: int, length: int) -> int:
    """As for full fine-tuning: every weight is trained."""
    return full.memory_bytes(own, batch_size, length)
