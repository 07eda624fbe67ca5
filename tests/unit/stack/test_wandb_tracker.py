"""The tracker around a step, with the real W&B client, offline."""

from __future__ import annotations

import contextvars
import importlib.metadata
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import wandb
from wandb_server import WandbServer
from zenml.config.step_run_info import StepRunInfo
from zenml.enums import StackComponentType

from zenml_ftvr.stack import wandb_tracker
from zenml_ftvr.stack.flavors import WandbTrackerConfig
from zenml_ftvr.stack.wandb_tracker import JOB_TYPES, WandbTracker
from zenml_ftvr.steps import finetune_full
from zenml_ftvr.tracking import RunDescription, open_run
from zenml_ftvr.tracking.wandb import (
    leave_step_run,
    publish_kept,
    start,
    wait_until_written,
)
from zenml_ftvr.values import TrackedRun, TrackingSettings

MINE = "m" * 40
COMPONENTS = "c" * 40


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    leave_step_run()
    wandb.finish()


@pytest.fixture(autouse=True)
def _local_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """No ZenML store is asked for the stack: its artifact store is on this machine."""
    monkeypatch.setattr(wandb_tracker, "active_store", lambda: None)
    monkeypatch.setattr(wandb_tracker, "_key", wandb_tracker._KeyInEnvironment())


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

    def make(
        name: str = "finetune_head", module: str = "a_users_steps", **settings: Any
    ) -> StepRunInfo:
        of_tracker = {"experiment_tracker.ftvr_wandb": settings} if settings else {}
        return StepRunInfo.model_construct(
            step_run_id=uuid4(),
            run_id=uuid4(),
            run_name="a-run",
            pipeline_step_name=name,
            config=SimpleNamespace(settings=of_tracker),
            spec=SimpleNamespace(source=SimpleNamespace(module=module)),
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
    [
        ("load_data", "data"),
        ("calibrate", "pilot"),
        ("run_pilots", "pilot"),
        ("recommend_approach", "decide"),
        ("finetune_lora", "train"),
        ("evaluate_model_2", "eval"),
        ("publish_report", "report"),
        ("my_own_step", "my_own_step"),
    ],
)
def test_a_step_is_of_its_kind_and_others_what_they_are_called(
    make_tracker: Make, step: Step, name: str, job_type: str
) -> None:
    make_tracker(mode="offline").prepare_step_run(step(name))
    assert wandb.run is not None
    assert wandb.run.job_type == job_type


def test_every_step_has_a_kind() -> None:
    from zenml_ftvr import steps

    assert set(JOB_TYPES) == set(steps.__all__)
    assert set(JOB_TYPES.values()) == {"data", "pilot", "decide", "train", "eval", "report"}
    trainings = {name for name, kind in JOB_TYPES.items() if kind == "train"}
    assert trainings == {name for name in JOB_TYPES if name.startswith(("finetune_", "train_"))}


def test_the_experiment_is_the_pipeline_unless_a_group_is_set(
    make_tracker: Make, step: Step
) -> None:
    tracker, info = make_tracker(mode="offline"), step()
    tracker.prepare_step_run(info)
    assert wandb.run is not None
    assert wandb.run.group == "a_pipeline"
    tracker.cleanup_step_run(info, step_failed=False)
    tracker.prepare_step_run(step(group="mine"))
    assert wandb.run is not None
    assert wandb.run.group == "mine"


def test_a_step_that_is_tried_again_goes_on_in_the_same_run(make_tracker: Make, step: Step) -> None:
    first = step()
    again, other = (
        step(name).model_copy(update={"run_id": first.run_id})
        for name in ("finetune_head", "finetune_full")
    )
    ids = []
    for info in (first, again, other):
        tracker = make_tracker(mode="offline")
        tracker.prepare_step_run(info)
        assert wandb.run is not None
        ids.append(wandb.run.id)
        tracker.cleanup_step_run(info, step_failed=info is first)
    assert ids[0] == ids[1]
    assert ids[2] != ids[0]


