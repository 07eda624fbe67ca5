"""Learning from unlabelled texts: the body learns, in place, and the trained model loads."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import DataError, ModelError, TrainingError
from zenml_ftvr.models import Trainable, load, resolve, save_trainable
from zenml_ftvr.tasks import work_for
from zenml_ftvr.train import prepare
from zenml_ftvr.train.pretrain import Pretrained, Watch, language_model, pretrained_body
from zenml_ftvr.values import Approach, Full, Lora, Partial, Scratch, TrainingPlan

RATE = 2e-3
Run = Callable[..., tuple[Trainable, Pretrained | None, TrainingPlan]]


@pytest.fixture(scope="module")
def more_texts(
    make_texts: Callable[..., tuple[list[str], list[str]]],
    dataset: Dataset,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    texts, _ = make_texts(240, seed=7)
    path = tmp_path_factory.mktemp("unlabelled") / "more.txt"
    path.write_text("\n".join([*texts, *dataset.test.texts[:9]]), encoding="utf-8")
    return str(path)


@pytest.fixture
def run(
    plan_of: Callable[..., TrainingPlan],
    base_folders: dict[str, Path],
    dataset: Dataset,
    more_texts: str,
    tmp_path: Path,
) -> Run:
    """Build an approach's model and pretrain its body."""

    def go(
        approach: Approach, family: str = "bert", watch: Watch | None = None, **fields: Any
    ) -> tuple[Trainable, Pretrained | None, TrainingPlan]:
        named = dataclasses.replace(approach, pretrain_on=more_texts, pretrain_epochs=3)  # type: ignore[call-arg]
        plan = plan_of(named, base=base_folders[family], **fields)
        base = None if plan.model is None else resolve(plan.model)
        trainable = prepare(plan, dataset, base).trainable
        return trainable, pretrained_body(trainable, plan, dataset, base, tmp_path, watch), plan

    return go


def weights(trainable: Trainable) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in trainable.model.state_dict().items()}


SMALL = Scratch(learning_rate=RATE, batch_size=16, depth=2, vocabulary_size=300)


@pytest.mark.parametrize(
    ("approach", "family", "objective"),
    [
        (SMALL, "bert", "masked"),
        (Full(learning_rate=RATE), "bert", "masked"),
        (Full(learning_rate=RATE), "distilbert", "masked"),
        (Full(learning_rate=RATE), "gpt2", "causal"),
        (Lora(learning_rate=2 * RATE, rank=8), "bert", "masked"),
        (Lora(learning_rate=2 * RATE, rank=8), "gpt2", "causal"),
    ],
    ids=["scratch", "full-bert", "full-distilbert", "full-gpt2", "lora-bert", "lora-gpt2"],
)
def test_what_is_hidden_is_guessed_better_afterwards(
    approach: Approach, family: str, objective: str, run: Run
) -> None:
    _, outcome, plan = run(approach, family)
    assert outcome is not None
    assert outcome.objective == objective
    assert outcome.loss_after < outcome.loss_before - 0.2
    assert outcome.stopped_by == "finished"
    assert [point.step for point in outcome.curve][-1] == outcome.steps_done > 10
    said = " ".join(outcome.statements)
    assert "without 9 with the text of a test row" in said
    assert "3 epochs: worth 2.88 of fresh text" in said
    assert f"went from {outcome.loss_before:.3f} to {outcome.loss_after:.3f}" in said
    assert f"by frequency alone has {outcome.loss_of_frequencies:.3f}" in said
    assert plan.kind == approach.kind


def test_the_body_learns_and_the_head_stays(
    run: Run, plan_of: Callable[..., TrainingPlan], dataset: Dataset
) -> None:
    fresh = weights(prepare(plan_of(SMALL), dataset, None).trainable)
    after = weights(run(SMALL)[0])
    changed = {name for name in fresh if not torch.equal(fresh[name], after[name])}
    assert not any(name.startswith(("classifier", "bert.pooler")) for name in changed)
    assert {name for name in fresh if ".encoder.layer." in name and "weight" in name} <= changed


def test_of_lora_the_adapters_alone_learn(
    run: Run, plan_of: Callable[..., TrainingPlan], dataset: Dataset, bert_folder: Path
) -> None:
    approach = Lora(learning_rate=RATE, rank=4)
    plan = plan_of(approach)
    assert plan.model is not None
    fresh = weights(prepare(plan, dataset, resolve(plan.model)).trainable)
    after = weights(run(approach)[0])
    changed = {name for name in fresh if not torch.equal(fresh[name], after[name])}
    assert changed
    assert all(".lora_A." in name or ".lora_B." in name for name in changed)


@pytest.mark.parametrize("approach", [SMALL, Full(learning_rate=RATE), Lora(learning_rate=RATE)])
def test_a_pretrained_model_loads_as_it_was_saved(
    approach: Approach, run: Run, dataset: Dataset, tmp_path: Path
) -> None:
    trainable, _, plan = run(approach)
    base = None if plan.model is None else resolve(plan.model)
    save_trainable(trainable, base, plan, work_for(plan.task, dataset), tmp_path / "model")
    trainable.model.eval()
    texts = dataset.test.texts[:8]
    batch = trainable.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        here = trainable.model(**batch).logits.numpy()
    np.testing.assert_allclose(load(tmp_path / "model").logits(texts), here, atol=1e-5)


