"""The approaches: what trains, default hyperparameters, FLOPs, memory. Pure arithmetic."""

from __future__ import annotations

from typing import assert_never

from zenml_ftvr.approaches import contrastive, full, lora, partial, scratch
from zenml_ftvr.approaches.facts import Architecture, ImageShape, TrainingFacts, image_shape
from zenml_ftvr.approaches.memory import memory_bytes
from zenml_ftvr.approaches.pairs import baseline_words, most_tokens, refusal
from zenml_ftvr.approaches.pretraining import resolve_pretraining
from zenml_ftvr.values import (
    Approach,
    Baseline,
    Contrastive,
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