def test_steps_beside_one_another_have_a_run_each(make_tracker: Make, step: Step) -> None:
    tracker = make_tracker(mode="offline", api_key=COMPONENTS)
    both_open, one_done = threading.Barrier(2), threading.Event()

    def work(name: str) -> tuple[str, str, bool]:
        info = step(name)
        tracker.prepare_step_run(info)
        both_open.wait(60)
        seen = str(tracker.get_step_run_metadata(info)["wandb_run_id"])
        if name == "finetune_full":
            one_done.wait(60)  # the other has ended: this one's run goes on
        with open_run(TrackingSettings(mode="offline"), described(name)) as run:
            run.log({"train/loss": 1.0}, 1)
            tracked = run.tracked()
        assert tracked is not None
        key_there = os.environ.get("WANDB_API_KEY") == COMPONENTS
        tracker.cleanup_step_run(info, step_failed=False)
        one_done.set()
        return seen, tracked.run_id, key_there

    with ThreadPoolExecutor(2) as pool:
        done = [
            pool.submit(contextvars.copy_context().run, work, name)
            for name in ("finetune_head", "finetune_full")
        ]
        results = [one.result(120) for one in done]
    assert results[0][0] == results[0][1]
    assert results[1][0] == results[1][1]
    assert results[0][0] != results[1][0]
    assert all(key_there for _, _, key_there in results)
    assert "WANDB_API_KEY" not in os.environ


def test_a_step_whose_server_dies_ends_within_seconds_and_shows_where_its_run_is(
    make_tracker: Make, step: Step, wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(start.LIMITS, "finish_timeout", 1.0)
    tracker, info = make_tracker(), step()
    tracker.prepare_step_run(info)
    assert tracker.get_step_run_metadata(info)["wandb_url"].startswith(wandb_server.url)
    began = time.monotonic()
    with open_run(TrackingSettings(), described("n")) as run:
        run.log({"train/loss": 1.0}, 1)
        wandb_server.stop()
        run.attach("ftvr/ranking", ["approach"], [["head"]])
    shown = tracker.get_step_run_metadata(info)
    tracker.cleanup_step_run(info, step_failed=False)
    assert time.monotonic() - began < 20
    assert wandb.run is None
    assert "wandb_url" not in shown
    folder = Path(str(shown["wandb_offline_folder"]))
    wait_until_written(folder)

    wandb_server.start()
    assert list(publish_kept(folder, lambda *_: None, folder)) == ["2 run folders uploaded"]
    [held] = wandb_server.runs
    assert held.state == "finished"
    assert [row["train/loss"] for row in held.history if "train/loss" in row] == [1.0]
    assert [one.kind for one in wandb_server.answers.artifacts.values()] == ["run_table"]


def described(name: str, continues: TrackedRun | None = None) -> RunDescription:
    return RunDescription(
        name=name, group="g", job_type="train", tags=(name,), config={}, continues=continues
    )


def trained(tracker: WandbTracker, info: StepRunInfo, before: TrackedRun | None) -> TrackedRun:
    """A training step of ours from beginning to end."""
    tracker.prepare_step_run(info)
    assert tracker.get_step_run_metadata(info) == {}  # its training begins the run
    with open_run(TrackingSettings(mode="offline"), described("full", before)) as run:
        tracked = run.tracked()
    assert tracked is not None
    assert tracker.get_step_run_metadata(info)["wandb_run_id"] == tracked.run_id
    tracker.cleanup_step_run(info, step_failed=False)
    assert wandb.run is None
    return tracked


def test_a_training_goes_on_in_the_run_of_another_pipeline_run(
    make_tracker: Make, step: Step
) -> None:
    tracker = make_tracker(mode="offline")
    ours = {"name": "finetune_full", "module": finetune_full.entrypoint.__module__}
    earlier = trained(tracker, step(**ours), None)
    again = trained(tracker, step(**ours), earlier)
    assert again.run_id == earlier.run_id
    assert again.offline_folder != earlier.offline_folder


def test_a_run_id_that_the_user_set_stays(make_tracker: Make, step: Step) -> None:
    tracker = make_tracker(mode="offline")
    info = step(module=finetune_full.entrypoint.__module__, run_id="mine")
    earlier = trained(tracker, step(module=finetune_full.entrypoint.__module__), None)
    tracker.prepare_step_run(info)
    with open_run(TrackingSettings(mode="offline"), described("full", earlier)) as run:
        tracked = run.tracked()
    assert tracked is not None
    assert tracked.run_id == "mine"


def test_a_training_that_never_began_leaves_the_run_of_another_open(
    make_tracker: Make, step: Step
) -> None:
    theirs = wandb.init(mode="offline", project="theirs")
    tracker, info = make_tracker(mode="offline"), step(module=finetune_full.entrypoint.__module__)
    tracker.prepare_step_run(info)
    tracker.cleanup_step_run(info, step_failed=True)
    assert wandb.run is theirs
    theirs.log({"loss": 1.0})


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