@pytest.mark.parametrize("approach", [SMALL, Lora(learning_rate=RATE)], ids=["scratch", "lora"])
def test_a_run_that_goes_on_takes_what_was_learnt(
    approach: Approach, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Trainer

    trainable, outcome, plan = run(approach)
    learnt = weights(trainable)

    def never(self: Any) -> None:
        raise AssertionError("it was trained again")

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "train", never)
        again, same, _ = run(approach)
        with pytest.raises(AssertionError, match="trained again"):
            run(approach, seed=plan.seed + 1)
    assert same == outcome
    kept = weights(again)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in learnt.items())


def test_a_kept_body_that_was_cut_short_is_trained_again(run: Run, tmp_path: Path) -> None:
    _, outcome, _ = run(SMALL)
    (tmp_path / "body.safetensors").write_bytes(b"half")
    _, again, _ = run(SMALL)
    assert outcome is not None
    assert again is not None
    # And equal plans give equal bodies: to the last bit of the loss.
    assert (again.loss_after, again.steps_done) == (outcome.loss_after, outcome.steps_done)


def test_an_encoder_decoder_learns_to_restore_texts(
    dataset: Dataset, more_texts: str, plan_of: Callable[..., TrainingPlan], tmp_path: Path
) -> None:
    from zenml_ftvr.approaches import scratch
    from zenml_ftvr.models import model_from_nothing, train_tokenizer

    tokenizer = train_tokenizer(dataset.train.texts, 300, 32, form="encoder-decoder")
    shape = scratch.architecture(2, len(tokenizer), 32, "encoder-decoder")
    torch.manual_seed(0)
    model = model_from_nothing("encoder-decoder", "seq2seq", shape, tokenizer, {})
    plan = plan_of(dataclasses.replace(SMALL, pretrain_on=more_texts, pretrain_epochs=2))
    trainable = Trainable(model=model, tokenizer=tokenizer)
    outcome = pretrained_body(trainable, plan, dataset, None, tmp_path)
    assert outcome is not None
    assert outcome.objective == "denoising"
    assert outcome.loss_after < outcome.loss_before - 1


def test_the_clock_leaves_time_for_the_labels(run: Run) -> None:
    _, outcome, _ = run(SMALL, wall_seconds=1e-6)
    assert outcome is not None
    assert (outcome.stopped_by, outcome.steps_done) == ("budget", 1)


def test_progress_and_readings_are_given(run: Run) -> None:
    shown: list[tuple[str, int, int]] = []
    logged: dict[int, dict[str, float]] = {}

    def progress(what: str, done: int, total: int, detail: str = "") -> None:
        shown.append((what, done, total))

    _, outcome, _ = run(
        SMALL,
        watch=Watch(log=lambda metrics, step: logged.update({step: metrics}), progress=progress),
    )
    assert outcome is not None
    assert shown[-1] == ("pretraining scratch", outcome.steps_done, outcome.steps_done)
    assert [logged[point.step]["pretrain/loss"] for point in outcome.curve] == [
        point.value for point in outcome.curve
    ]


def test_a_lost_loss_ends_the_training(run: Run) -> None:
    with pytest.raises(TrainingError, match="pretraining 'scratch' became nan by step"):
        run(dataclasses.replace(SMALL, learning_rate=1e38))


def test_without_texts_nothing_happens(
    plan_of: Callable[..., TrainingPlan], dataset: Dataset, bert_folder: Path, tmp_path: Path
) -> None:
    for approach in (SMALL, Full(), Partial()):
        plan = plan_of(approach)
        base = None if plan.model is None else resolve(plan.model)
        trainable = prepare(plan, dataset, base).trainable
        before = weights(trainable)
        assert pretrained_body(trainable, plan, dataset, base, tmp_path) is None
        assert all(torch.equal(before[name], now) for name, now in weights(trainable).items())


def test_too_little_text_is_an_error(
    plan_of: Callable[..., TrainingPlan], dataset: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "one.txt").write_text("one line")
    plan = plan_of(dataclasses.replace(SMALL, pretrain_on=str(tmp_path / "one.txt")))
    trainable = prepare(plan, dataset, None).trainable
    with pytest.raises(DataError, match=r"one\.txt' gives 1 sequence of tokens; at least two"):
        pretrained_body(trainable, plan, dataset, None, tmp_path)


def test_a_model_that_knows_no_language_is_named() -> None:
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=16,
        image_size=8,
        patch_size=4,
    )
    tokenizer = type("NoMask", (), {"mask_token_id": None})()
    images = Trainable(model=ViTForImageClassification(config), tokenizer=tokenizer)
    with pytest.raises(ModelError, match="ViTForImageClassification cannot be pretrained on text"):
        language_model(images, None)
