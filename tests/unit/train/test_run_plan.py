"""One table over the approaches, from a plan to a folder; and what a failure leaves."""

from __future__ import annotations

import dataclasses
import re
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import DataError, TrainingError
from zenml_ftvr.models import folder_bytes, load
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    KINDS,
    Approach,
    Hardware,
    Kind,
    Ledger,
    TrainedModel,
    TrainingPlan,
)

LOOP: tuple[Kind, ...] = ("partial", "full", "lora", "scratch")
STEPPED: tuple[Kind, ...] = (*LOOP, "contrastive")


def curve(model: TrainedModel, metric: str) -> list[float]:
    return [point.value for point in model.curve if point.metric == metric]


def accuracy(model: TrainedModel, dataset: Dataset) -> float:
    answers = load(model.path).predict(dataset.test.texts)
    right = [one.label == label for one, label in zip(answers, dataset.test.labels, strict=True)]
    return float(np.mean(right))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_trained_beats_the_majority_by_far(
    kind: Kind, trained: Callable[[Kind], TrainedModel], dataset: Dataset
) -> None:
    labels = dataset.test.labels
    majority = max(labels.count(label) for label in dataset.labels) / len(labels)
    assert majority < 0.45
    assert accuracy(trained(kind), dataset) > majority + 0.35


@pytest.mark.parametrize("kind", STEPPED)
def test_the_training_loss_falls(kind: Kind, trained: Callable[[Kind], TrainedModel]) -> None:
    losses = curve(trained(kind), "train/loss")
    tenth = len(losses) // 10
    assert np.mean(losses[-tenth:]) < 0.7 * np.mean(losses[:tenth])


@pytest.mark.parametrize("kind", KINDS)
def test_the_curve_ends_with_validation_scores(
    kind: Kind, trained: Callable[[Kind], TrainedModel]
) -> None:
    model = trained(kind)
    looks = len(curve(model, "eval/accuracy"))
    assert looks == len(curve(model, "eval/macro_f1")) == (6 if kind in LOOP else 1)
    assert max(curve(model, "eval/accuracy")) > 0.7
    seconds = [point.seconds for point in model.curve]
    assert seconds == sorted(seconds)
    assert 0 < seconds[-1] <= model.seconds


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_says_what_was_done(kind: Kind, trained: Callable[[Kind], TrainedModel]) -> None:
    model = trained(kind)
    assert (model.kind, model.stopped_by) == (kind, "finished")
    assert model.steps_done == model.plan.max_steps
    assert (model.steps_done > 0) == (kind in STEPPED)
    assert model.n_bytes == folder_bytes(Path(model.path)) > 1_000
    if kind == "partial":
        assert 0.2 * model.n_params < model.n_trainable < 0.8 * model.n_params
    elif kind in ("head", "lora"):
        assert 0 < model.n_trainable < model.n_params / 3
    else:
        assert 0 < model.n_trainable == model.n_params
    (entry,) = model.ledger.entries
    assert (entry.what, entry.kind, entry.seconds) == ("training", kind, model.seconds)
    assert entry.predicted_seconds is None  # nothing was calibrated


