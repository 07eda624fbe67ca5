"""Texts for texts: from rows to a folder that writes, and metrics as others compute them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu import corpus_bleu, corpus_chrf
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

from zenml_ftvr.api import resolve_base
from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.models import load
from zenml_ftvr.tasks import TargetScale, make_work, score
from zenml_ftvr.tasks.text_answers import TextAnswers
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    Baseline,
    Budget,
    CausalLM,
    Full,
    Hardware,
    Ledger,
    Lora,
    ModelSource,
    Request,
    Scratch,
    Seq2Seq,
    metrics_of,
)

METRICS = metrics_of(Seq2Seq())
TRUTH = [
    "The cat sat on the mat, and the dog looked on.",
    "A second sentence that is somewhat longer than the first one was.",
    "Short.",
    "",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
]
WRITTEN = [
    "The cat sat on a mat and the dog looked away.",
    "A second sentence, longer than the first one was.",
    "  Short. ",
    "something",
    "Zwölf Boxer jagen Viktor über den Deich.",
]


def test_metrics_are_sacrebleus_and_rouge_scores() -> None:
    answers = TextAnswers(TRUTH, WRITTEN)
    assert score(answers, "bleu") == pytest.approx(corpus_bleu(WRITTEN, [TRUTH]).score / 100)
    assert score(answers, "chrf") == pytest.approx(corpus_chrf(WRITTEN, [TRUTH]).score / 100)
    assert score(answers, "exact_match") == 1 / 5
    english = TextAnswers(TRUTH[:3], WRITTEN[:3])
    scorer = RougeScorer(["rougeL"])
    pairs = zip(TRUTH[:3], WRITTEN[:3], strict=True)
    expected = np.mean([scorer.score(one, other)["rougeL"].fmeasure for one, other in pairs])
    assert score(english, "rouge_l") == pytest.approx(expected)


def test_rouge_knows_other_letters() -> None:
    assert score(TextAnswers(["быть или не быть"], ["быть или быть"]), "rouge_l") > 0.8


SENTENCES = st.lists(st.sampled_from(["a", "cat", "sat", "on", "mat", "."]), max_size=9).map(
    " ".join
)


@settings(deadline=None, max_examples=25)
@given(pairs=st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=6), data=st.data())
def test_rows_that_count_twice_are_rows_that_are_there_twice(pairs: Any, data: Any) -> None:
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)))
    if not any(counts):
        counts[0] = 1
    answers = TextAnswers(*zip(*pairs, strict=True))
    repeated = [pair for pair, count in zip(pairs, counts, strict=True) for _ in range(count)]
    truth, written = [list(column) for column in zip(*repeated, strict=True)]
    weights = np.asarray([counts, [1] * len(pairs)], dtype=float)
    for metric in METRICS:
        value = answers.values(metric, weights)
        assert value[0] == pytest.approx(score(TextAnswers(truth, written), metric))
        assert value[1] == pytest.approx(score(answers, metric))
        assert 0 <= value[0] <= 1.0000001
    bleu, chrf = corpus_bleu(written, [truth]), corpus_chrf(written, [truth])
    assert answers.values("bleu", weights)[0] == pytest.approx(bleu.score / 100)
    assert answers.values("chrf", weights)[0] == pytest.approx(chrf.score / 100)


def test_the_right_text_scores_one_and_nothing_scores_nought() -> None:
    for metric in METRICS:
        assert score(TextAnswers(TRUTH[:2], TRUTH[:2]), metric) == pytest.approx(1)
        assert score(TextAnswers(TRUTH[:2], ["", ""]), metric) == 0


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    tokenizer = ending_tokenizer()
    makers = {"t5": tiny_t5, "bart": tiny_bart, "gpt2": tiny_gpt2}
    return {
        name: save_model(make(tokenizer), tokenizer, tmp_path_factory.mktemp(name))
        for name, make in makers.items()
    }


def ending_tokenizer() -> Any:
    """Ends each text by itself, as those of encoder-decoders do."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = letters_tokenizer()
    end = tokenizer.eos_token
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"$A {end}", special_tokens=[(end, tokenizer.eos_token_id)]
    )
    return tokenizer


