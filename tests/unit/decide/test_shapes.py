"""Sizes read off config.json, against what transformers builds from the same entries."""

from __future__ import annotations

from typing import Any

import pytest

from zenml_ftvr.decide.shapes import FAMILIES, shape_of
from zenml_ftvr.errors import ModelError

BERT: dict[str, Any] = {
    "model_type": "bert",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "vocab_size": 30522,
    "type_vocab_size": 2,
    "max_position_embeddings": 512,
}
MINILM = {**BERT, "hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536}
ROBERTA = {
    **BERT,
    "model_type": "roberta",
    "vocab_size": 50265,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
}
DISTILBERT: dict[str, Any] = {
    "model_type": "distilbert",
    "vocab_size": 30522,
    "max_position_embeddings": 512,
    "dim": 768,
    "n_layers": 6,
    "n_heads": 12,
    "hidden_dim": 3072,
}
MPNET = {
    **{key: value for key, value in BERT.items() if key != "type_vocab_size"},
    "model_type": "mpnet",
    "vocab_size": 30527,
    "max_position_embeddings": 514,
    "relative_attention_num_buckets": 32,
}
GPT2: dict[str, Any] = {
    "model_type": "gpt2",
    "vocab_size": 50257,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "n_inner": None,
    "n_positions": 1024,
}
LLAMA_7B: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "intermediate_size": 11008,
    "vocab_size": 32000,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}
TINY_LLAMA = {
    **LLAMA_7B,
    "hidden_size": 2048,
    "num_hidden_layers": 22,
    "num_key_value_heads": 4,
    "intermediate_size": 5632,
}
MISTRAL = {
    **LLAMA_7B,
    "model_type": "mistral",
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
}
QWEN2: dict[str, Any] = {
    "model_type": "qwen2",
    "hidden_size": 896,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "intermediate_size": 4864,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
}
QWEN3 = {
    **QWEN2,
    "model_type": "qwen3",
    "hidden_size": 1024,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 3072,
}
T5_SMALL: dict[str, Any] = {
    "model_type": "t5",
    "vocab_size": 32128,
    "d_model": 512,
    "num_layers": 6,
    "num_decoder_layers": 6,
    "d_kv": 64,
    "d_ff": 2048,
    "num_heads": 8,
    "feed_forward_proj": "relu",
    "relative_attention_num_buckets": 32,
}
T5_GATED = {
    **T5_SMALL,
    "d_model": 768,
    "num_layers": 12,
    "num_decoder_layers": 12,
    "num_heads": 12,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
}
VIT: dict[str, Any] = {
    "model_type": "vit",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "patch_size": 16,
    "image_size": 224,
    "num_channels": 3,
}


@pytest.mark.parametrize(
    ("config", "n_params"),
    [
        pytest.param(BERT, 109_482_240, id="bert-base"),
        pytest.param(MINILM, 22_713_216, id="all-MiniLM-L6"),
        pytest.param(ROBERTA, 124_645_632, id="roberta-base"),
        pytest.param(DISTILBERT, 66_362_880, id="distilbert"),
        pytest.param(MPNET, 109_486_464, id="mpnet-base"),
        pytest.param(GPT2, 124_439_808, id="gpt2"),
        pytest.param(LLAMA_7B, 6_738_415_616, id="llama-7b"),
        pytest.param(TINY_LLAMA, 1_100_048_384, id="tiny-llama"),
        pytest.param(MISTRAL, 7_241_732_096, id="mistral-7b"),
        pytest.param(QWEN2, 494_032_768, id="qwen2-0.5b"),
        pytest.param(QWEN3, 596_049_920, id="qwen3-0.6b"),
        pytest.param(T5_SMALL, 60_506_624, id="t5-small"),
        pytest.param(VIT, 86_389_248, id="vit-base"),
    ],
)
def test_parameters_are_those_that_transformers_builds(
    config: dict[str, Any], n_params: int
) -> None:
    """Counted with transformers 5.23 on the meta device: models too large to build in a test."""
    assert shape_of(config).architecture.n_params == n_params


