"""Causal language modelling, from rows to a folder that foretells and writes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_language_models import (
    language_dataset,
    language_plan,
    language_rows,
    letters_tokenizer,
    save_model,
    tiny_bloom,
    tiny_gpt2,
    tiny_llama,
)

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import ConfigurationError, DataError
from zenml_ftvr.models import load
from zenml_ftvr.tasks import TargetScale, make_work, score
from zenml_ftvr.tasks.causal_lm import documents_of
from zenml_ftvr.tasks.packing import IGNORED
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    Baseline,
    CausalLM,
    Full,
    Hardware,
    Ledger,
    Lora,
    Partial,
    Scratch,
    metrics_of,
)

MARKED = (
    "{% for m in messages %}{% if m.role == 'assistant' %}<a>"
    "{% generation %}{{ m.content }}|{% endgeneration %}"
    "{% else %}<u>{{ m.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<a>{% endif %}"
)
UNMARKED = MARKED.replace("{% generation %}", "").replace("{% endgeneration %}", "")
CHAT = [
    {"role": "user", "content": "who?"},
    {"role": "assistant", "content": "me"},
    {"role": "user", "content": "why?"},
    {"role": "assistant", "content": "so"},
]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Sentences of few words, so that letters follow from letters."""
    rng = random.Random(3)
    words = ["gambit", "harbour", "onion", "rudder", "recipe", "knight"]
    return [" ".join(rng.choices(words, k=rng.randint(2, 12))) + "." for _ in range(90)]


@pytest.fixture(scope="module")
def rows_of_text(texts: list[str]) -> Dataset:
    return language_dataset(language_rows(texts), 15, 15)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    tokenizer = letters_tokenizer()
    makers = {"gpt2": tiny_gpt2, "llama": tiny_llama, "bloom": tiny_bloom}
    return {
        name: save_model(make(tokenizer), tokenizer, tmp_path_factory.mktemp(name))
        for name, make in makers.items()
    }


def documents(form: Any, rows: Any, tokenizer: Any) -> list[Any]:
    return list(documents_of(CausalLM(form=form), tokenizer, rows))


def learnt_text(document: Any, tokenizer: Any) -> str:
    return tokenizer.decode([label for label in document.labels if label != IGNORED])


def test_of_a_text_every_token_and_the_end_are_learnt() -> None:
    tokenizer = letters_tokenizer()
    (document,) = documents("text", language_rows(["né."]), tokenizer)
    assert tokenizer.decode(document.ids) == "<s>né.</s>"
    assert learnt_text(document, tokenizer) == "né.</s>"
    assert document.n_bytes == 4  # two of them are one letter's


def test_of_a_completion_the_prompt_is_not_learnt() -> None:
    tokenizer = letters_tokenizer()
    (document,) = documents("completion", language_rows(["two:"], ["2"]), tokenizer)
    assert tokenizer.decode(document.ids) == "<s>two:2</s>"
    assert learnt_text(document, tokenizer) == "2</s>"
    assert document.n_bytes == 1


@pytest.mark.parametrize("template", [MARKED, UNMARKED])
def test_of_a_conversation_the_assistants_turns_are_learnt(template: str) -> None:
    tokenizer = letters_tokenizer()
    tokenizer.chat_template = template
    (document,) = documents("chat", language_rows([CHAT]), tokenizer)
    assert tokenizer.decode(document.ids) == "<u>who?<a>me|<u>why?<a>so|"
    assert learnt_text(document, tokenizer) == "me|so|"
    assert document.n_bytes == 4


def test_a_tokenizer_without_chat_template_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"no chat template.*form: completion"):
        documents("chat", language_rows([CHAT]), letters_tokenizer())


def test_a_template_that_rewrites_what_was_said_is_refused() -> None:
    tokenizer = letters_tokenizer()
    tokenizer.chat_template = "{{ messages | length }}" + UNMARKED
    with pytest.raises(DataError, match=r"Mark it in the template with \{% generation %\}"):
        documents("chat", language_rows([CHAT]), tokenizer)


