"""What a model's config.json says of its size: nothing is loaded, and nothing of it is run.

Each family's parameters are counted as `transformers` builds the model: encoders with their pooler
and without a task's head, language models with theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zenml_ftvr.approaches import Architecture
from zenml_ftvr.approaches.facts import GPT2_ACTIVATION_TENSORS
from zenml_ftvr.errors import ModelError

__all__ = ["ModelShape", "shape_of"]

Config = Mapping[str, Any]

GATED_ACTIVATION_TENSORS = 4  # the gate before and after its nonlinearity, the factor, the product
WRITTEN_OUT_NORM_TENSORS = 4  # of two RMS norms, each its input and what it makes of it


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """A model's architecture, and what its operations depend on besides."""

    model_type: str
    architecture: Architecture
    shared_output_params: int = 0
    """Of the token embeddings where they are a language model's output layer too: they take part
    in matrix multiplications without being parameters of their own."""
    attended_share: float = 1.0
    """Of all pairs of positions, those that attend: one half where tokens see only those before."""


def shape_of(config: Config) -> ModelShape:
    """The shape of the model that a parsed config.json describes.

    Raises `ModelError` for a family that is not known, and for a missing or senseless entry.
    """
    model_type = config.get("model_type")
    counted = FAMILIES.get(str(model_type))
    if counted is None:
        raise ModelError(
            f"config.json says model_type '{model_type}', whose size cannot be worked out. Known "
            f"are {', '.join(sorted(FAMILIES))}; load the model to count its parameters."
        )
    return counted(config)


def _number(config: Config, *names: str) -> int:
    """The first of the entries that is there, a whole number above 0."""
    for name in names:
        value = config.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ModelError(
                f"config.json says {name} is {value!r}; it must be a whole number above 0."
            )
        return value
    raise ModelError(
        f"config.json of a '{config.get('model_type')}' lacks {' and '.join(names)}. Take the "
        f"file that belongs to the model's weights."
    )


def _drops(config: Config, *names: str, default: float = 0.1) -> bool:
    """Whether any of the shares that are dropped in training is above 0; `default` where unsaid, as
    transformers has it."""
    return any(float(config.get(name, default)) > 0 for name in names)


def _block_params(hidden: int, intermediate: int) -> int:
    """A layer of the original transformer: biases everywhere, and two norms."""
    attention = 4 * (hidden**2 + hidden)
    feed_forward = 2 * hidden * intermediate + intermediate + hidden
    return attention + feed_forward + 4 * hidden


def _encoder(config: Config) -> ModelShape:
    """BERT (Devlin et al. 2019) and its kin."""
    model_type = str(config["model_type"])
    layers, hidden = (
        _number(config, "num_hidden_layers", "n_layers"),
        _number(config, "hidden_size", "dim"),
    )
    heads = _number(config, "num_attention_heads", "n_heads")
    intermediate = _number(config, "intermediate_size", "hidden_dim")
    vocabulary = _number(config, "vocab_size")
    positions = _number(config, "max_position_embeddings")
    embeddings = (vocabulary + positions) * hidden + 2 * hidden
    pooler = hidden**2 + hidden
    match model_type:
        case "distilbert":
            beside = 0
        case "mpnet":
            beside = pooler + _number(config, "relative_attention_num_buckets") * heads
        case _:
            beside = pooler + _number(config, "type_vocab_size") * hidden
    return ModelShape(
        model_type=model_type,
        architecture=Architecture(
            layers=layers,
            hidden=hidden,
            heads=heads,
            intermediate=intermediate,
            vocabulary_size=vocabulary,
            n_params=embeddings + beside + layers * _block_params(hidden, intermediate),
            dropout=_drops(
                config, "attention_probs_dropout_prob", "hidden_dropout_prob", "attention_dropout"
            ),
        ),
    )


