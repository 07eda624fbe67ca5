"""Where the clock changed a plan, its journal gives the same weights again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import TrainingError
from zenml_ftvr.train import no_log, once, replay, run_loop, run_plan
from zenml_ftvr.train.attempts import run_folder
from zenml_ftvr.train.brake import Brake, Decisions, Schedule
from zenml_ftvr.values import Approach, Hardware, Kind, TrainedModel, TrainingPlan

LIMIT_SECONDS = 40.0  # of a clock that moves a second with each step
BEGAN = 1_000.0


class Broken(Exception):  # noqa: N818  (stands for whatever ends a process)
    """Ends an attempt."""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def plan(plan_of: Callable[..., TrainingPlan], learns: dict[Kind, Approach]) -> TrainingPlan:
    """More steps than there is time for."""
    plan = plan_of(learns["full"], max_steps=200, warmup_steps=2, eval_every_steps=5)
    return dataclasses.replace(plan, wall_seconds=LIMIT_SECONDS)


class Clock:
    """Moves a second with each step of whatever looks on as its `progress`."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> float:
        return self.now

    def progress(self, what: str, done: int, total: int, note: str = "") -> None:
        if what.startswith("training") and done:
            self.now += 1.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What the limits of trainings are counted by."""
    clock = Clock()

    def run(
        plan: Any, prepared: Any, folder: Any, log: Any, progress: Any, _: float, **by: Any
    ) -> Any:
        return run_loop(plan, prepared, folder, log, progress, BEGAN, clock=clock, **by)

    monkeypatch.setattr(once, "run_loop", run)
    return clock


def weights_of(model: TrainedModel) -> bytes:
    return (Path(model.path) / "model.safetensors").read_bytes()


def rates_of(model: TrainedModel) -> list[tuple[int, float]]:
    return [(p.step, p.value) for p in model.curve if p.metric == "train/learning_rate"]


def test_a_braked_run_is_replayed_to_the_same_bits(
    plan: TrainingPlan, dataset: Dataset, hardware: Hardware, tmp_path: Path, clock: Clock
) -> None:
    model = run_plan(plan, dataset, tmp_path / "model", hardware, progress=clock.progress)
    assert model.stopped_by == "budget"
    assert [one.cool_steps is None for one in model.brakings] == [False, True]
    assert model.brakings[-1].step == model.steps_done < 60
    again = replay(model, dataset, tmp_path / "again", hardware)
    assert (again.steps_done, again.stopped_by) == (model.steps_done, "budget")
    assert weights_of(again) == weights_of(model)
    assert rates_of(again) == rates_of(model)
    assert again.brakings == model.brakings


def test_so_is_one_that_was_broken_off_while_it_braked(
    plan: TrainingPlan, dataset: Dataset, hardware: Hardware, tmp_path: Path, clock: Clock
) -> None:
    """Its cool-down had begun, and the last checkpoint is from before."""

    def in_the_cool_down(what: str, done: int, total: int, note: str = "") -> None:
        clock.progress(what, done, total)
        if what.startswith("training") and done:
            journal = run_folder(plan, None) / "attempts.jsonl"
            if '"brake"' in journal.read_text() and done % 5 not in (0, 1):
                raise Broken

    with pytest.raises(Broken):
        run_plan(plan, dataset, tmp_path / "model", hardware, progress=in_the_cool_down)
    model = run_plan(plan, dataset, tmp_path / "model", hardware, progress=clock.progress)
    assert any("went on from" in note for note in model.notes)
    assert model.stopped_by == "budget"
    again = replay(model, dataset, tmp_path / "again", hardware)
    assert weights_of(again) == weights_of(model)
    assert rates_of(again) == rates_of(model)


def test_a_run_that_was_not_braked_is_replayed_too(
    plan: TrainingPlan, dataset: Dataset, hardware: Hardware, tmp_path: Path
) -> None:
    plan = dataclasses.replace(plan, max_steps=12, wall_seconds=None)
    model = run_plan(plan, dataset, tmp_path / "model", hardware, log=no_log)
    assert model.brakings == ()
    assert weights_of(replay(model, dataset, tmp_path / "again", hardware)) == weights_of(model)
    stopped = dataclasses.replace(
        model, stopped_by="budget", plan=dataclasses.replace(plan, wall_seconds=9.0)
    )
    with pytest.raises(TrainingError, match=r"had 9 s, and not all.*without a limit"):
        replay(stopped, dataset, tmp_path / "again", hardware)


def test_decisions_are_followed_whatever_the_clock_says() -> None:
    noted: list[tuple[int, int | None]] = []
    decided = Decisions({5: 3, 8: None}, lambda step, cool: noted.append((step, cool)))
    brake, schedule = Brake(None, 0.0, clock=lambda: 1e9, decisions=decided), Schedule(0, 100)
    said = [brake.after(step, schedule) for step in range(1, 9)]
    assert said == ["go on"] * 7 + ["stop"]
    assert (schedule.cool_from, schedule.cool_steps) == (5, 3)
    assert noted == []


def test_a_cool_down_that_began_earlier_this_time_is_not_begun_again() -> None:
    brake, schedule = Brake(None, 0.0, decisions=Decisions({5: 3})), Schedule(0, 100)
    schedule.cool_down(3, 4)
    assert brake.after(5, schedule) == "go on"
    assert (schedule.cool_from, schedule.cool_steps) == (3, 4)