def test_a_tokenizer_that_cannot_begin_a_text_is_refused() -> None:
    tokenizer = letters_tokenizer(begins=False)
    tokenizer.eos_token = None
    with pytest.raises(ConfigurationError, match="bos_token"):
        documents("text", language_rows(["a"]), tokenizer)


def test_what_a_prompt_is_labelled_with_changes_no_loss(bases: dict[str, Path]) -> None:
    from transformers import AutoModelForCausalLM

    tokenizer = letters_tokenizer()
    model = AutoModelForCausalLM.from_pretrained(bases["gpt2"]).eval()
    work = make_work(CausalLM(form="completion", max_length=16), (), TargetScale())
    collate = work.collator(tokenizer, model)

    def loss_and_gradient(prompts: list[str]) -> tuple[Any, Any]:
        rows = work.encode(tokenizer, language_rows(prompts, ["yes", "no"]))
        batch = collate([rows[index] for index in range(len(rows))])
        own = collate([rows[index] for index in range(len(rows))])
        learnt = own["labels"] != IGNORED
        assert learnt.sum() == len("yes") + len("no") + 2
        model.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        return loss.detach(), batch["labels"][learnt]

    first = loss_and_gradient(["one", "two"])
    again = loss_and_gradient(["one", "two"])
    other = loss_and_gradient(["six", "ten"])
    torch.testing.assert_close(first[0], again[0])
    assert first[1].tolist() == other[1].tolist()
    assert first[0] != other[0]  # the prompt is seen, though it is not learnt


