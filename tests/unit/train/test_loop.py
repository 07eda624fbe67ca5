"""The optimiser's loop: its schedule, its brake, its best weights, its faults."""

from __future__ import annotations

import dataclasses
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import TrainingError
from zenml_ftvr.models import resolve
from zenml_ftvr.tasks import ClassAnswers, EncodedRows, score
from zenml_ftvr.train import Prepared, no_log, prepare, run_loop, silent
from zenml_ftvr.train.loop import LoopResult
from zenml_ftvr.values import Approach, Full, Kind, TrainingPlan

LOOP: tuple[Kind, ...] = ("partial", "full", "lora", "scratch")


@pytest.fixture
def loop(dataset: Dataset, tmp_path: Path) -> Callable[..., tuple[Prepared, LoopResult]]:
    """Runs a plan's loop; `relabel` turns each training row's label into another."""

    def run(
        plan: TrainingPlan,
        *,
        log: Callable[[dict[str, float], int], None] = no_log,
        progress: Any = silent,
        relabel: Callable[[int], int] | None = None,
    ) -> tuple[Prepared, LoopResult]:
        base = None if plan.model is None else resolve(plan.model)
        prepared = prepare(plan, dataset, base)
        if relabel is not None:
            ids = [prepared.train[index]["input_ids"] for index in range(len(prepared.train))]
            labels = [relabel(label) for label in dataset.label_ids(dataset.train)]
            prepared = dataclasses.replace(prepared, train=EncodedRows(ids, labels))
        return prepared, run_loop(
            plan, prepared, tmp_path / "work", log, progress, time.monotonic()
        )

    return run


def readings(result: LoopResult, metric: str) -> dict[int, float]:
    """The curve of one metric, by step."""
    return {point.step: point.value for point in result.curve if point.metric == metric}


def accuracy_of(prepared: Prepared) -> float:
    """On the validation rows, of the model as the loop left it."""
    rows = prepared.validation
    batch = prepared.collate([rows[index] for index in range(len(rows))])
    truth = batch.pop("labels").numpy()
    with torch.no_grad():
        logits = prepared.trainable.model.eval()(**batch).logits.numpy()
    return score(ClassAnswers(truth, logits), "accuracy")


def test_rows_are_encoded_with_their_labels(
    plan_of: Callable[..., TrainingPlan], learns: dict[Kind, Approach], dataset: Dataset
) -> None:
    plan = plan_of(learns["full"])
    prepared = prepare(plan, dataset, resolve(plan.model))  # type: ignore[arg-type]
    assert (len(prepared.train), len(prepared.validation)) == (152, 39)
    tokenizer = prepared.trainable.tokenizer
    for rows, encoded in (
        (dataset.train, prepared.train),
        (dataset.validation, prepared.validation),
    ):
        assert tokenizer.decode(encoded[7]["input_ids"][1:-1]) == rows.texts[7]
        assert dataset.labels[encoded[7]["labels"]] == rows.labels[7]


@pytest.mark.parametrize("kind", LOOP)
def test_the_loop_takes_the_plans_steps_on_the_plans_schedule(
    kind: Kind,
    loop: Callable[..., tuple[Prepared, LoopResult]],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
) -> None:
    plan = plan_of(learns[kind], max_steps=20, warmup_steps=4, eval_every_steps=5)
    _, result = loop(plan)
    assert (result.steps_done, result.stopped_by) == (20, "finished")
    rates = readings(result, "train/learning_rate")
    assert plan.learning_rate is not None
    assert list(rates) == list(range(1, 21))
    assert rates[5] == pytest.approx(plan.learning_rate)  # the first step after the warm-up
    assert max(rates.values()) == rates[5]
    assert rates[20] == pytest.approx(plan.learning_rate / 16)  # 16 steps down to none
    assert list(readings(result, "eval/accuracy")) == [5, 10, 15, 20]
    assert set(readings(result, "eval/macro_f1")) == set(readings(result, "eval/loss"))


def test_the_end_is_looked_at_where_the_steps_do_not_divide(
    loop: Callable[..., tuple[Prepared, LoopResult]],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
) -> None:
    _, result = loop(plan_of(learns["full"], max_steps=7, eval_every_steps=3))
    assert list(readings(result, "eval/accuracy")) == [3, 6, 7]


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_the_model_ends_with_its_best_validation_weights(
    kind: Kind,
    loop: Callable[..., tuple[Prepared, LoopResult]],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
) -> None:
    # Every training label is wrong: the longer it trains, the fewer validation rows are right.
    plan = plan_of(learns[kind], eval_every_steps=8)
    prepared, result = loop(plan, relabel=lambda label: (label + 1) % 3)
    seen = readings(result, "eval/accuracy")
    assert max(seen.values()) > seen[max(seen)] + 0.15
    assert accuracy_of(prepared) == max(seen.values())


