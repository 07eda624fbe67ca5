"""What going on is made of: the order of rows, whole checkpoints, one owner, a journal."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import BudgetError, TrainingError
from zenml_ftvr.models import cache_folder
from zenml_ftvr.train import run_plan
from zenml_ftvr.train.attempts import Attempt, Journal, attempt_at, run_folder
from zenml_ftvr.train.checkpoints import commit, drop_after, last_whole, record_of, rotate, sweep
from zenml_ftvr.train.order import RowOrder
from zenml_ftvr.values import Approach, Hardware, Kind, TrainedModel, TrainingPlan

LOOP: tuple[Kind, ...] = ("partial", "full", "lora", "scratch")


class Broken(Exception):  # noqa: N818  (stands for whatever ends a process)
    """Ends an attempt."""


def break_after(evaluations: int) -> Callable[[dict[str, float], int], None]:
    """A log that fails at an evaluation, before that step is saved."""
    seen = []

    def log(metrics: dict[str, float], step: int) -> None:
        if "eval/accuracy" in metrics:
            seen.append(step)
            if len(seen) == evaluations:
                raise Broken

    return log


def weights_of(model: TrainedModel) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(model.path).glob("*.safetensors")}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def short(
    plan_of: Callable[..., TrainingPlan], learns: dict[Kind, Approach]
) -> Callable[..., TrainingPlan]:
    """Plans of two and a half epochs, looked at every fifth step."""

    def make(kind: Kind, **fields: Any) -> TrainingPlan:
        plan = plan_of(learns[kind], eval_every_steps=5, warmup_steps=2, **fields)
        if kind == "scratch":  # else it gives one class in so few steps, and is retried
            plan = dataclasses.replace(plan, learning_rate=5e-3)
        return dataclasses.replace(plan, max_steps=24, batch_size=16)

    return make


@pytest.mark.parametrize("kind", LOOP)
def test_a_broken_run_goes_on_to_the_same_bits(
    kind: Kind,
    short: Callable[..., TrainingPlan],
    dataset: Dataset,
    hardware: Hardware,
    cache: Path,
    tmp_path: Path,
) -> None:
    plan = short(kind)
    whole = run_plan(plan, dataset, tmp_path / "whole", hardware)
    with pytest.raises(Broken):
        run_plan(plan, dataset, tmp_path / "again", hardware, log=break_after(4))
    (left,) = [one for one in (cache / "runs").iterdir() if one.is_dir()]
    assert left == run_folder(plan, None)
    heard: list[int] = []
    again = run_plan(
        plan, dataset, tmp_path / "again", hardware, log=lambda metrics, step: heard.append(step)
    )
    assert min(heard) > 15  # nothing was trained or logged again
    assert weights_of(again) == weights_of(whole)
    values = [[(one.step, one.metric, one.value) for one in run.curve] for run in (again, whole)]
    assert values[0] == values[1]
    assert "It went on from the checkpoint after step 15." in again.notes
    assert [entry.what for entry in again.ledger.entries] == ["failed attempt", "training"]
    seconds = [point.seconds for point in again.curve]
    assert seconds == sorted(seconds)
    assert seconds[-1] <= again.seconds
    assert not left.exists()


def test_what_is_half_written_is_not_gone_on_from(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "weights").write_bytes(b"w" * step)
        (folder / "trainer_state.json").write_text(json.dumps({"best_model_checkpoint": None}))
        if step < 15:
            commit(folder, {"conditions": {"threads": step}})
    assert last_whole(tmp_path) == tmp_path / "checkpoint-10"
    assert record_of(tmp_path / "checkpoint-10")["conditions"] == {"threads": 10}
    (tmp_path / "checkpoint-10" / "weights").write_bytes(b"w")  # cut short
    assert last_whole(tmp_path) == tmp_path / "checkpoint-5"
    sweep(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["checkpoint-5"]
    (tmp_path / "checkpoint-5" / "trainer_state.json").unlink()
    assert last_whole(tmp_path) is None


def test_a_checkpoint_whose_best_is_gone_is_left_out(tmp_path: Path) -> None:
    for step, best in ((5, 5), (10, 7)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        state = {"best_model_checkpoint": str(tmp_path / f"checkpoint-{best}")}
        (folder / "trainer_state.json").write_text(json.dumps(state))
        commit(folder, {})
    assert last_whole(tmp_path) == tmp_path / "checkpoint-5"
    drop_after(tmp_path, 5)
    assert [one.name for one in tmp_path.iterdir()] == ["checkpoint-5"]


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 15, 20):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        commit(folder, {})
    rotate(tmp_path, tmp_path / "checkpoint-10")
    assert {one.name for one in tmp_path.iterdir()} == {"checkpoint-10", "checkpoint-20"}


@pytest.mark.parametrize("sampling", ["grouped", "random", "sequential"])
def test_an_epochs_order_needs_no_other_epoch(sampling: Any) -> None:
    lengths = [(7 * index) % 23 + 1 for index in range(1_003)]
    step = 0
    order = RowOrder(lengths, 4, 3, sampling, lambda: step)
    first = list(order)
    step = order.steps_per_epoch + 17
    second = list(order)
    assert sorted(first) == sorted(second) == list(range(1_003))
    assert (first != second) == (sampling != "sequential")
    afresh = RowOrder(lengths, 4, 3, sampling, lambda: 17)
    assert afresh.of_epoch(1).tolist() == second
    assert order.rows_of_step(251 + 2) == second[8:12]
    assert order.rows_of_step(250) == first[1000:]
    if sampling == "grouped":
        padded = sum(4 * max(lengths[row] for row in first[n : n + 4]) for n in range(0, 1_000, 4))
        assert padded < 1.1 * sum(lengths)
        assert 23 in {lengths[row] for row in first[:4]}  # the longest is tried first


def test_two_runs_of_one_plan_are_not_let_in(
    short: Callable[..., TrainingPlan], cache: Path
) -> None:
    plan = short("full")
    with attempt_at(plan, None, time.monotonic()):
        said = f"trained already, by process {os.getpid()} on {socket.gethostname()}"
        with pytest.raises(TrainingError, match=said), attempt_at(plan, None, time.monotonic()):
            pass
        other = dataclasses.replace(plan, seed=1)
        with attempt_at(other, None, time.monotonic()):
            pass
    with attempt_at(plan, None, time.monotonic()):
        pass


@pytest.mark.parametrize("owner", ["gone", "another with its number", "silent elsewhere", "torn"])
def test_an_owner_that_is_gone_is_no_owner(
    owner: str, short: Callable[..., TrainingPlan], cache: Path
) -> None:
    plan = short("full")
    folder = run_folder(plan, None)
    folder.mkdir(parents=True)
    file = folder.with_name(f"{folder.name}.owner")
    here, me = socket.gethostname(), psutil.Process()
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    record = {
        "gone": {"pid": ended.pid, "started": time.time(), "host": here},
        "another with its number": {
            "pid": me.pid,
            "started": me.create_time() - 60,
            "host": here,
        },
        "silent elsewhere": {"pid": 1, "started": 0.0, "host": "elsewhere"},
    }
    file.write_text(json.dumps(record[owner]) if owner in record else '{"pid": 12')
    if owner == "silent elsewhere":
        with (
            pytest.raises(TrainingError, match="process 1 on elsewhere"),
            attempt_at(plan, None, time.monotonic()),
        ):
            pass
        os.utime(file, (0, 0))
    with attempt_at(plan, None, time.monotonic()) as attempt:
        assert attempt.folder == folder


def test_the_time_of_a_killed_attempt_is_its_last_sign_of_life(tmp_path: Path) -> None:
    first = Attempt(tmp_path, time.monotonic() - 100)
    assert first.failed_seconds == ()
    first.alive()
    second = Attempt(tmp_path, time.monotonic() - 5)
    assert second.failed_seconds == (pytest.approx(100, abs=1),)
    second.fail("Broken")
    with (tmp_path / "attempts.jsonl").open("a") as stream:
        stream.write('{"event": "ended", "sec')  # the disk was full
    third = Attempt(tmp_path, time.monotonic())
    assert third.failed_seconds == (pytest.approx(100, abs=1), pytest.approx(5, abs=1))
    assert len(Journal(tmp_path).lines("began")) == 3


def test_an_attempt_shows_signs_of_life_by_itself(
    short: Callable[..., TrainingPlan], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zenml_ftvr.train.attempts.BEAT_SECONDS", 0.01)
    with attempt_at(short("full"), None, time.monotonic() - 50) as attempt:
        assert attempt.failed_seconds == ()
        deadline = time.monotonic() + 10
        while attempt.journal.last_beat() < 50 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert attempt.journal.last_beat() >= 50


@pytest.mark.parametrize(
    ("condition", "other", "said"),
    [
        ("threads", 7, "It went on from the checkpoint after step 10, which was made with threads"),
        ("device", "another", "which was made with device another, now"),
        ("versions", {"torch": "1.0"}, "began again"),
    ],
)
def test_a_checkpoint_of_another_machine_is_used_and_of_other_versions_not(
    condition: str,
    other: object,
    said: str,
    short: Callable[..., TrainingPlan],
    dataset: Dataset,
    hardware: Hardware,
    cache: Path,
    tmp_path: Path,
) -> None:
    plan = short("full")
    with pytest.raises(Broken):
        run_plan(plan, dataset, tmp_path / "model", hardware, log=break_after(3))
    (mark,) = run_folder(plan, None).glob("seed-0/checkpoint-10/whole.json")
    record = json.loads(mark.read_text())
    record["conditions"][condition] = other
    mark.write_text(json.dumps(record))
    heard: list[int] = []
    model = run_plan(
        plan, dataset, tmp_path / "model", hardware, log=lambda metrics, step: heard.append(step)
    )
    assert said in " ".join(model.notes)
    assert (min(heard) > 10) == (condition != "versions")
    assert weights_of(model) == weights_of(
        run_plan(plan, dataset, tmp_path / "undisturbed", hardware)
    )


def test_a_limit_that_failed_attempts_used_up_is_said(
    short: Callable[..., TrainingPlan],
    dataset: Dataset,
    hardware: Hardware,
    cache: Path,
    tmp_path: Path,
) -> None:
    plan = dataclasses.replace(short("full"), wall_seconds=50.0)
    folder = run_folder(plan, None)
    folder.mkdir(parents=True)
    Attempt(folder, time.monotonic() - 60).fail("Broken")
    with pytest.raises(BudgetError, match=r"took 60 s of its 50 s and saved nothing"):
        run_plan(plan, dataset, tmp_path / "model", hardware)


def test_the_folder_of_runs_can_be_given(
    short: Callable[..., TrainingPlan],
    dataset: Dataset,
    hardware: Hardware,
    cache: Path,
    tmp_path: Path,
) -> None:
    plan, runs = short("full"), tmp_path / "runs"
    with pytest.raises(Broken):
        run_plan(plan, dataset, tmp_path / "model", hardware, log=break_after(2), runs=runs)
    assert list(runs.glob("*/seed-0/checkpoint-5"))
    assert not (cache_folder() / "runs").exists()


def test_what_nobody_went_on_with_for_a_month_goes(
    short: Callable[..., TrainingPlan], tmp_path: Path
) -> None:
    old, other = tmp_path / f"{'a' * 16}-{'b' * 16}", tmp_path / "x"
    fresh = tmp_path / f"{'c' * 16}-{'d' * 16}"
    for folder in (old, fresh, other):
        (folder / "seed-0").mkdir(parents=True)
        (folder / "seconds").write_bytes(b"")
    month_ago = time.time() - 31 * 24 * 3600
    for path in (*old.iterdir(), old, *other.iterdir(), other, fresh):
        os.utime(path, (month_ago, month_ago))
    with attempt_at(short("full"), tmp_path, time.monotonic()):
        assert not old.exists()
        assert fresh.exists()  # a file in it is younger
        assert other.exists()  # no run's name


def test_saves_between_evaluations_lose_no_reading_of_the_loss(
    short: Callable[..., TrainingPlan],
    dataset: Dataset,
    hardware: Hardware,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = dataclasses.replace(short("full"), max_steps=190, eval_every_steps=190, batch_size=4)
    whole = run_plan(plan, dataset, tmp_path / "whole", hardware)
    monkeypatch.setattr("zenml_ftvr.train.loop.SAVE_EVERY_SECONDS", 0.0)
    monkeypatch.setattr("zenml_ftvr.train.loop.SAVE_SHARE", float("inf"))

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        if done == 48:  # the loss is read every third step
            raise Broken

    with pytest.raises(Broken):
        run_plan(plan, dataset, tmp_path / "again", hardware, progress=progress)
    monkeypatch.undo()
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(cache))
    again = run_plan(plan, dataset, tmp_path / "again", hardware)
    assert "It went on from the checkpoint after step 47." in again.notes
    values = [[(one.step, one.metric, one.value) for one in run.curve] for run in (again, whole)]
    assert values[0] == values[1]
    assert weights_of(again) == weights_of(whole)


def test_contrastive_goes_on_to_the_same_weights_and_counts_what_was_lost(
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    dataset: Dataset,
    hardware: Hardware,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = plan_of(learns["contrastive"], max_steps=6)
    monkeypatch.setattr("zenml_ftvr.train.loop.SAVE_EVERY_SECONDS", 0.0)
    monkeypatch.setattr("zenml_ftvr.train.loop.SAVE_SHARE", float("inf"))

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        if what == "training contrastive" and done == 4:
            raise Broken

    with pytest.raises(Broken):
        run_plan(plan, dataset, tmp_path / "model", hardware, progress=progress)
    monkeypatch.undo()
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(cache))
    model = run_plan(plan, dataset, tmp_path / "model", hardware)
    assert [entry.what for entry in model.ledger.entries] == ["failed attempt", "training"]
    assert "1 earlier attempt at this plan did not end" in model.notes[0]
    assert model.notes[1] == "It went on from the checkpoint after step 3."
    whole = run_plan(plan, dataset, tmp_path / "b", hardware)
    values = [[(one.step, one.metric, one.value) for one in run.curve] for run in (model, whole)]
    assert values[0] == values[1]
    assert weights_of(model) == weights_of(whole)
    used_up = dataclasses.replace(plan, wall_seconds=50.0)
    run_folder(plan, None).mkdir(parents=True)
    Attempt(run_folder(plan, None), time.monotonic() - 60).fail("Broken")
    with pytest.raises(BudgetError, match=r"'contrastive' took 60 s of its 50 s"):
        run_plan(used_up, dataset, tmp_path / "model", hardware)