@pytest.fixture(scope="module")
def answered() -> Dataset:
    """A word is answered with another: a table to be learnt."""
    table = {"cat": "meow", "dog": "woof", "cow": "moo", "bee": "buzz", "owl": "hoo"}
    rng = random.Random(0)
    given = [rng.choice(sorted(table)) + rng.choice([" says", " said", "", "?"]) for _ in range(72)]
    return language_dataset(language_rows(given, [table[one[:3]] for one in given]), 12, 12)


def test_both_sides_are_cut_and_padded(bases: dict[str, Path]) -> None:
    from transformers import AutoModelForSeq2SeqLM

    tokenizer = ending_tokenizer()
    work = make_work(Seq2Seq(max_length=10, max_target_length=8), (), TargetScale())
    rows = work.encode(
        tokenizer, language_rows(["a long text it is", "b"], ["short", "a longer one"])
    )
    assert rows.lengths == [10, 2]
    model = AutoModelForSeq2SeqLM.from_pretrained(bases["t5"])
    batch = work.collator(tokenizer, model)([rows[0], rows[1]])
    assert batch["labels"].shape == (2, 8)
    assert (batch["labels"] == -100).sum(1).tolist() == [2, 0]
    assert (batch["input_ids"] == tokenizer.pad_token_id).sum(1).tolist() == [0, 8]
    start = model.config.decoder_start_token_id
    assert batch["decoder_input_ids"][:, 0].tolist() == [start, start]
    assert rows.subset([1])[0] == rows[1]
    with torch.inference_mode():
        output = model(**batch)
    nll, tokens, hits = work.reduced((output.logits, None), batch["labels"]).sum(0).tolist()
    assert nll / tokens == pytest.approx(output.loss.item(), rel=1e-5)
    assert tokens == 14
    assert 0 <= hits <= tokens


