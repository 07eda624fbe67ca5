"""A tokenizer and a transformer of our own, from random weights."""

from zenml_ftvr.approaches.scratch.knobs import EPOCHS, LEARNING_RATE, MIN_EPOCHS, resolve
from zenml_ftvr.approaches.scratch.pieces import (
    MAX_VOCABULARY,
    MIN_VOCABULARY,
    tokenizer_for,
    vocabulary_for,
)
from zenml_ftvr.approaches.scratch.sizes import (
    MAX_DEPTH,
    MIN_DEPTH,
    WIDTH_PER_LAYER,
    architecture,
    depth_for,
    flops_per_token,
    form_of,
)

__all__ = [
    "EPOCHS",
    "LEARNING_RATE",
    "MAX_DEPTH",
    "MAX_VOCABULARY",
    "MIN_DEPTH",
    "MIN_EPOCHS",
    "MIN_VOCABULARY",
    "WIDTH_PER_LAYER",
    "architecture",
    "depth_for",
    "flops_per_token",
    "form_of",
    "resolve",
    "tokenizer_for",
    "vocabulary_for",
]
