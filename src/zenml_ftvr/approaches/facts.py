"""What the arithmetic of every approach starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Architecture",
    "TrainingFacts",
    "activation_bytes",
    "epochs_for",
    "layer_activation_bytes",
]

GIB = 2**30

FULL_PRECISION_BYTES = 4  # a 32-bit float

ADAM_BYTES_PER_TRAINABLE = 16
"""fp32 weight 4, gradient 4, two Adam moments 8: Rajbhandari et al. 2020, arXiv 1910.02054, 3.1
(the same total as their mixed-precision 2 + 2 + 12)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The sizes of a transformer encoder."""

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary_size: int
    n_params: int
    max_positions: int | None = None
    """The longest input in tokens; None where nothing bounds it."""
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


def activation_bytes(architecture: Architecture, batch_size: int, length: int) -> int:
    """Bytes of activations that one backward pass keeps, nothing recomputed, 32-bit.

    Korthikanti et al. 2022, arXiv 2205.05198, eq. 1: s b h (34 + 5 a s / h) bytes a layer at 16
    bits; doubled here for 32 bits (their dropout masks, one byte each, are doubled too: an upper
    bound).
    """
    return 2 * architecture.layers * layer_activation_bytes(architecture, batch_size, length)


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