APPROACHES = {
    "full": Full(learning_rate=1e-2, epochs=1, batch_size=8),
    "lora": Lora(learning_rate=2e-2, epochs=1, batch_size=8, rank=8),
    "partial": Partial(learning_rate=1e-2, epochs=1, batch_size=8, layers=1),
    "scratch": Scratch(
        learning_rate=1e-2, epochs=1, batch_size=8, depth=2, tokenizer="bpe", vocabulary_size=300
    ),
}
CASES = [
    ("full", "gpt2"),
    ("full", "llama"),
    ("full", "bloom"),
    ("lora", "gpt2"),
    ("lora", "llama"),
    ("partial", "gpt2"),
    ("partial", "llama"),
    ("scratch", "gpt2"),
]


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_it_learns_and_loads_as_it_was(
    kind: str,
    family: str,
    bases: dict[str, Path],
    rows_of_text: Dataset,
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    task = CausalLM(max_length=96)  # no text is longer
    plan = language_plan(APPROACHES[kind], task, bases[family], max_steps=30)
    model = run_plan(plan, rows_of_text, tmp_path / "model", hardware)
    curve = [point.value for point in model.curve if point.metric == "eval/bits_per_byte"]
    loaded = load(tmp_path / "model")
    outputs = loaded.outputs(rows_of_text.validation)
    answers = loaded.answers(rows_of_text.validation)
    assert score(answers, "bits_per_byte") < 4.5  # 6.3 with random weights
    # What was measured in packed blocks is what whole texts alone give after reloading.
    assert score(answers, "bits_per_byte") == pytest.approx(min(curve), rel=1e-3)
    np.testing.assert_array_equal(
        load(tmp_path / "model").outputs(rows_of_text.validation), outputs
    )
    if kind == "partial":
        assert model.n_trainable < model.n_params


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_kept_states_of_a_block_give_what_the_whole_model_gives(
    family: str, bases: dict[str, Path], rows_of_text: Dataset, tmp_path: Path
) -> None:
    from zenml_ftvr.models import resolve
    from zenml_ftvr.train import prepare, silent, without_frozen_part

    task = CausalLM(max_length=64)
    plan = language_plan(APPROACHES["partial"], task, bases[family], max_steps=1)
    prepared = prepare(plan, rows_of_text, resolve(plan.model))
    model = prepared.trainable.model.eval()
    indices = [
        index for index in range(len(prepared.train)) if len(prepared.train.pieces(index)) > 1
    ]
    assert len(indices) > 4
    with torch.inference_mode():
        whole = model(**prepared.collate([prepared.train[index] for index in indices])).logits
        with without_frozen_part(prepared, tmp_path / "states", "cpu", silent) as light:
            model.eval()
            kept = model(**light.collate([light.train[index] for index in indices])).logits
    for row, index in enumerate(indices):
        n = prepared.train.lengths[index]  # padding brings no states
        torch.testing.assert_close(kept[row, :n], whole[row, :n], rtol=1e-4, atol=1e-5)


def test_a_completion_is_learnt_and_written(
    bases: dict[str, Path], hardware: Hardware, tmp_path: Path
) -> None:
    prompts = [f"{word}:" for word in ("cat", "dog", "sun", "sea")] * 8
    sounds = {"cat:": "meow", "dog:": "woof", "sun:": "hot", "sea:": "wet"}
    answers = [sounds[prompt] for prompt in prompts]
    dataset = language_dataset(language_rows(prompts, answers), 4, 4)
    task = CausalLM(form="completion", max_length=32)
    plan = language_plan(APPROACHES["full"], task, bases["gpt2"], max_steps=60, batch_size=4)
    run_plan(plan, dataset, tmp_path / "model", hardware)
    loaded = load(tmp_path / "model")
    said = [one.text for one in loaded.predict(["dog:", {"text": "a cat:"}, "sea:"])]
    assert (said[0], said[2]) == ("woof", "wet")
    assert loaded.predict([]) == []


def test_a_conversation_is_learnt_and_written(hardware: Hardware, tmp_path: Path) -> None:
    tokenizer = letters_tokenizer()
    tokenizer.chat_template = UNMARKED
    base = save_model(tiny_llama(tokenizer), tokenizer, tmp_path / "base")
    dataset = language_dataset(language_rows([CHAT] * 24), 4, 4)
    task = CausalLM(form="chat", max_length=64)
    plan = language_plan(APPROACHES["full"], task, base, max_steps=40, batch_size=4)
    run_plan(plan, dataset, tmp_path / "model", hardware)
    loaded = load(tmp_path / "model")
    (said,) = loaded.predict([CHAT[:1]])
    assert said.text.startswith("me|")


def test_the_first_steps_are_timed(
    bases: dict[str, Path], rows_of_text: Dataset, hardware: Hardware
) -> None:
    from zenml_ftvr.models import resolve
    from zenml_ftvr.pilot.calibrate import calibrate_arm

    task = CausalLM(max_length=64)
    for approach in (APPROACHES["partial"], APPROACHES["lora"], Baseline()):
        plan = language_plan(approach, task, bases["gpt2"], max_steps=7, batch_size=2)
        arm = calibrate_arm(plan, rows_of_text, resolve(plan.model), hardware, None)
        assert arm.seconds_per_step > 0
        assert arm.seconds_per_eval_row > 0
        assert (arm.seconds_per_frozen_row > 0) == (approach.kind == "partial")


def test_it_is_compared_with_the_ngrams_on_the_test_split(
    bases: dict[str, Path], rows_of_text: Dataset, hardware: Hardware, tmp_path: Path
) -> None:
    from zenml_ftvr.evaluate import evaluate_models
    from zenml_ftvr.pilot import screen

    task = CausalLM(max_length=96)
    models = []
    for approach, steps in ((APPROACHES["full"], 30), (Baseline(), 0)):
        plan = language_plan(approach, task, bases["gpt2"], max_steps=steps)
        models.append(run_plan(plan, rows_of_text, tmp_path / approach.kind, hardware))
    evaluation = evaluate_models(
        models,
        rows_of_text,
        spent=Ledger(),
        predicted_seconds=[None, None],
        seed=0,
        on_rows=lambda kind, done, total: None,
    )
    for one in evaluation.models:
        bits = next(value for value in one.scores if value.metric == "bits_per_byte")
        assert 0 < bits.low < bits.value < bits.high
    assert {one.metric for one in evaluation.differences} == set(metrics_of(task))
    evidence = screen(rows_of_text, None, ["baseline", "head"], task, "cpu", 0)
    (screened,) = evidence.measured
    assert screened.kind == "baseline"
    assert {one.metric for one in screened.scores} == set(metrics_of(task))
