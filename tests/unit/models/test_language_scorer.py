"""How well texts are foretold, and what is written: against the model asked directly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_language_models import (
    language_dataset,
    language_plan,
    language_rows,
    letters_tokenizer,
    save_model,
    tiny_gpt2,
)

from zenml_ftvr.api import resolve_base
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.models import load
from zenml_ftvr.models.scorers import language
from zenml_ftvr.models.scorers.language import windows_of
from zenml_ftvr.tasks import score
from zenml_ftvr.tasks.packing import IGNORED, Document
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import Budget, CausalLM, Full, Hardware, ModelSource, Request

SIZE = 16
TEXTS = ["", "a", "né!", "knight and rook", "to be or not to be: that is the question. " * 3]


@given(length=st.integers(1, 90), size=st.integers(8, 24))
def test_every_token_is_scored_once_and_after_half_a_window(length: int, size: int) -> None:
    ids = list(range(length))
    windows = list(windows_of(0, Document(ids, ids, length), size))
    assert all(len(one.ids) == len(one.labels) <= size for one in windows)
    scored = [label for one in windows for label in one.labels if label != IGNORED]
    assert scored == ids[1:]
    for one in windows[1:]:
        first = min(place for place, label in enumerate(one.labels) if label != IGNORED)
        assert first >= size // 2
    assert all(
        token == label
        for one in windows
        for token, label in zip(one.ids, one.labels, strict=True)
        if label != IGNORED
    )


@pytest.fixture(scope="module")
def folder(hardware: Hardware, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one step: what it says is far from even, and right by chance."""
    tokenizer = letters_tokenizer()
    base = save_model(tiny_gpt2(tokenizer), tokenizer, tmp_path_factory.mktemp("base"))
    dataset = language_dataset(language_rows(["a knight", "a rook", "a pawn"]), 1, 1)
    plan = language_plan(Full(learning_rate=1e-3), CausalLM(max_length=SIZE), base, max_steps=1)
    run_plan(plan, dataset, base.parent / "scored", hardware)
    return base.parent / "scored"


def directly(folder: Path, text: str) -> tuple[float, int, int]:
    """Negative log-likelihood, tokens and hits: token by token, each with its own context."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("<s>" + text + "</s>")["input_ids"]
    nll, hits, scored = 0.0, 0, 1
    window = (0, SIZE)
    while scored < len(ids):
        if scored >= window[1]:
            end = min(scored + SIZE // 2, len(ids))
            window = (end - SIZE, end)
        with torch.inference_mode():
            logits = model(torch.tensor([ids[window[0] : scored]])).logits[0, -1]
        nll -= float(logits.double().log_softmax(-1)[ids[scored]])
        hits += int(logits.argmax() == ids[scored])
        scored += 1
    return nll, len(ids) - 1, hits


def test_sums_are_those_of_the_model_asked_token_by_token(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    outputs = load(folder).outputs(language_rows(TEXTS), lambda *at: seen.append(at))
    for row, text in zip(outputs, TEXTS, strict=True):
        nll, n_tokens, hits = directly(folder, text)
        assert row[0] == pytest.approx(nll, rel=1e-4)
        assert (row[1], row[3]) == (n_tokens, hits)
        assert row[2] == len(text.encode())
    assert seen[-1] == (len(TEXTS), len(TEXTS))


def test_small_batches_give_the_same_sums(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load(folder).outputs(language_rows(TEXTS))
    monkeypatch.setattr(language, "LOGIT_BYTES", 1)
    monkeypatch.setattr(language, "DOCUMENTS_AT_ONCE", 2)
    np.testing.assert_allclose(load(folder).outputs(language_rows(TEXTS)), whole, rtol=1e-5)


def test_metrics_are_those_of_the_weighted_rows(folder: Path) -> None:
    loaded, rows = load(folder), language_rows(TEXTS)
    answers, outputs = loaded.answers(rows), loaded.outputs(rows)
    nll, tokens, n_bytes, hits = outputs.sum(0)
    assert score(answers, "bits_per_byte") == pytest.approx(nll / np.log(2) / n_bytes)
    assert score(answers, "perplexity") == pytest.approx(np.exp(nll / tokens))
    assert score(answers, "token_accuracy") == pytest.approx(hits / tokens)
    weights = np.asarray([[0, 3, 1, 0, 2], [1, 1, 1, 1, 1]], dtype=float)
    drawn = loaded.answers(rows.take([1, 1, 1, 2, 4, 4]))
    for metric in ("bits_per_byte", "perplexity", "token_accuracy"):
        values = answers.values(metric, weights)
        assert values[0] == pytest.approx(score(drawn, metric))
        assert values[1] == pytest.approx(score(answers, metric))


def test_what_is_written_is_what_the_model_goes_on_with(folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompts = ["a kn", "rook and pawn"]
    for prompt, said in zip(prompts, load(folder).predict(prompts), strict=True):
        ids = tokenizer("<s>" + prompt)["input_ids"]
        start = len(ids)
        while len(ids) - start < 64 and ids[-1] != tokenizer.eos_token_id:  # half its positions
            with torch.inference_mode():
                ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        assert said.text == tokenizer.decode(ids[start:], skip_special_tokens=True)


def request(base: Path, task: Any) -> Request:
    return Request(
        budget=Budget(hours=1.0),
        approaches=(Full(),),
        base_model=ModelSource(name=str(base)),
        task=task,
    )


def test_an_encoder_is_refused_before_anything_is_trained(bert_folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"is an encoder.*decoder such as"):
        resolve_base(request(bert_folder, CausalLM(max_length=SIZE)))


def test_a_decoder_is_taken(folder: Path) -> None:
    assert resolve_base(request(folder, CausalLM(max_length=SIZE))) is not None
