"""All sizes of a model of our own from one dial, its depth."""

from __future__ import annotations

import math
from typing import assert_never

from zenml_ftvr.approaches import full
from zenml_ftvr.approaches.facts import GPT2_ACTIVATION_TENSORS, Architecture, ImageShape
from zenml_ftvr.values import (
    CausalLM,
    Form,
    ImageClassification,
    Seq2Seq,
    Task,
    TextClassification,
    TokenClassification,
)

__all__ = [
    "MAX_DEPTH",
    "MIN_DEPTH",
    "TOKENS_PER_PARAM",
    "WIDTH_PER_LAYER",
    "architecture",
    "depth_for",
    "flops_per_token",
    "form_of",
]

WIDTH_PER_LAYER = 64  # one attention head a layer: Kaplan et al. 2020, 3.1: shape matters little
MIN_DEPTH, MAX_DEPTH = 2, 12  # 12 x 768 is BERT base; beyond it, training from text alone is rare
TOKENS_PER_PARAM = 2.0
"""The low end of 2 to 10 target-task tokens a parameter, at which training from scratch drew level
in published comparisons (Liu et al. 2020, arXiv 2001.08210, tables 1 and 2; derived)."""


def form_of(task: Task) -> Form:
    """What a model of our own for a task is built as."""
    match task:
        case TextClassification() | TokenClassification():
            return "encoder"
        case CausalLM():
            return "decoder"
        case Seq2Seq():
            return "encoder-decoder"
        case ImageClassification():
            return "image-encoder"
        case _:
            assert_never(task)


def square_matrices(form: Form) -> int:
    """Weights of one layer in units of its width squared.

    4 of attention and 8 of the feed-forward network (Kaplan et al. 2020, arXiv 2001.08361, 2.1); an
    encoder-decoder has a layer of each kind for one of depth, and its decoder attends twice.
    """
    match form:
        case "encoder" | "decoder" | "image-encoder":
            return 12
        case "encoder-decoder":
            return 12 + 16
        case _:
            assert_never(form)


def depth_for(effective_tokens: float, form: Form = "encoder") -> int:
    """Layers that the training tokens can pay for; repeated ones are to be counted for less.

    The body of a transformer of depth d and width 64 d has 12 d (64 d)^2 parameters (Kaplan et al.
    2020, 2.1), that of an encoder-decoder 28.
    """
    affordable = effective_tokens / TOKENS_PER_PARAM
    depth = (affordable / (square_matrices(form) * WIDTH_PER_LAYER**2)) ** (1 / 3)
    return int(min(MAX_DEPTH, max(MIN_DEPTH, math.floor(depth))))


def architecture(
    depth: int,
    vocabulary_size: int,
    max_length: int,
    form: Form = "encoder",
    image: ImageShape | None = None,
) -> Architecture:
    """The model that follows from the one dial: width 64 d, d heads, feed-forward 4 times.

    An encoder-decoder has d layers of each kind. Output matrices are the embeddings' (tied), and
    count once. `image` is of an image encoder, which has no vocabulary.
    """
    hidden = WIDTH_PER_LAYER * depth
    match form:
        case "encoder":
            embeddings = (vocabulary_size + max_length + 2) * hidden
        case "decoder":
            embeddings = (vocabulary_size + max_length) * hidden
        case "encoder-decoder":
            embeddings = (vocabulary_size + 2 * max_length) * hidden  # positions on each side
        case "image-encoder":
            shape = image or ImageShape(image_size=1, patch_size=1, channels=1)
            patch = shape.patch_size**2 * shape.channels + 1
            embeddings = (patch + shape.n_patches + 2) * hidden  # a position each, and [CLS]
            vocabulary_size = 0
        case _:
            assert_never(form)
    return Architecture(
        layers=depth,
        hidden=hidden,
        heads=depth,
        intermediate=4 * hidden,
        vocabulary_size=vocabulary_size,
        n_params=square_matrices(form) * depth * hidden**2 + embeddings,
        max_positions=max_length,
        form=form,
        image=image,
        activation_tensors=GPT2_ACTIVATION_TENSORS if form == "decoder" else 2,
    )


def flops_per_token(own: Architecture) -> float:
    """As for full fine-tuning, every weight being trained; and the output over the vocabulary.

    Tied to the embeddings or not, scores of all pieces are a matrix product of its size. An
    encoder-decoder's number is a mean over the tokens of text and answer, taken as equally many:
    each passes through its own half.
    """
    output = 6.0 * own.vocabulary_size * own.hidden
    match own.form:
        case "encoder" | "image-encoder":
            return full.flops_per_token(own)
        case "decoder":
            return full.flops_per_token(own) + output
        case "encoder-decoder":
            return (full.flops_per_token(own) + output) / 2
        case _:
            assert_never(own.form)
