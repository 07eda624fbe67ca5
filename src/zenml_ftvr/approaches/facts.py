"""What the arithmetic of every approach starts from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, assert_never

from zenml_ftvr.values import Alphabet, Form, Precision

__all__ = [
    "Architecture",
    "ImageShape",
    "TrainingFacts",
    "activation_bytes",
    "checkpointed_bytes",
    "copied_weight_bytes",
    "epochs_for",
    "image_shape",
    "layer_activation_bytes",
]

GIB = 2**30

FULL_PRECISION_BYTES = 4  # a 32-bit float

ADAM_BYTES_PER_TRAINABLE = 16
"""fp32 weight 4, gradient 4, two Adam moments 8: Rajbhandari et al. 2020, arXiv 1910.02054, 3.1
(the same total as their mixed-precision 2 + 2 + 12)."""

ADAM_8BIT_BYTES_PER_TRAINABLE = 10
"""As above with a byte for each moment: Dettmers et al. 2022, arXiv 2110.02861, 2. Their scale, a
32-bit number a block of moments, is left out."""


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

    @property
    def queries(self) -> int:
        return self.hidden if self.query_width is None else self.query_width

    @property
    def keys(self) -> int:
        return self.hidden if self.key_value_width is None else self.key_value_width

    @property
    def linear_in_out(self) -> int:
        """Sum of d_in + d_out over the linear layers of all blocks.

        Four of attention (queries, keys, values, output), twice where there is cross-attention, and
        those of the feed-forward.
        """
        attention = 2 * (self.hidden + self.queries) + 2 * (self.hidden + self.keys)
        feed_forward = self.feed_forward_matrices * (self.hidden + self.intermediate)
        return (self.layers + self.cross_layers) * attention + self.layers * feed_forward

    @property
    def linear_out(self) -> int:
        """Sum of d_out over the same layers."""
        return self.layers * (5 * self.hidden + self.intermediate)

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


def activation_bytes(
    architecture: Architecture, batch_size: int, length: int, precision: Precision = "fp32"
) -> int:
    """Bytes of activations that one backward pass keeps, nothing recomputed.

    Korthikanti et al. 2022, arXiv 2205.05198, eq. 1: s b h (34 + 5 a s / h) bytes a layer at 16
    bits; doubled here for 32 bits (their dropout masks, one byte each, are doubled too: an upper
    bound). A decoder scores every piece at every position; an encoder-decoder's decoder attends
    once more, 11 + 5 a s / h and a norm's 2, for texts and answers of `length` each.
    """
    layer = layer_activation_bytes(architecture, batch_size, length)
    scores = 0
    match architecture.form:
        case "encoder" | "image-encoder":
            pass
        case "decoder":
            scores = LOGIT_BYTES * architecture.vocabulary_size
        case "encoder-decoder":
            h, a = architecture.hidden, architecture.heads
            layer = 2 * layer + batch_size * length * (13 * h + 5 * a * length)
            scores = LOGIT_BYTES * architecture.vocabulary_size
        case _:
            assert_never(architecture.form)
    layers = number_bytes(precision) / 2 * layer * architecture.layers
    return int(layers + batch_size * length * scores)


def checkpointed_bytes(
    architecture: Architecture, batch_size: int, length: int, precision: Precision = "fp32"
) -> int:
    """As `activation_bytes`, where only the input of each layer is kept and the rest recomputed.

    Korthikanti et al. 2022, 4: 2 s b h bytes a layer at 16 bits, and all of the layer in hand.
    """
    inputs = length * batch_size * architecture.hidden * number_bytes(precision)
    every_layer = activation_bytes(architecture, batch_size, length, precision)
    return architecture.layers * inputs + every_layer // architecture.layers


def copied_weight_bytes(n_weights: int, precision: Precision) -> int:
    """Bytes of the 16-bit copies of 32-bit weights that torch.autocast keeps during a step."""
    return 0 if number_bytes(precision) == FULL_PRECISION_BYTES else 2 * n_weights


def layer_activation_bytes(
    architecture: Architecture,
    batch_size: int,
    length: int,
    attention: Literal["eager", "fused"] = "eager",
) -> int:
    """Bytes that one layer keeps for its backward pass at 16 bits, nothing recomputed.

    Korthikanti et al. 2022, arXiv 2205.05198, 4.1, term by term, so that it holds for other widths
    than theirs (4 h, no gate), for which it is their s b h (34 + 5 a s / h). A token: attention
    keeps its input, queries, keys, values, the output's input and a dropout mask; the feed-forward
    its input, what goes into and out of the nonlinearity (with a gate also the gate's other factor
    and the product), and a mask; the two norms their inputs. `fused` kernels keep none of the
    s x s of softmax, dropout and mask: the same, 6.1 (selective recomputation).
    """
    h, q, kv = architecture.hidden, architecture.queries, architecture.keys
    in_attention = 2 * h + 2 * q + 4 * kv + 2 * q + h
    kept_widths = 4 if architecture.feed_forward_matrices == 2 else 8
    in_feed_forward = 2 * h + kept_widths * architecture.intermediate + h
    norms = 4 * h
    scores = 5 * architecture.heads * length if attention == "eager" else 0
    return batch_size * length * (in_attention + in_feed_forward + norms + scores)


def epochs_for(n_train: int, *, ample: float, most: float, ample_rows: int) -> float:
    """`ample` epochs from `ample_rows` rows on; for fewer rows as many as keep the number of
    updates, at most `most`."""
    return min(most, max(ample, ample * ample_rows / n_train))