@pytest.mark.parametrize(
    ("kind", "family"),
    [("full", "t5"), ("full", "bart"), ("lora", "t5"), ("lora", "bart"), ("scratch", "")],
)
def test_it_learns_and_loads_as_it_was(
    kind: str,
    family: str,
    bases: dict[str, Path],
    answered: Dataset,
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    approach: Any = Full(learning_rate=1e-2, epochs=1)
    if kind == "lora":
        approach = Lora(learning_rate=3e-2, epochs=1, rank=16)
    if kind == "scratch":
        approach = Scratch(learning_rate=3e-3, epochs=1, depth=2, tokenizer="characters")
    task = Seq2Seq(max_length=32, max_target_length=16)
    plan = language_plan(approach, task, bases.get(family), max_steps=60)
    model = run_plan(plan, answered, tmp_path / "model", hardware)
    losses = [point.value for point in model.curve if point.metric == "train/loss"]
    # Adapters on random weights learn something; adapters are for weights that know something.
    left, least = (0.5, 0.5) if kind != "lora" else (0.8, 0.0)
    assert np.mean(losses[-5:]) < left * np.mean(losses[:5])
    assert any(point.metric == "eval/token_accuracy" for point in model.curve)
    loaded = load(tmp_path / "model")
    said = loaded.outputs(answered.test)
    assert load(tmp_path / "model").outputs(answered.test) == said
    assert score(loaded.answers(answered.test), "chrf") > least
    assert [one.text for one in loaded.predict(answered.test.inputs)] == said
    assert (model.n_trainable < model.n_params) == (kind == "lora")


def test_logits_are_equal_after_saving(
    bases: dict[str, Path], answered: Dataset, tmp_path: Path
) -> None:
    from zenml_ftvr.models import resolve, save_trainable
    from zenml_ftvr.models.folder import read_manifest
    from zenml_ftvr.models.transformer import load_transformer
    from zenml_ftvr.train import prepare

    for approach in (Full(), Lora(rank=4)):
        plan = language_plan(approach, Seq2Seq(), bases["t5"], max_steps=1)
        base = resolve(plan.model)
        prepared = prepare(plan, answered, base)
        model = prepared.trainable.model.eval()
        with torch.no_grad():  # as if it had been trained
            for weight in model.parameters():
                if weight.requires_grad:
                    weight += 0.05 * torch.randn(weight.shape, generator=torch.manual_seed(1))
        folder = tmp_path / approach.kind
        save_trainable(prepared.trainable, base, plan, prepared.work, folder)
        again = load_transformer(folder, read_manifest(folder), prepared.work).eval()
        batch = prepared.collate([prepared.train[index] for index in range(4)])
        with torch.inference_mode():
            torch.testing.assert_close(again(**batch).logits, model(**batch).logits)


def test_only_an_encoder_decoder_is_taken(bases: dict[str, Path], bert_folder: Path) -> None:
    def ask(folder: Path, task: Any) -> Any:
        source = ModelSource(name=str(folder))
        budget = Budget(hours=1.0)
        return resolve_base(
            Request(budget=budget, approaches=(Full(),), base_model=source, task=task)
        )

    task = Seq2Seq(max_length=32, max_target_length=32)
    assert ask(bases["t5"], task) is not None
    assert ask(bases["bart"], task) is not None
    with pytest.raises(ConfigurationError, match=r"is a decoder.*encoder-decoder such as"):
        ask(bases["gpt2"], task)
    with pytest.raises(ConfigurationError, match=r"is an encoder,.*encoder-decoder such as"):
        ask(bert_folder, task)
    with pytest.raises(ConfigurationError, match=r"is an encoder-decoder.*decoder such as"):
        ask(bases["bart"], CausalLM(max_length=32))


def test_both_stacks_of_layers_count(bases: dict[str, Path]) -> None:
    from zenml_ftvr.models import resolve

    t5, bart = (resolve(ModelSource(name=str(bases[name]))).architecture for name in ("t5", "bart"))
    assert (t5.layers, t5.intermediate, t5.max_positions) == (4, 64, None)
    assert (bart.layers, bart.intermediate, bart.max_positions) == (2, 64, 128)


def test_the_first_steps_are_timed(
    bases: dict[str, Path], answered: Dataset, hardware: Hardware
) -> None:
    from zenml_ftvr.models import resolve
    from zenml_ftvr.pilot.calibrate import calibrate_arm

    for approach in (Full(learning_rate=1e-3), Lora(learning_rate=1e-3), Baseline()):
        plan = language_plan(approach, Seq2Seq(), bases["t5"], max_steps=7, batch_size=4)
        arm = calibrate_arm(plan, answered, resolve(plan.model), hardware, None)
        assert arm.seconds_per_step > 0
        assert arm.seconds_per_eval_row > 0


def test_it_is_compared_with_retrieval_on_the_test_split(
    bases: dict[str, Path], answered: Dataset, hardware: Hardware, tmp_path: Path
) -> None:
    from zenml_ftvr.evaluate import evaluate_models
    from zenml_ftvr.pilot import screen

    task = Seq2Seq(max_length=32, max_target_length=8)
    models = []
    for approach, steps in ((Full(learning_rate=1e-2), 10), (Baseline(), 0)):
        plan = language_plan(approach, task, bases["t5"], max_steps=steps)
        models.append(run_plan(plan, answered, tmp_path / approach.kind, hardware))
    evaluation = evaluate_models(
        models,
        answered,
        spent=Ledger(),
        predicted_seconds=[None, None],
        seed=0,
        on_rows=lambda kind, done, total: None,
    )
    for one in evaluation.models:
        assert {score.metric for score in one.scores} == set(METRICS)
        assert all(0 <= score.low <= score.value <= score.high <= 1 for score in one.scores)
    assert {one.metric for one in evaluation.differences} == set(METRICS)
    (screened,) = screen(answered, None, ["baseline", "head"], task, "cpu", 0).measured
    assert screened.kind == "baseline"
