"""Where the clock changed a plan, its journal gives the same weights again."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import TrainingError
from zenml_ftvr.train import no_log, replay, run_plan
from zenml_ftvr.train.attempts import run_folder
from zenml_ftvr.train.brake import Brake, Decisions, Schedule
from zenml_ftvr.values import Approach, Hardware, Kind, TrainedModel, TrainingPlan

STEP_SECONDS = 0.1  # far above what a step of the tiny model takes
LIMIT_SECONDS = 4.0


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


def slowly(break_after: int | None = None) -> Callable[..., None]:
    """A progress that takes its time, and may end the attempt."""

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        if what.startswith("training") and done:
            time.sleep(STEP_SECONDS)
            if done == break_after:
                raise Broken

    return progress


def weights_of(model: TrainedModel) -> bytes:
    return (Path(model.path) / "model.safetensors").read_bytes()


def rates_of(model: TrainedModel) -> list[tuple[int, float]]:
    return [(p.step, p.value) for p in model.curve if p.metric == "train/learning_rate"]


def test_a_braked_run_is_replayed_to_the_same_bits(
    plan: TrainingPlan, dataset: Dataset, hardware: Hardware, tmp_path: Path
) -> None:
    model = run_plan(plan, dataset, tmp_path / "model", hardware, progress=slowly())
    assert model.stopped_by == "budget"
    assert [one.cool_steps is None for one in model.brakings] == [False, True]
    assert model.brakings[-1].step == model.steps_done < 60
    again = replay(model, dataset, tmp_path / "again", hardware)
    assert (again.steps_done, again.stopped_by) == (model.steps_done, "budget")
    assert weights_of(again) == weights_of(model)
    assert rates_of(again) == rates_of(model)
    assert again.brakings == model.brakings
    assert again.seconds < model.seconds


def test_so_is_one_that_was_broken_off_while_it_braked(
    plan: TrainingPlan, dataset: Dataset, hardware: Hardware, tmp_path: Path
) -> None:
    """Its cool-down had begun, and the last checkpoint is from before."""

    def in_the_cool_down(what: str, done: int, total: int, note: str = "") -> None:
        if what.startswith("training") and done:
            time.sleep(STEP_SECONDS)
            journal = run_folder(plan, None) / "attempts.jsonl"
            if '"brake"' in journal.read_text() and done % 5 not in (0, 1):
                raise Broken

    with pytest.raises(Broken):
        run_plan(plan, dataset, tmp_path / "model", hardware, progress=in_the_cool_down)
    model = run_plan(plan, dataset, tmp_path / "model", hardware, progress=slowly())
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
