"""The tracker around a step, with the real W&B client, offline."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import wandb
from zenml.config.step_run_info import StepRunInfo
from zenml.enums import StackComponentType

from zenml_ftvr.stack.flavors import WandbTrackerConfig
from zenml_ftvr.stack.wandb_tracker import TRAINING_STEPS, WandbTracker

MINE = "m" * 40
COMPONENTS = "c" * 40


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.finish()


@pytest.fixture
def make_tracker() -> Callable[..., WandbTracker]:
    def make(**configuration: Any) -> WandbTracker:
        now = datetime.now(UTC)
        return WandbTracker(
            name="ftvr_wandb",
            id=uuid4(),
            # A link to a dashboard would have to ask a ZenML store for it.
            config=WandbTrackerConfig(enable_zenml_dashboard_links=False, **configuration),
            flavor="ftvr_wandb",
            type=StackComponentType.EXPERIMENT_TRACKER,
            user=None,
            created=now,
            updated=now,
        )

    return make


@pytest.fixture
def step() -> Callable[..., StepRunInfo]:
    """What ZenML tells a tracker about a step, as far as it is asked for."""

    def make(name: str = "finetune_head", **settings: Any) -> StepRunInfo:
        of_tracker = {"experiment_tracker.ftvr_wandb": settings} if settings else {}
        return StepRunInfo.model_construct(
            step_run_id=uuid4(),
            run_id=uuid4(),
            run_name="a-run",
            pipeline_step_name=name,
            config=SimpleNamespace(settings=of_tracker),
            pipeline=SimpleNamespace(name="a_pipeline"),
            step_run=SimpleNamespace(version=1),
        )

    return make


Make = Callable[..., WandbTracker]
Step = Callable[..., StepRunInfo]


def test_without_a_key_the_run_is_offline(make_tracker: Make, step: Step) -> None:
    make_tracker().prepare_step_run(step())
    assert wandb.run is not None
    assert wandb.run.offline
    assert wandb.run.project == "zenml-ftvr"
    assert wandb.run.name == "a-run_finetune_head"
    assert set(wandb.run.tags or ()) == {"zenml", "a_pipeline", "a-run"}


def test_an_offline_run_has_a_folder_and_no_link_in_its_metadata(
    make_tracker: Make, step: Step
) -> None:
    tracker, info = make_tracker(), step()
    tracker.prepare_step_run(info)
    metadata = tracker.get_step_run_metadata(info)
    folder = metadata["wandb_offline_folder"]
    assert Path(str(folder)).is_dir()
    assert metadata["wandb_sync_command"] == f"wandb sync {folder}"
    assert metadata["wandb_run_name"] == "a-run_finetune_head"
    assert not [name for name in metadata if "url" in name]
    assert not [value for value in metadata.values() if "http" in str(value)]


def test_a_disabled_run_leaves_neither_link_nor_folder(make_tracker: Make, step: Step) -> None:
    tracker, info = make_tracker(mode="disabled"), step()
    tracker.prepare_step_run(info)
    metadata = tracker.get_step_run_metadata(info)
    assert not [name for name in metadata if "url" in name or "folder" in name or "sync" in name]


@pytest.mark.parametrize(
    ("name", "job_type"),
    [*((name, "train") for name in TRAINING_STEPS), ("evaluate_model", "evaluate_model")],
)
def test_training_steps_are_trainings_and_others_what_they_are_called(
    make_tracker: Make, step: Step, name: str, job_type: str
) -> None:
    make_tracker(mode="offline").prepare_step_run(step(name))
    assert wandb.run is not None
    assert wandb.run.job_type == job_type


def test_every_training_step_is_listed() -> None:
    from zenml_ftvr import steps

    assert set(TRAINING_STEPS) == {
        name for name in steps.__all__ if name.startswith(("finetune_", "train_"))
    }


def test_a_job_type_that_the_user_set_stays(make_tracker: Make, step: Step) -> None:
    make_tracker(mode="offline").prepare_step_run(step(job_type="mine"))
    assert wandb.run is not None
    assert wandb.run.job_type == "mine"


def test_a_steps_own_setting_outranks_the_components(make_tracker: Make, step: Step) -> None:
    make_tracker(mode="offline").prepare_step_run(step(mode="disabled"))
    assert wandb.run is not None
    assert wandb.run.disabled


def test_the_components_key_is_there_while_the_step_runs_and_the_users_own_after_it(
    make_tracker: Make, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", MINE)
    tracker, info = make_tracker(mode="offline", api_key=COMPONENTS), step()
    tracker.prepare_step_run(info)
    assert os.environ["WANDB_API_KEY"] == COMPONENTS
    tracker.cleanup_step_run(info, step_failed=False)
    assert os.environ["WANDB_API_KEY"] == MINE


def test_the_users_own_key_survives_a_tracker_without_one(
    make_tracker: Make, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", MINE)
    tracker, info = make_tracker(mode="offline"), step()
    tracker.prepare_step_run(info)
    assert os.environ["WANDB_API_KEY"] == MINE
    tracker.cleanup_step_run(info, step_failed=True)
    assert os.environ["WANDB_API_KEY"] == MINE


def test_a_components_key_does_not_stay_behind(
    make_tracker: Make, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    tracker, info = make_tracker(mode="offline", api_key=COMPONENTS), step()
    tracker.prepare_step_run(info)
    tracker.cleanup_step_run(info, step_failed=False)
    assert "WANDB_API_KEY" not in os.environ


def test_a_run_that_cannot_be_opened_leaves_the_users_key(
    make_tracker: Make, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", MINE)
    tracker = make_tracker(mode="offline", api_key=COMPONENTS)
    with pytest.raises(Exception, match="no_such_setting"):
        tracker.prepare_step_run(step(settings={"no_such_setting": 1}))
    assert os.environ["WANDB_API_KEY"] == MINE


def test_the_run_is_finished_with_the_step(make_tracker: Make, step: Step) -> None:
    tracker, info = make_tracker(mode="offline"), step()
    tracker.prepare_step_run(info)
    tracker.cleanup_step_run(info, step_failed=False)
    assert wandb.run is None


def test_a_remote_image_gets_this_package_and_wandb_at_their_versions(make_tracker: Make) -> None:
    assert make_tracker().requirements == {
        f"zenml-ftvr=={importlib.metadata.version('zenml-ftvr')}",
        f"wandb=={importlib.metadata.version('wandb')}",
    }
