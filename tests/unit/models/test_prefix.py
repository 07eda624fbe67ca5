"""Leaving out the frozen layers changes nothing: to the bit, on eight families of models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.prefix import PREFIX_STATES, cut, freeze_below, frozen_states, layer_stack

SIZES = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "num_labels": 3,
    "pad_token_id": 0,
}


def _bert() -> Any:
    from transformers import BertConfig, BertForSequenceClassification

    return BertForSequenceClassification(BertConfig(**SIZES))


def _roberta() -> Any:
    from transformers import RobertaConfig, RobertaForSequenceClassification

    return RobertaForSequenceClassification(RobertaConfig(**SIZES, max_position_embeddings=64))


def _distilbert() -> Any:
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    return DistilBertForSequenceClassification(
        DistilBertConfig(vocab_size=100, dim=32, n_layers=4, n_heads=4, hidden_dim=64, num_labels=3)
    )


def _modernbert() -> Any:
    from transformers import ModernBertConfig, ModernBertForSequenceClassification

    ids = {"cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2}
    return ModernBertForSequenceClassification(
        ModernBertConfig(**SIZES, **ids, global_attn_every_n_layers=2)
    )


def _electra() -> Any:
    from transformers import ElectraConfig, ElectraForSequenceClassification

    return ElectraForSequenceClassification(ElectraConfig(**SIZES, embedding_size=32))


def _deberta() -> Any:
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

    return DebertaV2ForSequenceClassification(
        DebertaV2Config(**SIZES, relative_attention=True, pos_att_type=["p2c", "c2p"])
    )


def _gpt2() -> Any:
    from transformers import GPT2Config, GPT2ForSequenceClassification

    return GPT2ForSequenceClassification(
        GPT2Config(vocab_size=100, n_embd=32, n_layer=4, n_head=4, num_labels=3, pad_token_id=0)
    )


def _llama() -> Any:
    from transformers import LlamaConfig, LlamaForSequenceClassification

    return LlamaForSequenceClassification(LlamaConfig(**SIZES, num_key_value_heads=2))


FAMILIES: dict[str, Callable[[], Any]] = {
    "bert": _bert,
    "roberta": _roberta,
    "distilbert": _distilbert,
    "modernbert": _modernbert,
    "electra": _electra,
    "deberta": _deberta,
    "gpt2": _gpt2,
    "llama": _llama,
}


def pad(rows: list[list[int]]) -> dict[str, torch.Tensor]:
    longest = max(map(len, rows))
    return {
        "input_ids": torch.tensor([row + [0] * (longest - len(row)) for row in rows]),
        "attention_mask": torch.tensor(
            [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        ),
    }


def no_progress(done: int, total: int) -> None:
    """Nothing."""


@pytest.fixture
def ids() -> list[list[int]]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randint(5, 90, (n,), generator=generator).tolist() for n in (12, 8, 5)]


def kept(model: Any, n_frozen: int, ids: list[list[int]]) -> torch.Tensor:
    """The states of every row, padded."""
    states = torch.zeros(len(ids), max(map(len, ids)), 32)
    for index, own in frozen_states(model, n_frozen, ids, pad, no_progress):
        states[index, : len(own)] = torch.from_numpy(own.copy())
    return states


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n_trained", [1, 3])
def test_the_cut_model_answers_as_the_whole_one(
    family: str, n_trained: int, ids: list[list[int]]
) -> None:
    torch.manual_seed(0)
    model = FAMILIES[family]().eval()
    n_frozen = freeze_below(model, n_trained)
    assert n_frozen == 4 - n_trained
    batch = pad(ids)
    with torch.no_grad():
        whole = model(**batch).logits
        states = kept(model, n_frozen, ids)
        with cut(model, n_frozen):
            assert model.config.num_hidden_layers == n_trained + 1
            light = model(**batch, **{PREFIX_STATES: states}).logits
        again = model(**batch).logits
    assert torch.equal(whole, light)
    assert torch.equal(whole, again)  # whole again, its configuration too


@pytest.mark.parametrize("family", FAMILIES)
def test_training_the_cut_model_is_training_the_whole_one(
    family: str, ids: list[list[int]]
) -> None:
    def losses(light: bool) -> tuple[list[float], Any]:
        torch.manual_seed(0)
        model = FAMILIES[family]()
        n_frozen = freeze_below(model, 2)
        states = kept(model, n_frozen, ids)
        trained = [one for one in model.parameters() if one.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-3)
        batch = {**pad(ids), "labels": torch.tensor([0, 1, 2])}
        seen = []
        model.train()

        def steps(more: dict[str, torch.Tensor]) -> None:
            for _ in range(5):
                torch.manual_seed(len(seen))  # the same dropout above the frozen part
                loss = model(**batch, **more).loss
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                seen.append(loss.item())

        if light:
            with cut(model, n_frozen):
                steps({PREFIX_STATES: states})
        else:
            steps({})
        return seen, model

    whole, whole_model = losses(light=False)
    light, light_model = losses(light=True)
    assert light == pytest.approx(whole, rel=1e-5)
    assert len(set(whole)) == 5
    for (name, one), other in zip(
        whole_model.named_parameters(), light_model.parameters(), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-5), name


def test_only_the_last_layers_and_what_is_above_them_are_trained() -> None:
    model = _bert()
    freeze_below(model, 1)
    trained = {name for name, one in model.named_parameters() if one.requires_grad}
    assert all(
        name.startswith(("bert.encoder.layer.3.", "bert.pooler.", "classifier."))
        for name in trained
    )
    assert {"classifier.weight", "bert.pooler.dense.weight"} < trained
    assert len([name for name in trained if "layer.3" in name]) == 16


def test_what_all_layers_share_stays_frozen() -> None:
    model = _deberta()
    freeze_below(model, 2)
    shared = model.deberta.encoder.rel_embeddings.weight
    assert not shared.requires_grad


def test_frozen_layers_have_no_dropout_while_the_rest_is_trained(ids: list[list[int]]) -> None:
    model = _bert().train()
    freeze_below(model, 2)
    model(**pad(ids))
    assert not model.bert.encoder.layer[0].training
    assert not model.bert.embeddings.training
    assert model.bert.encoder.layer[3].training


@pytest.mark.parametrize("n_trained", [0, 5])
def test_more_layers_than_there_are_is_refused(n_trained: int) -> None:
    with pytest.raises(ModelError, match=f"layers is {n_trained}, but .* has 4. Set it between 1"):
        freeze_below(_bert(), n_trained)


def test_an_encoder_decoder_is_refused() -> None:
    from transformers import T5Config, T5ForSequenceClassification

    config = T5Config(
        vocab_size=100, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, eos_token_id=1
    )
    with pytest.raises(ModelError, match="encoder-decoder"):
        layer_stack(T5ForSequenceClassification(config))


def test_progress_is_told_in_tokens(ids: list[list[int]]) -> None:
    model = _bert()
    seen: list[tuple[int, int]] = []
    rows = [row for row in ids for _ in range(20)]
    list(frozen_states(model, 2, rows, pad, lambda done, total: seen.append((done, total))))
    assert seen[-1] == (500, 500)
    assert len(seen) == 2


def test_the_model_is_whole_again_after_a_failure(ids: list[list[int]]) -> None:
    model = _bert().eval()
    n_frozen = freeze_below(model, 1)
    with torch.no_grad():
        before = model(**pad(ids)).logits
    with pytest.raises(RuntimeError, match="on purpose"), cut(model, n_frozen):
        raise RuntimeError("on purpose")
    assert model.config.num_hidden_layers == 4
    with torch.no_grad():
        assert torch.equal(before, model(**pad(ids)).logits)
