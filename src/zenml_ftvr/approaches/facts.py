"""What the arithmetic of every approach starts from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, assert_never

from zenml_ftvr.values import Alphabet, Form, Precision

__all__ = [
    "Architecture",
    "ImageShape",
    "Kept",
    "TrainingFacts",
    "activation_bytes",
    "checkpointed_bytes",
    "epochs_for",
    "image_shape",
    "kept_on",
    "layer_activation_bytes",
    "working_bytes",
]

GIB = 2**30

FULL_PRECISION_BYTES = 4  # a 32-bit float


GPT2_ACTIVATION_TENSORS = 5
"""Of the feed-forward width: its nonlinearity is written out in operations that keep what they
read (counted in torch 2.13: tests/unit/approaches/test_memory.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageShape:
    """Square images as a transformer reads them: in square patches, each a token."""

    image_size: int
    """Pixels a side, a multiple of `patch_size`."""
    patch_size: int
    channels: int

    @property
    def n_patches(self) -> int:
        return (self.image_size // self.patch_size) ** 2


def image_shape(side: int, channels: int) -> ImageShape:
    """The shape for images of `side` pixels: about as many patches a side as pixels in a patch's.

    Patches of 2, 4 and 14 pixels for images of 8, 32 and 224; Dosovitskiy et al. 2021, arXiv
    2010.11929, 4.1, cut 224 pixels into patches of 14, 16 and 32. Where no patch size near the
    root divides the side, the images are to be enlarged to the next multiple.
    """
    root = math.isqrt(side)
    dividing = [size for size in range(max(1, (root + 1) // 2), root + 1) if side % size == 0]
    patch = max(dividing, default=max(1, root))
    return ImageShape(
        image_size=math.ceil(side / patch) * patch, patch_size=patch, channels=channels
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The sizes of a transformer."""

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary_size: int
    n_params: int
    max_positions: int | None = None
    """The longest input in tokens; None where nothing bounds it."""
    form: Form = "encoder"
    image: ImageShape | None = None
    """Of an image encoder; None for text."""
    feed_forward_matrices: int = 2
    """Three where the feed-forward layer has a gate, as in Llama."""
    query_width: int | None = None
    """Heads times width of a head; None where it is `hidden`."""
    key_value_width: int | None = None
    """The same of keys and of values, which may have fewer heads; None where it is `hidden`."""
    cross_layers: int = 0
    """Layers that attend to a second sequence too: the decoder's of an encoder-decoder."""
    dropout: bool = True
    """Whether layers drop numbers in training, and so keep what was dropped."""
    activation_tensors: int = 2
    """Of the feed-forward width, kept for the backward pass: what goes into the nonlinearity and
    what comes out; 4 with a gate, 5 where the nonlinearity is written out (GPT-2's)."""
    norm_tensors: int = 2
    """Of width `hidden` that a layer's norms keep: their two inputs, and what they make of them
    where the norm is written out in single operations (Llama's): 4."""

    @property
    def queries(self) -> int:
        return self.hidden if self.query_width is None else self.query_width

    @property
    def keys(self) -> int:
        return self.hidden if self.key_value_width is None else self.key_value_width

    @property
    def linear_shapes(self) -> tuple[tuple[int, int], ...]:
        """d_in and d_out of the linear layers of all blocks.

        Four of attention (queries, keys, values, output), twice where there is cross-attention, and
        those of the feed-forward, of which the last goes back to `hidden`.
        """
        h, q, kv, i = self.hidden, self.queries, self.keys, self.intermediate
        attention = ((h, q), (h, kv), (h, kv), (q, h))
        feed_forward = ((h, i),) * (self.feed_forward_matrices - 1) + ((i, h),)
        return attention * (self.layers + self.cross_layers) + feed_forward * self.layers

    @property
    def linear_in_out(self) -> int:
        """Sum of d_in + d_out over the linear layers of all blocks."""
        return sum(d_in + d_out for d_in, d_out in self.linear_shapes)

    @property
    def linear_in(self) -> int:
        """Sum of d_in over the same layers."""
        return sum(d_in for d_in, _ in self.linear_shapes)

    @property
    def linear_out(self) -> int:
        """Sum of d_out over the same layers."""
        return sum(d_out for _, d_out in self.linear_shapes)

    @property
    def n_body_params(self) -> int:
        """Parameters apart from the token embeddings, which do no matrix multiplication."""
        return max(1, self.n_params - self.vocabulary_size * self.hidden)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFacts:
    """What default hyperparameters follow from."""

    n_train: int
    n_validation: int
    n_test: int
    n_classes: int
    n_words: int
    """Words of the training split, after truncation: what a tokenizer of its own would see."""
    n_layers: int | None = None
    """Of the base model; None where there is none."""
    form: Form = "encoder"
    """What a model of our own would be built as."""
    alphabet: Alphabet | None = None
    """Of the training texts; None where it was not measured, and for images."""
    n_pretrain_words: int | None = None
    """Words of the unlabelled texts that a model of our own is to learn from first; None where
    there are none, or they were not counted."""
    architecture: Architecture | None = None
    """Of the base model; None where there is none, or it was not asked for."""
    target_bits: float | None = None
    """The most that the targets of the training split can teach; None: log2(classes) a row."""
    mean_tokens: float | None = None
    """Of a training row as the base model's tokenizer cuts it, after truncation; None where it was
    not counted, and for tasks whose rows share blocks."""
    longest_tokens: int | None = None
    """Of the longest such row."""


LOGIT_BYTES = 12
"""Of a piece's score at a position: the score, its log-probability and its gradient, 32 bits each;
what torch's cross entropy keeps."""


def number_bytes(precision: Precision) -> int:
    """Bytes of a number that layers hand on; 32 bits where the device has not decided yet."""
    return 2 if precision in ("bf16", "fp16") else FULL_PRECISION_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What numbers, and masks of what was dropped, take that a forward pass keeps, in bytes."""

    number: int = FULL_PRECISION_BYTES
    mask: int = 1
    attention: Literal["eager", "fused"] = "fused"
    """`fused` kernels keep no scores of all pairs of positions."""


def kept_on(device: Literal["cpu", "cuda", "mps"], precision: Precision, *, drops: bool) -> Kept:
    """What torch keeps on a device.

    A CPU has no fused dropout: its masks are numbers, and attention with dropout is written out
    (counted in torch 2.13 with its hooks for saved tensors: tests/unit/approaches).
    """
    written_out = device != "cuda"
    return Kept(
        number=number_bytes(precision),
        mask=FULL_PRECISION_BYTES if written_out else 1,
        attention="eager" if written_out and drops else "fused",
    )


def activation_bytes(
    architecture: Architecture, batch_size: int, length: int, kept: Kept | None = None
) -> int:
    """Bytes of activations that one backward pass keeps, nothing recomputed.

    Those of the layers (`layer_activation_bytes`) and of the sum of embeddings before them. A
    decoder scores every piece at every position; an encoder-decoder's decoder attends once more,
    for texts and answers of `length` each.
    """
    kept = kept or Kept()
    layer = layer_activation_bytes(architecture, batch_size, length, kept)
    embedded = 2 * kept.number + (kept.mask if architecture.dropout else 0)
    embedding = batch_size * length * architecture.hidden * embedded
    scores = 0
    match architecture.form:
        case "encoder" | "image-encoder":
            pass
        case "decoder":
            scores = LOGIT_BYTES * architecture.vocabulary_size
        case "encoder-decoder":
            h, a = architecture.hidden, architecture.heads
            pairs = a * length * (2 * kept.number + kept.mask)
            attending = h * (6 * kept.number + kept.mask)
            layer = 2 * layer + batch_size * length * (
                attending + (pairs if kept.attention == "eager" else 0)
            )
            scores = LOGIT_BYTES * architecture.vocabulary_size
        case _:
            assert_never(architecture.form)
    return layer * architecture.layers + embedding + batch_size * length * scores


def checkpointed_bytes(
    architecture: Architecture, batch_size: int, length: int, kept: Kept | None = None
) -> int:
    """As `activation_bytes`, where only the input of each layer is kept and the rest recomputed.

    Korthikanti et al. 2022, 4: 2 s b h bytes a layer at 16 bits, and all of the layer in hand.
    """
    kept = kept or Kept()
    inputs = length * batch_size * architecture.hidden * kept.number
    every_layer = activation_bytes(architecture, batch_size, length, kept)
    return architecture.layers * inputs + every_layer // architecture.layers


def working_bytes(
    architecture: Architecture, batch_size: int, length: int, kept: Kept | None = None
) -> int:
    """What is held for a moment while one layer is computed, forward or backward: the most of its
    feed-forward's two widest tensors, and of three of attention's scores."""
    kept = kept or Kept()
    feed_forward = 2 * architecture.intermediate + 2 * architecture.hidden
    scores = 3 * architecture.heads * length if kept.attention == "eager" else 0
    return batch_size * length * kept.number * max(feed_forward, scores)


def layer_activation_bytes(
    architecture: Architecture, batch_size: int, length: int, kept: Kept | None = None
) -> int:
    """Bytes that one layer keeps for its backward pass, nothing recomputed.

    Korthikanti et al. 2022, arXiv 2205.05198, 4.1, term by term, so that it holds for other widths
    than theirs (4 h, no gate), for which it is their s b h (34 + 5 a s / h) at 16 bits. A token:
    attention keeps its input, queries, keys, values, the output's input and a dropout mask; the
    feed-forward its input, what goes into and out of the nonlinearity, and a mask; the norms their
    inputs. Written-out attention keeps for each pair of positions the softmax, what dropout left
    of it, and a mask; `fused` kernels none of it: the same, 6.1 (selective recomputation).
    """
    kept = kept or Kept()
    h, q, kv = architecture.hidden, architecture.queries, architecture.keys
    numbers = (h + 2 * q + 2 * kv) + h + architecture.norm_tensors * h
    numbers += architecture.activation_tensors * architecture.intermediate
    masks = 2 * h if architecture.dropout else 0
    pairs = 0
    if kept.attention == "eager":
        pairs = 2 * kept.number + kept.mask if architecture.dropout else kept.number
    scores = architecture.heads * length * pairs
    return batch_size * length * (numbers * kept.number + masks * kept.mask + scores)


def epochs_for(n_train: int, *, ample: float, most: float, ample_rows: int) -> float:
    """`ample` epochs from `ample_rows` rows on; for fewer rows as many as keep the number of
    updates, at most `most`."""
    return min(most, max(ample, ample * ample_rows / n_train))
