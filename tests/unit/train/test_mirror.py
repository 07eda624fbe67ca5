"""The disk is gone, and the copy of a run's checkpoints is all that is left."""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from folder_files import FolderFiles

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import TrainingError
from zenml_ftvr.train import mirror as mirror_module
from zenml_ftvr.train import no_log, run_plan, tracked_before
from zenml_ftvr.train.checkpoints import commit, last_whole
from zenml_ftvr.train.journal import Journal
from zenml_ftvr.train.mirror import Mirror, mirrored
from zenml_ftvr.values import Approach, Hardware, Kind, TrackedRun, TrainedModel, TrainingPlan

Log = Callable[[dict[str, float], int], None]
Train = Callable[..., TrainedModel]
TRACKED = TrackedRun(
    run_id="a1", name="full-1", project="p", url=None, offline_folder="/runs/offline-run-a1"
)


class Broken(Exception):  # noqa: N818  (stands for whatever ends a process)
    """Ends an attempt."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(mirror_module, "LOOK_EVERY_SECONDS", 0.01)
    return tmp_path / "cache"


@pytest.fixture
def files(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path / "store")


@pytest.fixture
def plan(plan_of: Callable[..., TrainingPlan], learns: dict[Kind, Approach]) -> TrainingPlan:
    return plan_of(learns["full"], max_steps=24, warmup_steps=2, eval_every_steps=4, batch_size=16)


@pytest.fixture
def train(dataset: Dataset, hardware: Hardware, tmp_path: Path) -> Train:
    def run(
        plan: TrainingPlan, files: FolderFiles | None, name: str = "model", log: Log = no_log
    ) -> TrainedModel:
        return run_plan(
            plan, dataset, tmp_path / name, hardware, log=log, mirror=files, tracked=TRACKED
        )

    return run


def weights_of(model: TrainedModel) -> bytes:
    return (Path(model.path) / "model.safetensors").read_bytes()


def at_evaluation(number: int, do: Callable[[], None]) -> Log:
    """A log that does something while evaluation `number` is read, before its step is saved."""
    seen: list[int] = []

    def log(metrics: dict[str, float], step: int) -> None:
        if "eval/accuracy" in metrics:
            seen.append(step)
            if len(seen) == number:
                do()

    return log


def breaking() -> None:
    raise Broken


def copies(files: FolderFiles, mark: str = "whole.json") -> list[str]:
    """The steps of which there is a copy that is said to be whole."""
    found = [Path(name).parent.name for name in files.names("") if name.endswith(mark)]
    return sorted({one.partition(".")[0].removeprefix("checkpoint-") for one in found}, key=int)


def test_with_the_disk_gone_a_run_goes_on_to_the_same_bits(
    plan: TrainingPlan, train: Train, files: FolderFiles, cache: Path
) -> None:
    whole = train(plan, None, "whole")
    with pytest.raises(Broken):
        train(plan, files, log=at_evaluation(4, breaking))
    assert "12" in copies(files)
    assert len(copies(files)) <= 2  # the newest and the best
    assert tracked_before(plan) == TRACKED
    shutil.rmtree(cache)
    assert tracked_before(plan) is None
    assert tracked_before(plan, files) == TRACKED
    heard: list[int] = []
    again = train(plan, files, log=lambda metrics, step: heard.append(step))
    assert min(heard) > 12
    assert "It went on from the checkpoint after step 12." in again.notes
    assert weights_of(again) == weights_of(whole)
    curves = [[(one.step, one.metric, one.value) for one in run.curve] for run in (again, whole)]
    assert curves[0] == curves[1]
    assert [entry.what for entry in again.ledger.entries] == ["failed attempt", "training"]
    assert again.ledger.entries[0].seconds > 0
    assert files.names("") == []  # the plan is done
    assert tracked_before(plan, files) is None


def test_in_another_folder_the_best_is_found_too(
    plan: TrainingPlan,
    train: Train,
    files: FolderFiles,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A checkpoint names its best by the path of the machine that is gone."""
    with pytest.raises(Broken):
        train(plan, files, log=at_evaluation(6, breaking))
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "elsewhere"))
    again = train(plan, files)
    assert "It went on from the checkpoint after step 20." in again.notes
    assert weights_of(again) == weights_of(train(plan, None, "whole"))


def test_half_a_copy_is_not_gone_on_from(
    plan: TrainingPlan, train: Train, files: FolderFiles, cache: Path
) -> None:
    """The machine went while the checkpoint was being sent."""
    files.refuses = lambda name: "checkpoint-12." in name and name.endswith("whole.json")
    with pytest.raises(Broken):
        train(plan, files, log=at_evaluation(4, lambda: (wait_for(files, "8"), breaking())))
    assert copies(files)[-1] == "8"
    assert "12" in copies(files, "model.safetensors")
    shutil.rmtree(cache)
    files.refuses = lambda name: False
    again = train(plan, files)
    assert "It went on from the checkpoint after step 8." in again.notes
    assert weights_of(again) == weights_of(train(plan, None, "whole"))


def wait_for(files: FolderFiles, step: str) -> None:
    deadline = time.monotonic() + 20
    while step not in copies(files) and time.monotonic() < deadline:
        time.sleep(0.02)


