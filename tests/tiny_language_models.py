"""Tiny language models with random weights, and rows for them, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from zenml_ftvr.data import Dataset, Rows
from zenml_ftvr.values import DataSource, ModelSource, TrainingPlan

POSITIONS = 128
ALPHABET = "abcdefghijklmnopqrstuvwxyz .,!?ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789\n:;'-_<>|/é"
TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def language_rows(inputs: Sequence[Any], targets: Sequence[str] | None = None) -> Rows:
    """Rows as they are loaded: texts or conversations, with or without a wanted text."""
    kind = TURNS if inputs and isinstance(inputs[0], list) else pa.string()
    label = pa.nulls(len(inputs)) if targets is None else pa.array(list(targets), pa.string())
    ids = pa.array([f"{place:032x}" for place in range(len(inputs))], pa.string())
    return Rows(pa.table({"row_id": ids, "text": pa.array(list(inputs), kind), "label": label}))


def language_dataset(rows: Rows, n_validation: int, n_test: int) -> Dataset:
    """The first rows to train on, then those to validate on, then those to test on."""
    n_train = len(rows) - n_validation - n_test
    places = list(range(len(rows)))
    return Dataset(
        source=DataSource(name="made.jsonl"),
        train=rows.take(places[:n_train]),
        validation=rows.take(places[n_train : n_train + n_validation]),
        test=rows.take(places[n_train + n_validation :]),
        labels=(),
        fingerprint="0" * 64,
        n_duplicates=0,
        n_conflicts=0,
        n_dropped=0,
    )


def letters_tokenizer(begins: bool = True) -> Any:
    """A token a character; `<s>` begins a text, `</s>` ends it."""
    from tokenizers import Regex, Tokenizer
    from tokenizers.decoders import Fuse
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split
    from transformers import PreTrainedTokenizerFast

    pad, begin, end, unknown = special = ["<pad>", "<s>", "</s>", "<unk>"]
    vocabulary = {token: place for place, token in enumerate([*special, *ALPHABET])}
    inner = Tokenizer(WordLevel(vocabulary, unk_token=unknown))
    inner.pre_tokenizer = Split(Regex(r"[\s\S]"), "isolated")
    inner.decoder = Fuse()
    inner.add_special_tokens(special)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        model_max_length=POSITIONS,
        pad_token=pad,
        unk_token=unknown,
        eos_token=end,
        bos_token=begin if begins else None,
    )
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    return tokenizer


def tiny_gpt2(tokenizer: Any, layers: int = 2) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel, set_seed

    set_seed(7)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=layers,
        n_head=2,
        n_positions=POSITIONS,
        initializer_range=0.1,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return GPT2LMHeadModel(config)


def tiny_llama(tokenizer: Any, layers: int = 2) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    set_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=POSITIONS,
        initializer_range=0.1,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def tiny_bloom(tokenizer: Any) -> Any:
    """A family that takes no positions, so that it cannot keep documents apart."""
    from transformers import BloomConfig, BloomForCausalLM, set_seed

    set_seed(7)
    return BloomForCausalLM(
        BloomConfig(vocab_size=len(tokenizer), hidden_size=32, n_layer=2, n_head=2)
    )


def tiny_t5(tokenizer: Any) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration, set_seed

    set_seed(7)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=tokenizer.pad_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return T5ForConditionalGeneration(config)


def tiny_bart(tokenizer: Any) -> Any:
    from transformers import BartConfig, BartForConditionalGeneration, set_seed

    set_seed(7)
    config = BartConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=POSITIONS,
        init_std=0.1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.eos_token_id,
        forced_eos_token_id=None,
    )
    return BartForConditionalGeneration(config)


def save_model(model: Any, tokenizer: Any, folder: Path) -> Path:
    from zenml_ftvr.models import quiet

    with quiet():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def language_plan(
    approach: Any, task: Any, base: Path | None, *, max_steps: int, batch_size: int = 8
) -> TrainingPlan:
    """A plan for `language_dataset`, without a recommendation."""
    from zenml_ftvr.models import resolve

    source = None if base is None else ModelSource(name=str(base))
    return TrainingPlan(
        approach=approach,
        task=task,
        model=source,
        model_fingerprint=None if source is None else resolve(source).fingerprint,
        data_fingerprint="0" * 64,
        labels=(),
        max_steps=max_steps,
        batch_size=batch_size,
        learning_rate=getattr(approach, "learning_rate", None),
        warmup_steps=0,
        weight_decay=0.0,
        eval_every_steps=max(1, max_steps // 2),
        seed=0,
        wall_seconds=None,
        predicted_hours=None,
    )