def test_every_reading_is_logged_with_its_step(
    loop: Callable[..., tuple[Prepared, LoopResult]],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
) -> None:
    logged: list[tuple[int, str, float]] = []

    def log(metrics: dict[str, float], step: int) -> None:
        logged.extend((step, name, value) for name, value in metrics.items())

    _, result = loop(plan_of(learns["full"], max_steps=4, eval_every_steps=2), log=log)
    assert logged == [(point.step, point.metric, point.value) for point in result.curve]
    assert {name for _, name, _ in logged} == {
        "train/loss",
        "train/learning_rate",
        "train/grad_norm",
        "eval/loss",
        "eval/accuracy",
        "eval/macro_f1",
        "eval/mcc",
        "eval/roc_auc",
    }


def test_a_long_curve_has_some_sixty_points(
    loop: Callable[..., tuple[Prepared, LoopResult]],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
) -> None:
    _, result = loop(plan_of(learns["full"], max_steps=130, eval_every_steps=130, batch_size=2))
    assert len(readings(result, "train/loss")) == 65


def test_progress_counts_the_steps(
    loop: Callable[..., tuple[Prepared, LoopResult]],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
) -> None:
    seen: list[tuple[str, int, int]] = []
    notes: list[str] = []

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        seen.append((what, done, total))
        notes.append(note)

    loop(plan_of(learns["full"], max_steps=3), progress=progress)
    assert seen == [("training full", done, 3) for done in range(4)]
    assert notes[:2] == ["", ""]  # a loss is shown once one was read, which is after the step
    assert [note.partition(" ")[0] for note in notes[2:]] == ["loss", "loss"]


def test_the_brake_stops_after_the_step_in_hand_and_looks_once_more(
    loop: Callable[..., tuple[Prepared, LoopResult]],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
) -> None:
    _, result = loop(plan_of(learns["full"], wall_seconds=0.0))
    assert (result.steps_done, result.stopped_by) == (1, "budget")
    assert list(readings(result, "eval/accuracy")) == [1]


def test_no_brake_is_pulled_at_the_last_step_or_without_a_limit(
    loop: Callable[..., tuple[Prepared, LoopResult]],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
) -> None:
    for fields in ({"max_steps": 1, "wall_seconds": 0.0}, {"max_steps": 2, "wall_seconds": 1e6}):
        _, result = loop(plan_of(learns["full"], **fields))
        assert (result.steps_done, result.stopped_by) == (fields["max_steps"], "finished")


@pytest.fixture
def poisoned(bert_folder: Path, tmp_path: Path) -> Path:
    """A base model with one weight that is no number."""
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(bert_folder, tmp_path / "poisoned"))
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.0.output.dense.weight"][0, 0] = math.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_a_loss_that_is_no_number_names_its_step_and_the_rate(
    kind: Kind,
    loop: Callable[..., tuple[Prepared, LoopResult]],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    poisoned: Path,
) -> None:
    plan = plan_of(learns[kind], base=poisoned, max_steps=20)
    said = rf"'{kind}' became nan by step 1\. Lower its learning_rate \(now {plan.learning_rate:g}"
    with pytest.raises(TrainingError, match=said):
        loop(plan)


def test_a_rate_that_blows_the_weights_up_is_noticed_within_the_plan(
    loop: Callable[..., tuple[Prepared, LoopResult]],
    plan_of: Callable[..., TrainingPlan],
) -> None:
    plan = plan_of(Full(learning_rate=1e30), max_steps=20, eval_every_steps=20)
    with pytest.raises(TrainingError, match=r"became (nan|inf) by step \d+\. .*\(now 1e\+30\)"):
        loop(plan)


@pytest.mark.parametrize("kind", LOOP)
def test_equal_plans_give_equal_weights_and_another_seed_others(
    kind: Kind,
    loop: Callable[..., tuple[Prepared, LoopResult]],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
) -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(np.random.default_rng().integers(2**31))  # whatever went before
        prepared, _ = loop(plan_of(learns[kind], seed=seed, max_steps=12, eval_every_steps=4))
        return dict(prepared.trainable.model.state_dict())

    first, again, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert not all(torch.equal(tensor, other[name]) for name, tensor in first.items())


def test_the_order_of_rows_and_the_dropout_follow_from_the_seed_too(
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    tmp_path: Path,
) -> None:
    plan = plan_of(learns["scratch"], max_steps=3, eval_every_steps=3)

    def losses(seed: int) -> dict[int, float]:
        prepared = prepare(plan, dataset, None)  # from the same weights every time
        seeded = dataclasses.replace(plan, seed=seed)
        result = run_loop(seeded, prepared, tmp_path, no_log, silent, time.monotonic())
        return readings(result, "train/loss")

    assert losses(0) == losses(0)
    assert losses(0)[1] != losses(1)[1]