@pytest.mark.parametrize(
    ("model_type", "config", "auto"),
    [
        (
            "bert",
            {**MINILM, "hidden_size": 24, "intermediate_size": 40, "vocab_size": 50},
            "AutoModel",
        ),
        (
            "llama",
            {**TINY_LLAMA, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 8}
            | {"intermediate_size": 48, "vocab_size": 60, "attention_bias": True, "mlp_bias": True},
            "AutoModelForCausalLM",
        ),
        (
            "t5",
            {**T5_SMALL, "d_model": 16, "num_layers": 1, "num_decoder_layers": 2, "d_kv": 4}
            | {"num_heads": 2, "d_ff": 20, "vocab_size": 30},
            "AutoModelForSeq2SeqLM",
        ),
    ],
    ids=["bert", "llama", "t5"],
)
def test_odd_sizes_are_counted_as_a_model_of_them_has(
    model_type: str, config: dict[str, Any], auto: str
) -> None:
    import transformers

    entries = {key: value for key, value in config.items() if key != "model_type"}
    built = getattr(transformers, auto).from_config(
        transformers.AutoConfig.for_model(model_type, **entries)
    )
    assert shape_of(config).architecture.n_params == built.num_parameters()


def test_an_output_layer_of_its_own_is_counted_as_the_stored_weights_have_it() -> None:
    """transformers 5.23 builds T5 with a shared one whatever the file says."""
    assert shape_of(T5_GATED).architecture.n_params == 222_903_552 + 32_128 * 768


def test_what_operations_depend_on_besides_is_read_too() -> None:
    mistral, gpt2, bert = shape_of(MISTRAL), shape_of(GPT2), shape_of(BERT)
    assert mistral.architecture.keys == 1024
    assert mistral.architecture.queries == 4096
    assert mistral.architecture.feed_forward_matrices == 3
    assert (mistral.attended_share, bert.attended_share) == (0.5, 1.0)
    assert mistral.shared_output_params == bert.shared_output_params == 0
    assert gpt2.shared_output_params == 50257 * 768
    assert shape_of(QWEN3).architecture.queries == 16 * 128
    assert shape_of(T5_SMALL).architecture.cross_layers == 6


def test_an_unknown_family_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"'mamba'.*Known are bert, "):
        shape_of({"model_type": "mamba"})
    with pytest.raises(ModelError, match="model_type 'None'"):
        shape_of({})


@pytest.mark.parametrize("value", [0, -3, "twelve", True, 2.5])
def test_a_senseless_entry_is_refused_with_its_value(value: object) -> None:
    with pytest.raises(ModelError, match="num_hidden_layers is"):
        shape_of({**BERT, "num_hidden_layers": value})


@pytest.mark.parametrize(
    "config",
    [BERT, DISTILBERT, MPNET, GPT2, MISTRAL, T5_SMALL, VIT],
    ids=lambda one: one["model_type"],
)
def test_a_missing_entry_is_named(config: dict[str, Any]) -> None:
    needed = [
        key for key in config if key not in ("model_type", "n_inner", "max_position_embeddings")
    ]
    for key in needed:
        if key in (
            "num_key_value_heads",
            "tie_word_embeddings",
            "num_decoder_layers",
            "feed_forward_proj",
        ):
            continue
        with pytest.raises(ModelError, match=f"lacks .*{key}"):
            shape_of({name: value for name, value in config.items() if name != key})


def test_every_family_has_a_shape_of_a_test_or_is_kin_to_one() -> None:
    tested = {
        "bert",
        "roberta",
        "distilbert",
        "mpnet",
        "gpt2",
        "llama",
        "mistral",
        "qwen2",
        "qwen3",
    }
    kin = {"xlm-roberta": ROBERTA, "camembert": ROBERTA, "mt5": T5_GATED}
    assert set(FAMILIES) == tested | {"t5", "vit"} | set(kin)
    for model_type, config in kin.items():
        like = shape_of({**config, "model_type": model_type}).architecture
        assert like == shape_of(config).architecture
