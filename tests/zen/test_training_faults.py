"""Real trainings on the trainer, in ZenML runs that are killed, locked out and stopped."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trainer_pipelines
import wandb
from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.models import StepRunResponse

from zenml_ftvr.cli.setup import register, unregister
from zenml_ftvr.data import load_dataset
from zenml_ftvr.hardware import detect
from zenml_ftvr.models import cache_folder
from zenml_ftvr.supervise import ProcessRecord
from zenml_ftvr.train import run_plan
from zenml_ftvr.train.journal import lines_of
from zenml_ftvr.values import DataSource, TrainedModel

STOPPED_EPOCHS = 400  # a minute of steps, in which a command line can load ZenML
KILLED_EPOCHS = 100.0  # some ten seconds of steps
PATIENCE_SECONDS = 240.0  # for processes to load ZenML on a busy machine


@pytest.fixture(scope="module", autouse=True)
def _stack() -> Iterator[None]:
    register("ftvr", "offline", activate=True)
    yield
    Client().activate_stack("default")
    unregister("ftvr")


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def records() -> list[ProcessRecord]:
    """Of steps' processes that run now."""
    folder = Path(GlobalConfiguration().config_directory) / "ftvr_trainer"
    found = [ProcessRecord.read(path) for path in folder.glob("*.json")]
    return [one for one in found if one is not None and one.is_running]


def kill_once_it_has_saved(pids: list[int]) -> None:
    """SIGKILL, from outside, to the step's process that has just declared a checkpoint whole."""
    runs = cache_folder() / "runs"
    until(lambda: any(runs.glob("*/seed-0/checkpoint-*/whole.json")) and bool(records()))
    (record,) = records()
    assert record.child is not None
    os.kill(record.child.pid, signal.SIGKILL)
    pids.append(record.child.pid)


def attempts_of(run_id: object, name: str) -> list[StepRunResponse]:
    found = Client().list_run_steps(
        pipeline_run_id=run_id, name=name, exclude_retried=False, hydrate=True
    )
    return sorted(found.items, key=lambda one: one.version)


@pytest.mark.slow
def test_a_killed_training_step_is_tried_again_and_ends_as_if_undisturbed(
    data_file: Path, base_folder: Path, tmp_path: Path
) -> None:
    wandb.setup()  # as an inline step before it does: a service that outlives the killed step
    assert "WANDB_SERVICE" in os.environ
    killed: list[int] = []
    killer = threading.Thread(target=kill_once_it_has_saved, args=(killed,))
    killer.start()
    done = trainer_pipelines.trains_long_on_the_trainer(str(data_file), str(base_folder))
    killer.join()
    assert done is not None
    first, second = attempts_of(done.id, "finetune_full")
    assert (first.status, second.status) == ("retried", "completed")
    assert len(killed) == 1
    assert "was ended by SIGKILL" in str(first.exception_info and first.exception_info.message)
    model: TrainedModel = second.outputs["model"][0].load()
    assert any("It went on from the checkpoint after step" in note for note in model.notes)
    assert [entry.what for entry in model.ledger.entries] == ["failed attempt", "training"]
    assert first.run_metadata["wandb_run_id"] == second.run_metadata["wandb_run_id"]
    rows = load_dataset(DataSource(name=str(data_file), validation_fraction=0.2, test_fraction=0.2))
    alone = run_plan(model.plan, rows, tmp_path / "alone", detect())
    assert alone.notes == ()
    assert _weights(alone) == _weights(model)
    assert alone.fingerprint == model.fingerprint


def _weights(model: TrainedModel) -> bytes:
    return (Path(model.path) / "model.safetensors").read_bytes()


def _hold(database: str, seconds: float, held: object) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA busy_timeout = 60000")
    connection.execute("BEGIN EXCLUSIVE")
    held.set()  # type: ignore[attr-defined]
    time.sleep(seconds)
    connection.rollback()


