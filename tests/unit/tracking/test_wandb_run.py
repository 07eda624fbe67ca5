"""Runs of the real W&B client, kept offline and read back."""

from __future__ import annotations

import builtins
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import wandb

from zenml_ftvr.errors import TrackingError
from zenml_ftvr.tracking import NoTracker, RunDescription, RunTracker, open_run
from zenml_ftvr.values import TrackedRun, TrackingSettings

OFFLINE = TrackingSettings(mode="offline", project="a-project")
DESCRIPTION = RunDescription(
    name="head-1a2b3c",
    group="a-pipeline",
    job_type="train",
    tags=("head", "text-classification"),
    config={"seed": 7, "rows": {"train": 100}},
)

Records = Callable[[str | None], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.finish()


def _only(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record[kind] for record in records if record["type"] == kind]


def _summary(records: list[dict[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for update in _only(records, "summary"):
        values |= update["update"]
    return values


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrackedRun, str]:
    """A run that used all of a tracker: where it is, and its folder."""
    folder = tmp_path_factory.mktemp("wandb")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
            patch.setenv(name, str(folder))
        wandb.teardown()  # it reads the environment once
        tracked = _write_a_run()
    wandb.teardown()
    assert tracked.offline_folder is not None
    return tracked, tracked.offline_folder


def _write_a_run() -> TrackedRun:
    with open_run(OFFLINE, DESCRIPTION) as run:
        run.log({"train/loss": 0.5}, 10)
        run.log({"train/loss": 0.25, "eval/accuracy": 0.75}, 20)
        run.summarize({"cost/seconds": 3.5, "final/stopped_by": "finished"})
        run.attach("ftvr/ranking", ["approach", "usd"], [["head", None], ["full", 0.5]])
        tracked = run.tracked()
    assert tracked is not None
    return tracked


def test_an_offline_run_has_a_folder_and_no_link(written: tuple[TrackedRun, str]) -> None:
    tracked, folder = written
    assert tracked.url is None
    assert Path(folder).name.startswith("offline-run-")
    assert Path(folder).name.endswith(tracked.run_id)
    assert Path(folder).is_dir()
    assert (tracked.name, tracked.project) == ("head-1a2b3c", "a-project")


def test_a_run_is_named_grouped_and_tagged(
    written: tuple[TrackedRun, str], records_of: Records
) -> None:
    [run] = _only(records_of(written[1]), "run")
    assert run["display_name"] == "head-1a2b3c"
    assert run["run_group"] == "a-pipeline"
    assert run["job_type"] == "train"
    assert run["project"] == "a-project"
    assert run["tags"] == ["head", "text-classification"]


def test_the_configuration_lies_under_our_prefix(
    written: tuple[TrackedRun, str], records_of: Records
) -> None:
    [run] = _only(records_of(written[1]), "run")
    config = run["config"]["update"]
    assert config["ftvr"] == {"seed": 7, "rows": {"train": 100}}
    assert set(config) <= {"ftvr", "_wandb"}


def test_readings_come_with_their_step_as_the_x_axis(
    written: tuple[TrackedRun, str], records_of: Records
) -> None:
    records = records_of(written[1])
    readings = [
        {name: value for name, value in item["item"].items() if not name.startswith("_")}
        for item in _only(records, "history")
    ]
    assert readings[:2] == [
        {"train/loss": 0.5, "train/global_step": 10},
        {"train/loss": 0.25, "eval/accuracy": 0.75, "train/global_step": 20},
    ]
    axes = {
        metric["glob_name"]: metric["step_metric"]
        for metric in _only(records, "metric")
        if "glob_name" in metric
    }
    assert axes == {"train/*": "train/global_step", "eval/*": "train/global_step"}


def test_the_summary_holds_numbers_and_words(
    written: tuple[TrackedRun, str], records_of: Records
) -> None:
    summary = _summary(records_of(written[1]))
    assert summary["cost/seconds"] == 3.5
    assert summary["final/stopped_by"] == "finished"


def test_a_table_is_kept_with_its_columns_and_gaps(written: tuple[TrackedRun, str]) -> None:
    [file] = Path(written[1]).glob("files/media/table/ftvr/*.table.json")
    table = json.loads(file.read_text())
    assert table["columns"] == ["approach", "usd"]
    assert table["data"] == [["head", None], ["full", 0.5]]


def test_a_run_that_ends_well_exits_with_zero_and_is_closed(
    written: tuple[TrackedRun, str], records_of: Records
) -> None:
    assert wandb.run is None
    [exit_] = _only(records_of(written[1]), "exit")
    assert exit_.get("exit_code", 0) == 0


@pytest.mark.parametrize("error", [RuntimeError("it broke"), KeyboardInterrupt()])
def test_a_block_that_raises_ends_its_run_as_failed(
    records_of: Records, error: BaseException
) -> None:
    folders = []

    def fail(run: RunTracker) -> None:
        tracked = run.tracked()
        assert tracked is not None
        folders.append(tracked.offline_folder)
        raise error

    with pytest.raises(type(error)), open_run(OFFLINE, DESCRIPTION) as run:
        fail(run)
    assert wandb.run is None
    assert _only(records_of(folders[0]), "exit") == [{"exit_code": 1}]


def test_two_runs_one_after_the_other_are_two() -> None:
    ids = []
    for _ in range(2):
        with open_run(OFFLINE, DESCRIPTION) as run:
            tracked = run.tracked()
            assert tracked is not None
            ids.append(tracked.run_id)
    assert len(set(ids)) == 2


def test_an_open_run_is_used_and_stays_open(records_of: Records) -> None:
    outer = wandb.init(
        mode="offline", project="theirs", name="their-run", tags=["mine"], config={"theirs": 1}
    )
    with open_run(OFFLINE, DESCRIPTION) as run:
        run.log({"train/loss": 0.5}, 1)
        tracked = run.tracked()
    assert wandb.run is outer
    assert tracked is not None
    assert (tracked.run_id, tracked.name, tracked.project) == (outer.id, "their-run", "theirs")
    outer.finish()

    records = records_of(tracked.offline_folder)
    config: dict[str, Any] = {}
    tags: list[str] = []
    for record in _only(records, "run"):
        config |= record["config"]["update"] if "config" in record else {}
        tags = record.get("tags", tags)
    for record in _only(records, "config"):
        config |= record["update"]
    assert config["theirs"] == 1
    assert config["ftvr"] == {"seed": 7, "rows": {"train": 100}}
    assert set(tags) == {"mine", "head", "text-classification"}
    assert [item["item"]["train/loss"] for item in _only(records, "history")] == [0.5]


def test_a_failing_block_leaves_an_open_run_to_its_owner() -> None:
    outer = wandb.init(mode="offline", project="theirs")
    with pytest.raises(RuntimeError, match="it broke"), open_run(OFFLINE, DESCRIPTION):
        raise RuntimeError("it broke")
    assert wandb.run is outer


def test_a_disabled_run_of_someone_else_is_nowhere_to_be_found() -> None:
    wandb.init(mode="disabled")
    with open_run(OFFLINE, DESCRIPTION) as run:
        run.log({"train/loss": 0.5}, 1)
        run.attach("ftvr/ranking", ["approach"], [["head"]])
        assert run.tracked() is None


def test_an_unreachable_server_leaves_a_whole_offline_run(
    closed_server: str, monkeypatch: pytest.MonkeyPatch, records_of: Records
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    with open_run(TrackingSettings(mode="online"), DESCRIPTION) as run:
        run.log({"train/loss": 0.5}, 1)
        tracked = run.tracked()
    assert tracked is not None
    assert tracked.url is None
    records = records_of(tracked.offline_folder)
    assert [item["item"]["train/loss"] for item in _only(records, "history")] == [0.5]
    assert len(_only(records, "exit")) == 1


def test_a_reading_that_is_no_number_does_not_end_the_run(records_of: Records) -> None:
    with open_run(OFFLINE, DESCRIPTION) as run:
        run.log({"train/loss": float("nan")}, 1)
        run.log({"train/loss": 0.5}, 2)
        tracked = run.tracked()
    assert tracked is not None
    assert len(_only(records_of(tracked.offline_folder), "history")) == 2


def test_disabled_tracking_keeps_nothing_and_needs_no_wandb(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with open_run(TrackingSettings(mode="disabled"), DESCRIPTION) as run:
        assert isinstance(run, NoTracker)
        run.log({"train/loss": 0.5}, 1)
        run.summarize({"final/x": 1})
        run.attach("t", ["a"], [["b"]])
        assert run.tracked() is None


def test_the_environment_can_disable_what_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with open_run(TrackingSettings(), DESCRIPTION) as run:
        assert run.tracked() is None
        assert wandb.run is None


def test_a_missing_wandb_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without_wandb(name: str, *rest: Any, **named: Mapping[str, Any]) -> Any:
        if name == "wandb":
            raise ImportError("No module named 'wandb'")
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without_wandb)
    with pytest.raises(TrackingError, match=r"pip install wandb.*mode: disabled"):
        open_run(OFFLINE, DESCRIPTION).__enter__()
