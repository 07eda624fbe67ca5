"""The approaches: what trains, default hyperparameters, FLOPs, memory. Pure arithmetic."""

from __future__ import annotations

from typing import assert_never

from zenml_ftvr.approaches import contrastive, full, head, lora, partial, scratch
from zenml_ftvr.approaches.facts import Architecture, ImageShape, TrainingFacts, image_shape
from zenml_ftvr.approaches.pairs import baseline_words, most_tokens, refusal
from zenml_ftvr.approaches.pretraining import resolve_pretraining
from zenml_ftvr.values import (
    Approach,
    Baseline,
    Contrastive,
    Form,
    Full,
    Head,
    Kind,
    Lora,
    Partial,
    Scratch,
)

__all__ = [
    "NEEDS_BASE_MODEL",
    "NEURAL_LOOP",
    "WARMUP_SHARE",
    "WEIGHT_DECAY",
    "Architecture",
    "ImageShape",
    "TrainingFacts",
    "baseline_words",
    "describe",
    "image_shape",
    "memory_bytes",
    "min_epochs",
    "most_tokens",
    "refusal",
    "resolve",
]

NEEDS_BASE_MODEL: frozenset[Kind] = frozenset({"head", "contrastive", "partial", "full", "lora"})
NEURAL_LOOP: frozenset[Kind] = frozenset({"contrastive", "partial", "full", "lora", "scratch"})
"""Arms that take optimiser steps, and so have curves."""

WARMUP_SHARE = 0.1  # Mosbach et al. 2021, arXiv 2006.04884, 6: the first tenth of the steps
WEIGHT_DECAY = 0.01  # Devlin et al. 2019, arXiv 1810.04805, A.2


def resolve(approach: Approach, facts: TrainingFacts) -> tuple[Approach, tuple[str, ...]]:
    """The approach with every knob set, and a sentence for each that we set."""
    match approach:
        case Baseline() | Head():
            return approach, ()
        case Contrastive():
            return contrastive.resolve(approach, facts)
        case Partial():
            return partial.resolve(approach, facts)
        case Full():
            approach, pretraining = resolve_pretraining(approach)
            tuned, reasons = full.resolve(approach, facts)
            return tuned, (*pretraining, *reasons)
        case Lora():
            approach, pretraining = resolve_pretraining(approach)
            adapted, reasons = lora.resolve(approach, facts)
            return adapted, (*pretraining, *reasons)
        case Scratch():
            return scratch.resolve(approach, facts)
        case _:
            assert_never(approach)


def min_epochs(approach: Approach) -> float:
    """Fewer than this is no fair trial of the approach; a budget that allows less excludes it."""
    match approach:
        case Baseline() | Head():
            return 0.0
        case Contrastive():
            return contrastive.MIN_EPOCHS
        case Partial() | Full() | Lora():
            return full.MIN_EPOCHS
        case Scratch():
            return scratch.MIN_EPOCHS
        case _:
            assert_never(approach)


def memory_bytes(
    approach: Approach,
    base: Architecture | None,
    max_length: int,
    *,
    form: Form = "encoder",
    image: ImageShape | None = None,
) -> int:
    """Peak bytes of training a resolved approach at full length; 0 for `baseline`.

    `form` and `image` are of a model of our own.
    """
    match approach:
        case Baseline():
            return 0
        case Head():
            return 0 if base is None else head.memory_bytes(base, head.BATCH_SIZE, max_length)
        case Contrastive():
            batch_size = approach.batch_size or contrastive.BATCH_SIZE
            return 0 if base is None else contrastive.memory_bytes(base, batch_size, max_length)
        case Partial():
            batch_size = approach.batch_size or full.BATCH_SIZE
            layers = approach.layers or 1
            if base is None:
                return 0
            return partial.memory_bytes(base, layers, batch_size, max_length, approach.precision)
        case Full():
            batch_size = approach.batch_size or full.BATCH_SIZE
            return 0 if base is None else full.memory_bytes(base, batch_size, max_length, approach)
        case Lora():
            batch_size = approach.batch_size or full.BATCH_SIZE
            rank = approach.rank or lora.RANK
            if base is None:
                return 0
            return lora.memory_bytes(base, rank, batch_size, max_length, approach)
        case Scratch():
            own = scratch.architecture(
                approach.depth or scratch.MIN_DEPTH,
                approach.vocabulary_size or scratch.MIN_VOCABULARY,
                max_length,
                form,
                image,
            )
            return scratch.memory_bytes(own, approach.batch_size or full.BATCH_SIZE, max_length)
        case _:
            assert_never(approach)


def describe(kind: Kind) -> str:
    """What is trained, in half a sentence."""
    match kind:
        case "baseline":
            return "word counts and logistic regression, no neural network"
        case "head":
            return "a linear head on the pretrained model's frozen features"
        case "contrastive":
            return "the pretrained encoder on pairs of texts, then a linear head"
        case "partial":
            return "the last layers of the pretrained model"
        case "full":
            return "every weight of the pretrained model"
        case "lora":
            return "low-rank adapters in the pretrained model"
        case "scratch":
            return "a small transformer of its own, from random weights"
        case _:
            assert_never(kind)
