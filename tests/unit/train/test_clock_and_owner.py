"""A clock that jumps, and two processes that want the same checkpoints: nothing is corrupted."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from test_resume import Runs

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import TrainingError
from zenml_ftvr.supervise import ProcessId
from zenml_ftvr.train import no_log, run_plan
from zenml_ftvr.train.attempts import attempt_at, run_folder, tracked_before
from zenml_ftvr.train.faults import Interrupted
from zenml_ftvr.values import Approach, Hardware, Kind, TrackedRun, TrainedModel, TrainingPlan

YEAR_SECONDS = 365 * 24 * 3600.0


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def plan(plan_of: Callable[..., TrainingPlan], learns: dict[Kind, Approach]) -> TrainingPlan:
    plan = plan_of(learns["full"], max_steps=16, warmup_steps=2, eval_every_steps=4)
    return dataclasses.replace(plan, wall_seconds=600.0)


@pytest.fixture
def train(dataset: Dataset, hardware: Hardware, tmp_path: Path) -> Callable[..., TrainedModel]:
    def run(plan: TrainingPlan, name: str = "model", log: Any = no_log) -> TrainedModel:
        return run_plan(plan, dataset, tmp_path / name, hardware, log=log)

    return run


def weights_of(model: TrainedModel) -> bytes:
    return (Path(model.path) / "model.safetensors").read_bytes()


class Clock:
    """The machine's clock, which somebody sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real, self._boot, self.set_by = time.time, psutil.boot_time, 0.0
        monkeypatch.setattr(time, "time", lambda: self._real() + self.set_by)
        # The kernel moves the time of its start with the clock, and psutil counts from there.
        monkeypatch.setattr(psutil, "boot_time", lambda: self._boot() + self.set_by)


@pytest.mark.parametrize("jump", [YEAR_SECONDS, -YEAR_SECONDS])
def test_a_clock_that_jumps_changes_neither_weights_nor_budget(
    jump: float,
    plan: TrainingPlan,
    train: Callable[..., TrainedModel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = weights_of(train(plan, "undisturbed"))
    clock = Clock(monkeypatch)

    def log(metrics: dict[str, float], step: int) -> None:
        if step == 8:
            clock.set_by = jump

    model = train(plan, log=log)
    assert (model.stopped_by, model.steps_done) == ("finished", 16)
    assert 0 < model.seconds < 600
    assert all(0 <= point.seconds < 600 for point in model.curve)
    assert weights_of(model) == expected


def test_a_clock_that_jumps_makes_no_owner_look_gone(
    plan: TrainingPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    with attempt_at(plan, None, time.monotonic()):
        clock.set_by = YEAR_SECONDS
        with pytest.raises(TrainingError, match="trained already"):
            attempt_at(plan, None, time.monotonic()).__enter__()


def test_what_a_living_process_is_at_stays_however_old_it_looks(plan: TrainingPlan) -> None:
    with attempt_at(plan, None, time.monotonic()) as attempt:
        for path in (*attempt.folder.iterdir(), attempt.folder):
            os.utime(path, (0, 0))
        with attempt_at(dataclasses.replace(plan, seed=1), None, time.monotonic()):
            assert attempt.folder.exists()


def test_the_run_of_a_living_attempt_is_nobody_elses(plan: TrainingPlan) -> None:
    tracked = TrackedRun(run_id="a1", name="full", project="p", url=None, offline_folder=None)

    def breaks_off() -> None:
        with attempt_at(plan, None, time.monotonic(), tracked=tracked):
            assert tracked_before(plan) is None
            raise KeyError

    with pytest.raises(KeyError):
        breaks_off()
    assert tracked_before(plan) == tracked
    with attempt_at(plan, None, time.monotonic()):
        pass
    assert tracked_before(plan) is None  # it is done


def test_another_process_is_refused_the_folder_and_told_whose_it_is(
    make_texts: Callable[..., tuple[list[str], list[str]]],
    bert_folder: Path,
    tmp_path: Path,
) -> None:
    texts, labels = make_texts(240)
    fields = {"max_steps": 16, "warmup_steps": 2, "eval_every_steps": 4}
    job = {"texts": texts, "labels": labels, "base": str(bert_folder), "fields": fields}
    other = Runs(tmp_path, job)
    code, said, _ = other.run("full", step=9)
    assert code == -signal.SIGKILL, said
    (name,) = other.left()
    folder = tmp_path / "cache" / "runs" / name
    mine = ProcessId.of(os.getpid())
    assert mine is not None
    owner = {**dataclasses.asdict(mine), "host": socket.gethostname()}
    folder.with_name(f"{name}.owner").write_text(json.dumps(owner))
    before = _content(folder)
    code, said, _ = other.run("full")
    assert code == 1
    assert f"being trained already, by process {mine.pid} on {socket.gethostname()}" in said
    assert _content(folder) == before


def _content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_sigterm_while_a_checkpoint_is_written_finishes_it_and_saves_the_step_after(
    plan: TrainingPlan, train: Callable[..., TrainedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    inner, saves = torch.save, []

    def save(what: Any, path: Any, *args: Any, **given: Any) -> None:
        if Path(path).name == "optimizer.pt":
            saves.append(path)
            if len(saves) == 2:
                os.kill(os.getpid(), signal.SIGTERM)
        inner(what, path, *args, **given)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(Interrupted, match="saved after step 9 of 16"):
        train(plan)
    found = run_folder(plan, None).glob("seed-0/checkpoint-*/whole.json")
    assert "checkpoint-9" in {path.parent.name for path in found}
    again = train(plan)
    assert "It went on from the checkpoint after step 9." in again.notes
    assert weights_of(again) == weights_of(train(plan, "undisturbed"))