def _vision(config: Config) -> ModelShape:
    """ViT (Dosovitskiy et al. 2021): patches in place of tokens."""
    layers, hidden = _number(config, "num_hidden_layers"), _number(config, "hidden_size")
    intermediate = _number(config, "intermediate_size")
    patch = _number(config, "patch_size")
    n_patches = (_number(config, "image_size") // patch) ** 2
    patches = _number(config, "num_channels") * patch**2 * hidden + hidden
    positions = (n_patches + 1) * hidden + hidden
    rest = 2 * hidden + hidden**2 + hidden
    return ModelShape(
        model_type="vit",
        architecture=Architecture(
            layers=layers,
            hidden=hidden,
            heads=_number(config, "num_attention_heads"),
            intermediate=intermediate,
            vocabulary_size=0,
            n_params=patches + positions + rest + layers * _block_params(hidden, intermediate),
            max_positions=n_patches + 1,
            dropout=_drops(
                config, "attention_probs_dropout_prob", "hidden_dropout_prob", default=0.0
            ),
        ),
    )


def _gpt2(config: Config) -> ModelShape:
    """GPT-2 (Radford et al. 2019), whose output layer is the token embeddings."""
    layers = _number(config, "n_layer", "num_hidden_layers")
    hidden = _number(config, "n_embd", "hidden_size")
    intermediate = _number(config, "n_inner") if config.get("n_inner") else 4 * hidden
    vocabulary = _number(config, "vocab_size")
    positions = _number(config, "n_positions", "max_position_embeddings")
    embeddings = (vocabulary + positions) * hidden
    return ModelShape(
        model_type="gpt2",
        architecture=Architecture(
            layers=layers,
            hidden=hidden,
            heads=_number(config, "n_head", "num_attention_heads"),
            intermediate=intermediate,
            vocabulary_size=vocabulary,
            n_params=embeddings + layers * _block_params(hidden, intermediate) + 2 * hidden,
            max_positions=positions,
            activation_tensors=GPT2_ACTIVATION_TENSORS,
            dropout=_drops(config, "resid_pdrop", "attn_pdrop"),
        ),
        shared_output_params=vocabulary * hidden,
        attended_share=0.5,
    )


def _llama(config: Config) -> ModelShape:
    """Llama (Touvron et al. 2023) and kin: gated feed-forward, and fewer heads of keys."""
    model_type = str(config["model_type"])
    layers, hidden = _number(config, "num_hidden_layers"), _number(config, "hidden_size")
    heads = _number(config, "num_attention_heads")
    head_width = _number(config, "head_dim") if config.get("head_dim") else hidden // heads
    queries = heads * head_width
    keys = head_width * _number(config, "num_key_value_heads", "num_attention_heads")
    intermediate, vocabulary = _number(config, "intermediate_size"), _number(config, "vocab_size")
    shared = bool(config.get("tie_word_embeddings", False))
    per_layer = 2 * hidden * (queries + keys) + 3 * hidden * intermediate + 2 * hidden
    if model_type == "qwen2":
        per_layer += queries + 2 * keys
    elif config.get("attention_bias"):
        per_layer += queries + 2 * keys + hidden
    if model_type == "qwen3":
        per_layer += 2 * head_width  # norms of queries and keys
    if config.get("mlp_bias"):
        per_layer += 2 * intermediate + hidden
    embeddings = vocabulary * hidden * (1 if shared else 2)
    return ModelShape(
        model_type=model_type,
        architecture=Architecture(
            layers=layers,
            hidden=hidden,
            heads=heads,
            intermediate=intermediate,
            vocabulary_size=vocabulary,
            n_params=embeddings + layers * per_layer + hidden,
            max_positions=config.get("max_position_embeddings"),
            feed_forward_matrices=3,
            query_width=queries,
            key_value_width=keys,
            dropout=_drops(config, "attention_dropout", default=0.0),
            activation_tensors=GATED_ACTIVATION_TENSORS,
            norm_tensors=WRITTEN_OUT_NORM_TENSORS,
        ),
        shared_output_params=vocabulary * hidden if shared else 0,
        attended_share=0.5,
    )


def _t5(config: Config) -> ModelShape:
    """T5 (Raffel et al. 2020): an encoder, and a decoder that attends to it; no biases.

    A token passes one of the two stacks, so that operations a token, taken over all weights, are an
    upper bound.
    """
    encoder, hidden = _number(config, "num_layers"), _number(config, "d_model")
    decoder = _number(config, "num_decoder_layers", "num_layers")
    heads = _number(config, "num_heads")
    width = heads * _number(config, "d_kv")
    intermediate, vocabulary = _number(config, "d_ff"), _number(config, "vocab_size")
    matrices = 3 if str(config.get("feed_forward_proj", "relu")).startswith("gated") else 2
    shared = bool(config.get("tie_word_embeddings", True))
    attention, feed_forward = 4 * hidden * width, matrices * hidden * intermediate
    relative = 2 * _number(config, "relative_attention_num_buckets") * heads
    n_params = (
        vocabulary * hidden * (1 if shared else 2)
        + encoder * (attention + feed_forward + 2 * hidden)
        + decoder * (2 * attention + feed_forward + 3 * hidden)
        + relative
        + 2 * hidden
    )
    return ModelShape(
        model_type=str(config["model_type"]),
        architecture=Architecture(
            layers=encoder + decoder,
            hidden=hidden,
            heads=heads,
            intermediate=intermediate,
            vocabulary_size=vocabulary,
            n_params=n_params,
            feed_forward_matrices=matrices,
            query_width=width,
            key_value_width=width,
            cross_layers=decoder,
            dropout=_drops(config, "dropout_rate"),
            activation_tensors=GATED_ACTIVATION_TENSORS if matrices == 3 else 2,
            norm_tensors=WRITTEN_OUT_NORM_TENSORS,
        ),
        shared_output_params=vocabulary * hidden if shared else 0,
    )


FAMILIES: dict[str, Callable[[Config], ModelShape]] = {
    **dict.fromkeys(
        ("bert", "roberta", "xlm-roberta", "camembert", "distilbert", "mpnet"), _encoder
    ),
    "vit": _vision,
    "gpt2": _gpt2,
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), _llama),
    **dict.fromkeys(("t5", "mt5"), _t5),
}