@pytest.mark.slow
def test_a_step_waits_for_a_store_that_another_process_has_locked(tmp_path: Path) -> None:
    """Longer than the five seconds after which SQLite itself would give up."""
    database = Client().zen_store.config.database  # type: ignore[attr-defined]
    context = multiprocessing.get_context("spawn")
    locked: list[float] = []

    def lock_when_it_runs() -> None:
        until(lambda: bool(records()))
        held = context.Event()
        process = context.Process(target=_hold, args=(str(database), 8.0, held))
        process.start()
        held.wait(PATIENCE_SECONDS)
        locked.append(time.monotonic())
        process.join()
        locked.append(time.monotonic())

    locker = threading.Thread(target=lock_when_it_runs)
    locker.start()
    (tmp_path / "was_here").touch()
    done = trainer_pipelines.killed_and_tried_again(str(tmp_path))
    locker.join()
    assert done is not None
    assert locked[1] - locked[0] > 7
    assert Client().get_pipeline_run(done.id).status == "completed"


@pytest.fixture
def begin(data_file: Path, base_folder: Path) -> Iterator[Callable[[float], subprocess.Popen[str]]]:
    """Starts the pipeline, with so many epochs, in a terminal of its own."""
    begun: list[subprocess.Popen[str]] = []

    def begin_pipeline(epochs: float) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                sys.executable,
                trainer_pipelines.__file__,
                "trains_long_on_the_trainer",
                str(data_file),
                str(base_folder),
                str(epochs),
            ],
            cwd=Path(trainer_pipelines.__file__).parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        begun.append(process)
        return process

    yield begin_pipeline
    for process in begun:
        process.kill()
        process.communicate()


Begin = Callable[[float], subprocess.Popen[str]]


@pytest.mark.slow
def test_the_process_of_a_run_is_killed_and_the_next_run_ends_as_if_undisturbed(
    begin: Begin, data_file: Path, base_folder: Path, tmp_path: Path
) -> None:
    process = begin(KILLED_EPOCHS)
    until(lambda: any((cache_folder() / "runs").glob("*/seed-0/checkpoint-*/whole.json")))
    (record,) = records()
    (journal,) = (cache_folder() / "runs").glob("*/attempts.jsonl")
    (began,) = (line for line in lines_of(journal) if line["event"] == "began")
    process.kill()
    process.wait()
    assert record.child is not None
    until(lambda: not record.child.is_alive)  # type: ignore[union-attr]
    again = trainer_pipelines.trains_long_on_the_trainer(
        str(data_file), str(base_folder), KILLED_EPOCHS
    )
    assert again is not None
    step = attempts_of(again.id, "finetune_full")[-1]
    model: TrainedModel = step.outputs["model"][0].load()
    assert any("It went on from the checkpoint after step" in note for note in model.notes)
    assert [entry.what for entry in model.ledger.entries] == ["failed attempt", "training"]
    assert step.run_metadata["wandb_run_id"] == began["tracked"]["run_id"]
    assert step.run_metadata["wandb_offline_folder"] != began["tracked"]["offline_folder"]
    rows = load_dataset(DataSource(name=str(data_file), validation_fraction=0.2, test_fraction=0.2))
    alone = run_plan(model.plan, rows, tmp_path / "alone", detect())
    assert _weights(alone) == _weights(model)


@pytest.mark.slow
def test_a_run_is_stopped_from_another_terminal_and_the_next_one_goes_on(
    begin: Begin, data_file: Path, base_folder: Path
) -> None:
    begun = begin(STOPPED_EPOCHS)
    runs = cache_folder() / "runs"
    until(lambda: any(runs.glob("*/seed-0/checkpoint-*/whole.json")))
    (record,) = records()
    run = Client().list_pipeline_runs(sort_by="desc:created", size=1).items[0]
    zenml = [sys.executable, "-c", "from zenml.cli.cli import cli; cli()"]
    # Stopping gracefully is what the local orchestrator knows.
    command = [*zenml, "pipeline", "runs", "stop", str(run.id), "--graceful", "--yes"]
    stopped = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert stopped.returncode == 0, stopped.stderr
    begun.communicate(timeout=PATIENCE_SECONDS)
    assert record.child is not None
    until(lambda: not record.child.is_alive)  # type: ignore[union-attr]
    (step,) = attempts_of(run.id, "finetune_full")
    assert step.status == "stopped"
    assert Client().get_pipeline_run(run.id).status == "stopped"
    again = trainer_pipelines.trains_long_on_the_trainer(
        str(data_file), str(base_folder), STOPPED_EPOCHS
    )
    assert again is not None
    model: TrainedModel = attempts_of(again.id, "finetune_full")[-1].outputs["model"][0].load()
    assert any("It went on from the checkpoint after step" in note for note in model.notes)