def test_a_prediction_and_a_price_go_to_the_ledger(
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    plan = plan_of(learns["baseline"], predicted_hours=0.01)
    priced = dataclasses.replace(hardware, usd_per_hour=2.0)
    ledger: Ledger = run_plan(plan, dataset, tmp_path / "model", priced).ledger
    assert ledger.entries[0].predicted_seconds == pytest.approx(36)
    assert ledger.usd == pytest.approx(ledger.entries[0].seconds / 1_800)


@pytest.mark.parametrize("kind", LOOP)
def test_the_brake_leaves_a_model_that_was_looked_at_and_loads(
    kind: Kind,
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    plan = plan_of(learns[kind], wall_seconds=0.0)
    model = run_plan(plan, dataset, tmp_path / "model", hardware)
    assert (model.steps_done, model.stopped_by) == (1, "budget")
    assert len(curve(model, "eval/accuracy")) == 1
    assert len(load(model.path).predict(["keel mast"])) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_progress_and_log_hear_of_every_approach(
    kind: Kind,
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    told: list[tuple[str, int, int]] = []
    logged: list[str] = []

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        told.append((what, done, total))

    plan = plan_of(learns[kind])
    if kind in STEPPED:
        plan = dataclasses.replace(plan, max_steps=2, eval_every_steps=2)
    run_plan(
        plan,
        dataset,
        tmp_path / "model",
        hardware,
        log=lambda metrics, _: logged.extend(metrics),
        progress=progress,
    )
    first = {"head": "features, train", "partial": "frozen layers"}.get(kind, f"training {kind}")
    assert told[0][0] == first
    assert told[-1][1] == told[-1][2] > 0
    assert {"eval/accuracy", "eval/macro_f1"} <= set(logged)


def test_a_folder_that_was_there_is_replaced_whole(
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "deep" / "model"
    folder.mkdir(parents=True)
    (folder / "old.txt").write_text("old")
    run_plan(plan_of(learns["baseline"]), dataset, folder, hardware)
    assert {file.name for file in folder.iterdir()} == {
        "README.md",
        "baseline.skops",
        "ftvr.json",
    }
    assert [file.name for file in folder.parent.iterdir()] == ["model"]


def test_other_data_than_the_plans_is_refused(
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    make_texts: Callable[..., tuple[list[str], list[str]]],
    split: Callable[..., Dataset],
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    other, plan = split(*make_texts(240, seed=1)), plan_of(learns["baseline"])
    said = f"made for data {plan.data_fingerprint[:12]}, but this data is {other.fingerprint[:12]}"
    with pytest.raises(DataError, match=said):
        run_plan(plan, other, tmp_path / "model", hardware)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["head", "full", "lora"])
def test_a_base_model_that_has_changed_is_refused(
    kind: Kind,
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    hardware: Hardware,
    bert_folder: Path,
    tmp_path: Path,
) -> None:
    copy = Path(shutil.copytree(bert_folder, tmp_path / "base"))
    plan = plan_of(learns[kind], base=copy)
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    with pytest.raises(TrainingError, match=rf"now has sha256 .*for {plan.model_fingerprint}"):
        run_plan(plan, dataset, tmp_path / "model", hardware)
    assert [file.name for file in tmp_path.iterdir()] == ["base"]


def too_large_for_torch(metrics: dict[str, float], step: int) -> None:
    import torch

    torch.empty(2**50)


def too_large_for_python(metrics: dict[str, float], step: int) -> None:
    raise MemoryError


def too_large_for_an_accelerator(metrics: dict[str, float], step: int) -> None:
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


@pytest.mark.parametrize("kind", ["baseline", "head", "full"])
@pytest.mark.parametrize(
    "fault", [too_large_for_torch, too_large_for_python, too_large_for_an_accelerator]
)
def test_running_out_of_memory_says_what_to_lower_and_leaves_nothing(
    fault: Callable[[dict[str, float], int], None],
    kind: Kind,
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    plan = plan_of(learns[kind])
    said = (
        rf"'{kind}' ran out of memory at batch size {plan.batch_size} and 32 tokens "
        rf"\(.*\)\. Lower the approach's batch_size or task\.max_length"
    )
    with pytest.raises(TrainingError, match=said):
        run_plan(plan, dataset, tmp_path / "model", hardware, log=fault)
    assert list(tmp_path.iterdir()) == []


class Interrupted(Exception):  # noqa: N818  (what a user's own callback may raise)
    """An error that is none of ours."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_callback_that_fails_half_way_leaves_what_was_there(
    kind: Kind,
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    def fail(metrics: dict[str, float], step: int) -> None:
        if "eval/accuracy" in metrics:
            raise Interrupted

    before = tmp_path / "model"
    before.mkdir()
    (before / "kept.txt").write_text("kept")
    plan = plan_of(learns[kind])
    with pytest.raises(Interrupted):
        run_plan(plan, dataset, before, hardware, log=fail)
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    assert [file.name for file in before.iterdir()] == ["kept.txt"]


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file can grow beyond 4 kB; a real error from the system, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_explained_and_leaves_nothing(
    kind: Kind,
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    plan = plan_of(learns[kind])
    if kind in STEPPED:
        plan = dataclasses.replace(plan, max_steps=2, eval_every_steps=2)
    said = rf"'{kind}' could not write or read its files: .*File too large.*Free disk space"
    with pytest.raises(TrainingError, match=re.compile(said)):
        run_plan(plan, dataset, tmp_path / "out" / "model", hardware)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_place_that_cannot_hold_a_folder_is_explained(
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingError, match=r"could not write .*file.*choose another folder"):
        run_plan(plan_of(learns["baseline"]), dataset, tmp_path / "file" / "model", hardware)


def test_diverging_leaves_nothing(
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    plan = plan_of(learns["full"], learning_rate=1e30)
    with pytest.raises(TrainingError, match="the loss of 'full' became"):
        run_plan(plan, dataset, tmp_path / "model", hardware)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_equal_plans_give_equal_answers_to_the_bit(
    kind: Kind,
    trained: Callable[[Kind], TrainedModel],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    model = trained(kind)
    again = run_plan(model.plan, dataset, tmp_path / "model", hardware)
    for name in ("model.safetensors", "adapter_model.safetensors", "head.safetensors"):
        files = [Path(one.path) / name for one in (model, again)]
        assert len({file.exists() and file.read_bytes() for file in files}) == 1
    answers = [load(one.path).logits(dataset.test.texts) for one in (model, again)]
    assert np.array_equal(*answers)


@pytest.mark.parametrize("kind", KINDS)
def test_two_classes_one_of_them_rare_are_told_apart(
    kind: Kind,
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    make_texts: Callable[..., tuple[list[str], list[str]]],
    split: Callable[..., Dataset],
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    rows = [pair for pair in zip(*make_texts(540), strict=True) if pair[1] != "chess"]
    rare = [pair for pair in rows if pair[1] == "sailing"][:45]
    two = [pair for pair in rows if pair[1] == "cooking"] + rare
    skewed = split([text for text, _ in two], [label for _, label in two])
    assert 2 <= skewed.test.labels.count("sailing") <= 12
    model = run_plan(plan_of(learns[kind], of=skewed), skewed, tmp_path / "model", hardware)
    answers = load(model.path).predict(["oven flour the of butter", "keel mast tide was rudder"])
    assert all(len(answer.probabilities) == 2 for answer in answers)
    first, second = (answer.probabilities["cooking"] for answer in answers)
    assert first > 0.5
    assert first > second + 0.2


def test_leaving_out_the_frozen_layers_changes_no_loss(
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    plan = plan_of(learns["partial"])
    light = run_plan(plan, dataset, tmp_path / "light", hardware)
    monkeypatch.setattr("zenml_ftvr.train.frozen.SHARE_OF_FREE_DISK", 0.0)  # no room for states
    heard: list[str] = []

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        heard.append(what)

    whole = run_plan(plan, dataset, tmp_path / "whole", hardware, progress=progress)
    assert "frozen layers" not in heard
    for metric in ("train/loss", "eval/loss", "eval/accuracy"):
        assert curve(light, metric) == pytest.approx(curve(whole, metric), rel=1e-3, abs=1e-4)
    assert len(set(curve(light, "train/loss"))) > 10


def test_the_frozen_layers_see_a_row_once_for_all_runs(
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    heard: list[str] = []

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        heard.append(what)

    for seed in (0, 1):
        plan = plan_of(learns["partial"], seed=seed, max_steps=2, eval_every_steps=2)
        run_plan(plan, dataset, tmp_path / str(seed), hardware, progress=progress)
        if seed == 0:
            assert "frozen layers" in heard
            heard.clear()
    assert "frozen layers" not in heard
