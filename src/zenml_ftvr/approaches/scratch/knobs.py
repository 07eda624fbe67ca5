"""The knobs that are left open, from the data."""

from __future__ import annotations

import dataclasses

from zenml_ftvr.approaches import full
from zenml_ftvr.approaches.facts import TrainingFacts, epochs_for
from zenml_ftvr.approaches.pretraining import resolve_pretraining, worth_of_epochs
from zenml_ftvr.approaches.scratch.pieces import tokenizer_for, vocabulary_for
from zenml_ftvr.approaches.scratch.sizes import (
    MIN_DEPTH,
    TOKENS_PER_PARAM,
    WIDTH_PER_LAYER,
    depth_for,
)
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import Scratch

__all__ = ["EPOCHS", "LEARNING_RATE", "MIN_EPOCHS", "resolve"]

LEARNING_RATE = 1e-3
"""The best of 5e-4, 1e-3 and 2e-3 on the built-in corpus (2e-3 learns little):
benchmarks/results/learning_rates.jsonl; the rule of Kaplan et
al. 2020, arXiv 2001.08361, D.6 (0.003239 - 0.0001395 ln N) gives 1.4e-3 at 0.4 M parameters.
Measured on encoders; the other forms start from it too."""

EPOCHS = 16.0
"""Muennighoff et al. 2023, arXiv 2305.16264, eq. 5: repetition loses its value around 15.4."""
MOST_EPOCHS = 32.0  # twice that, where there are so few rows that updates would be too few
MIN_EPOCHS = 4.0  # the same: up to 4 epochs a repeated token is worth a fresh one


def resolve(approach: Scratch, facts: TrainingFacts) -> tuple[Scratch, tuple[str, ...]]:
    """Fill the knobs that the user left open; the sentences say how."""
    approach, reasons = _epochs(approach, facts)
    approach, why_depth = _depth(approach, facts)
    pieces: tuple[str, ...] = ()
    if facts.form != "image-encoder":
        approach, pieces = _pieces(approach, facts)
    elif approach.pretrain_on is not None or approach.tokenizer is not None:
        raise ConfigurationError(
            "Scratch.tokenizer and Scratch.pretrain_on are for texts; these rows are images. Leave "
            "them out."
        )
    resolved = dataclasses.replace(
        approach,
        learning_rate=approach.learning_rate or LEARNING_RATE,
        batch_size=approach.batch_size or full.BATCH_SIZE,
    )
    return resolved, (*reasons, *why_depth, *pieces)


def _epochs(approach: Scratch, facts: TrainingFacts) -> tuple[Scratch, tuple[str, ...]]:
    approach, pretraining = resolve_pretraining(approach)
    if approach.epochs is not None:
        return approach, pretraining
    epochs = epochs_for(facts.n_train, ample=EPOCHS, most=MOST_EPOCHS, ample_rows=full.AMPLE_ROWS)
    return dataclasses.replace(approach, epochs=epochs), (
        *pretraining,
        f"{epochs:.3g} epochs: repeated tokens lose their value at about {EPOCHS:g} "
        f"(Muennighoff et al. 2023); more for fewer rows.",
    )


def _depth(approach: Scratch, facts: TrainingFacts) -> tuple[Scratch, tuple[str, ...]]:
    if approach.depth is not None:
        return approach, ()
    epochs = approach.epochs or EPOCHS
    effective = facts.n_words * worth_of_epochs(epochs)
    unit = (
        "patches of the training images"
        if facts.form == "image-encoder"
        else ("words of training text")
    )
    paid_by = f"{facts.n_words:,} {unit}, repeated {epochs:.3g} times"
    if approach.pretrain_on is not None and facts.n_pretrain_words is not None:
        repeated = approach.pretrain_epochs or 1.0
        effective += facts.n_pretrain_words * worth_of_epochs(repeated)
        paid_by += f", and {facts.n_pretrain_words:,} without labels, {repeated:.3g} times"
    depth = depth_for(effective, facts.form)
    each = " on each side" if facts.form == "encoder-decoder" else ""
    return dataclasses.replace(approach, depth=depth), (
        f"{depth} layers{each} of width {WIDTH_PER_LAYER * depth}: what {paid_by}, can pay for at "
        f"{TOKENS_PER_PARAM:g} tokens a parameter, at least {MIN_DEPTH} layers.",
    )


def _pieces(approach: Scratch, facts: TrainingFacts) -> tuple[Scratch, tuple[str, ...]]:
    reasons = []
    kind, size = approach.tokenizer, approach.vocabulary_size
    if kind is None:
        kind, why = tokenizer_for(facts.alphabet, facts.form)
        reasons.append(why)
    if size is None:
        size, why = vocabulary_for(kind, facts)
        reasons.append(why)
    return dataclasses.replace(approach, tokenizer=kind, vocabulary_size=size), tuple(reasons)