def test_a_copy_that_was_cut_short_is_not_gone_on_from(
    plan: TrainingPlan, train: Train, files: FolderFiles, cache: Path
) -> None:
    with pytest.raises(Broken):
        train(plan, files, log=at_evaluation(4, breaking))
    for file in files.root.glob("*/seed-0/checkpoint-12.*/optimizer.pt"):
        file.write_bytes(file.read_bytes()[:100])
    shutil.rmtree(cache)
    again = train(plan, files)
    assert not any("after step 12" in note for note in again.notes)
    assert weights_of(again) == weights_of(train(plan, None, "whole"))


def test_a_slow_store_holds_no_step_up(
    plan: TrainingPlan,
    train: Train,
    files: FolderFiles,
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    files.seconds = 0.3  # a file: some three seconds a checkpoint
    steps: list[float] = []

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        if what.startswith("training"):
            steps.append(time.monotonic())

    run_plan(plan, dataset, tmp_path / "model", hardware, progress=progress, mirror=files)
    assert len(steps) >= 24
    assert steps[-1] - steps[0] < 3.0  # the steps themselves take half a second


def test_a_store_that_fails_is_warned_of_once_and_costs_no_step(
    plan: TrainingPlan, train: Train, files: FolderFiles, caplog: pytest.LogCaptureFixture
) -> None:
    files.refuses = lambda name: True
    with caplog.at_level(logging.WARNING, logger="zenml_ftvr"), pytest.raises(Broken):
        train(plan, files, log=at_evaluation(4, breaking))
    said = [one.getMessage() for one in caplog.records if "could not be copied" in one.getMessage()]
    assert len(said) == 1
    assert "ConnectionError: no route" in said[0]
    assert weights_of(train(plan, files)) == weights_of(train(plan, None, "whole"))


def test_a_store_that_cannot_be_read_is_an_error(
    plan: TrainingPlan, train: Train, files: FolderFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(below: str) -> list[str]:
        raise ConnectionError("no route")

    monkeypatch.setattr(files, "names", fail)
    with pytest.raises(TrainingError, match=r"could not be read .*no route.*Run it again once"):
        train(plan, files)


def test_what_is_on_this_disk_is_not_brought_again(
    plan: TrainingPlan, train: Train, files: FolderFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Broken):
        train(plan, files, log=at_evaluation(4, breaking))
    brought: list[str] = []
    get = files.get
    monkeypatch.setattr(files, "get", lambda name, file: (brought.append(name), get(name, file)))
    assert "It went on from the checkpoint after step 12." in train(plan, files).notes
    assert [Path(name).name for name in brought if "checkpoint" in name] == []


def _checkpoint(run: Path, step: int, content: bytes, best: int | None = None) -> Path:
    folder = run / "seed-0" / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(content)
    (folder / "optimizer").write_bytes(content)
    named = None if best is None else str(folder.with_name(f"checkpoint-{best}"))
    (folder / "trainer_state.json").write_text(json.dumps({"best_model_checkpoint": named}))
    commit(folder, {})
    return folder


def test_two_machines_at_one_plan_do_not_mix_their_files(
    files: FolderFiles, tmp_path: Path
) -> None:
    name = f"{'a' * 16}-{'b' * 16}"
    runs = [tmp_path / machine / name for machine in ("one", "two")]
    for run, content in zip(runs, (b"1" * 9, b"2" * 9), strict=True):
        _checkpoint(run, 4, content)
    mirrors = [Mirror(files, run) for run in runs]
    threads = [threading.Thread(target=mirror._copy) for mirror in mirrors]
    files.seconds = 0.02  # they take turns
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    third = tmp_path / "three" / name
    third.mkdir(parents=True)
    Mirror(files, third).fetch()
    found = last_whole(third / "seed-0")
    assert found is not None
    assert (found / "weights").read_bytes() == (found / "optimizer").read_bytes()


def test_a_checkpoint_that_is_rotated_away_while_it_is_sent_is_sent_whole(
    files: FolderFiles, tmp_path: Path
) -> None:
    run = tmp_path / f"{'a' * 16}-{'b' * 16}"
    checkpoint = _checkpoint(run, 4, b"1")
    put = files.put

    def put_and_rotate(file: Path, name: str) -> None:
        shutil.rmtree(checkpoint, ignore_errors=True)
        put(file, name)

    files.put = put_and_rotate  # type: ignore[method-assign]
    Mirror(files, run)._copy()
    assert copies(files) == ["4"]
    assert not list(run.glob(".held-*"))


def test_a_killed_attempt_counts_as_its_copy_says(files: FolderFiles, tmp_path: Path) -> None:
    run = tmp_path / "here" / f"{'a' * 16}-{'b' * 16}"
    run.mkdir(parents=True)
    journal = Journal(run)
    journal.note("began", {"host": "gone"})
    journal.beat(12.5)
    Mirror(files, run)._copy()
    other = tmp_path / "there" / run.name
    other.mkdir(parents=True)
    Mirror(files, other).fetch()
    assert len(Journal(other).lines("began")) == 1
    assert Journal(other).last_beat() == 12.5


def test_copies_that_nobody_went_on_from_for_a_month_go(files: FolderFiles, tmp_path: Path) -> None:
    now = time.time()
    for letter, age in (("c", 31), ("d", 29)):
        run = tmp_path / f"{letter * 16}-{'b' * 16}"
        run.mkdir()
        Journal(run).note("began", {"at": now - age * 24 * 3600})
        Mirror(files, run)._copy()
    done = tmp_path / f"{'a' * 16}-{'b' * 16}"
    done.mkdir()
    with mirrored(files, done):
        pass
    assert [Path(name).parts[0][0] for name in files.names("")] == ["d"]
