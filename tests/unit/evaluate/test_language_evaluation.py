"""Models that write: everything that is measured of them, on tiny ones of each kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_language_models import (
    language_dataset,
    language_plan,
    language_rows,
    letters_tokenizer,
    save_model,
    tiny_bart,
    tiny_gpt2,
    tiny_t5,
)

from zenml_ftvr.data import Dataset
from zenml_ftvr.evaluate import evaluate_models
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    Baseline,
    CausalLM,
    Evaluation,
    EvaluationSettings,
    ForgettingSettings,
    Full,
    Hardware,
    Ledger,
    Lora,
    Seq2Seq,
    ServingSettings,
)
from zenml_ftvr.values.task import TEXT_METRICS

ALL = EvaluationSettings(
    serving=ServingSettings(batch_sizes=(1, 2), seconds=0.01),
    forgetting=ForgettingSettings(n_texts=24),
)
WORDS = ("ebb", "flow", "gale", "haar", "keel", "luff")
TEXTS = [f"{WORDS[place % 6]} {WORDS[place % 5]} {place}" for place in range(60)]
CHATS = [
    [{"role": "user", "content": text}, {"role": "assistant", "content": text.upper()}]
    for text in TEXTS
]
TEMPLATE = (
    "{% for m in messages %}{{ m['role'][0] }}|{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] }}{% endgeneration %}{% else %}{{ m['content'] }}{% endif %}>"
    "{% endfor %}{% if add_generation_prompt %}a|{% endif %}"
)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    tokenizer = letters_tokenizer()
    tokenizer.chat_template = TEMPLATE
    makers = {"gpt2": tiny_gpt2, "t5": tiny_t5, "bart": tiny_bart}
    return {
        name: save_model(make(tokenizer), tokenizer, tmp_path_factory.mktemp(name))
        for name, make in makers.items()
    }


@pytest.fixture
def evaluated(
    bases: dict[str, Path], hardware: Hardware, tmp_path: Path
) -> Callable[..., Evaluation]:
    """Trains each approach for a few steps and evaluates them, the first as the choice."""

    def run(task: Any, base: str, dataset: Dataset, *approaches: Any) -> Evaluation:
        models = []
        for approach in approaches:
            steps = 0 if approach.kind == "baseline" else 4
            plan = language_plan(approach, task, bases[base], max_steps=steps)
            models.append(run_plan(plan, dataset, tmp_path / approach.kind, hardware))
        return evaluate_models(
            models,
            dataset,
            spent=Ledger(),
            predicted_seconds=[None] * len(models),
            seed=0,
            on_rows=lambda kind, done, total: None,
            settings=ALL,
        )

    return run


def _dataset(inputs: list[Any], targets: list[str] | None) -> Dataset:
    return language_dataset(language_rows(inputs, targets), 10, 20)


@pytest.mark.parametrize("base", ["t5", "bart"])
def test_texts_for_texts(base: str, evaluated: Callable[..., Evaluation]) -> None:
    dataset = _dataset(TEXTS, [text.upper() for text in TEXTS])
    task = Seq2Seq(max_length=32, max_target_length=8)
    found = evaluated(task, base, dataset, Full(learning_rate=1e-2), Lora(), Baseline())
    full, lora, baseline = found.models
    for model in found.models:
        assert model.generation is not None
        assert model.generation.n_rows == 20
        assert tuple(one.metric for one in model.generation.scores) == TEXT_METRICS
        assert all(one.wanted == one.given.upper() for one in model.generation.samples)
        assert len(model.serving) == 1
        assert model.probabilities is None
        assert model.label_doubts == ()
    assert any("merged into its base was not measured" in note for note in lora.notes)
    for model in (full, lora):
        assert model.forgetting is not None
        assert model.forgetting.measure == "neighbour agreement"
    assert full.forgetting is not None
    assert full.forgetting.after < 1
    assert baseline.forgetting is None
    assert {one.metric for one in found.tests} == {"chrf"}
    assert {one.test for one in found.tests} == {"paired bootstrap"}
    assert found.tests[0].n_comparisons == 3


def test_prompts_and_completions(evaluated: Callable[..., Evaluation]) -> None:
    dataset = _dataset(TEXTS, [text.upper() for text in TEXTS])
    task = CausalLM(form="completion", max_length=64)
    found = evaluated(task, "gpt2", dataset, Full(learning_rate=1e-2), Lora(), Baseline())
    full, lora, baseline = found.models
    for model in found.models:
        assert model.generation is not None
        assert model.generation.n_rows == 20
        assert all(one.wanted == one.given.upper() for one in model.generation.samples)
    assert full.forgetting is not None
    assert full.forgetting.measure == "causal loss"
    assert full.forgetting.change != 0
    assert [one.form for one in lora.serving] == ["as trained", "merged"]
    assert baseline.forgetting is None


def test_conversations_go_on_from_the_turn_before_the_last(
    evaluated: Callable[..., Evaluation],
) -> None:
    dataset = _dataset(CHATS, None)
    task = CausalLM(form="chat", max_length=64)
    (model,) = evaluated(task, "gpt2", dataset, Full(learning_rate=1e-2)).models
    assert model.generation is not None
    assert model.generation.n_rows == 20
    assert all(one.wanted == one.given.upper() for one in model.generation.samples)


def test_of_plain_text_nothing_in_particular_is_wanted(
    evaluated: Callable[..., Evaluation],
) -> None:
    dataset = _dataset(TEXTS, None)
    (model,) = evaluated(CausalLM(max_length=64), "gpt2", dataset, Full(learning_rate=1e-2)).models
    assert model.generation is None
