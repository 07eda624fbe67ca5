"""Runs of the real W&B client against a server on this machine: whole, dying, tried again."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import wandb
from wandb_server import WandbServer

from zenml_ftvr.tracking import RunDescription, TrackedArtifact, open_run
from zenml_ftvr.tracking.wandb import finish_run, start, start_run
from zenml_ftvr.values import TrackedRun, TrackingSettings

ONLINE = TrackingSettings(mode="online", project="p")
DATA = TrackedArtifact(
    name="exp-data", kind="dataset", fingerprint="d1", metadata={"rows": {"train": 3}}
)
MODEL = TrackedArtifact(name="exp-head", kind="model", fingerprint="m1", metadata={"bytes": 5})


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.finish()


def described(
    name: str = "head-1", run_id: str | None = None, continues: TrackedRun | None = None
) -> RunDescription:
    return RunDescription(
        name=name,
        group="exp",
        job_type="train",
        tags=("head", "text-classification"),
        config={"approach": {"kind": "head"}},
        run_id=run_id,
        continues=continues,
    )


def warnings(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name.startswith("zenml_ftvr")]


def _write(description: RunDescription, losses: list[float]) -> TrackedRun:
    with open_run(ONLINE, description) as run:
        for step, loss in enumerate(losses):
            run.log({"train/loss": loss}, step)
        tracked = run.tracked()
    assert tracked is not None
    return tracked


def test_an_online_run_is_whole_and_has_a_link(wandb_server: WandbServer) -> None:
    with open_run(ONLINE, described()) as run:
        run.log({"train/loss": 0.5}, 10)
        run.log({"train/loss": 0.25, "eval/accuracy": 0.75}, 20)
        run.summarize({"cost/seconds": 3.5, "final/stopped_by": "finished"})
        tracked = run.tracked()
    assert tracked is not None
    assert tracked.offline_folder is None
    assert tracked.url == f"{wandb_server.url}/team/p/runs/{tracked.run_id}"
    held = wandb_server.run_named("head-1")
    assert (held.state, held.fields["groupName"], held.fields["jobType"]) == (
        "finished",
        "exp",
        "train",
    )
    assert held.fields["tags"] == ["head", "text-classification"]
    assert held.config["ftvr"] == {"approach": {"kind": "head"}}
    assert [row["train/loss"] for row in held.history] == [0.5, 0.25]
    assert [row["train/global_step"] for row in held.history] == [10, 20]
    assert (held.summary["cost/seconds"], held.summary["final/stopped_by"]) == (3.5, "finished")


def test_a_run_that_fails_is_failed_on_the_server(wandb_server: WandbServer) -> None:
    with pytest.raises(RuntimeError, match="it broke"), open_run(ONLINE, described()):
        raise RuntimeError("it broke")
    assert wandb_server.run_named("head-1").state == "failed"


def test_no_code_and_no_repository_goes_to_the_server(wandb_server: WandbServer) -> None:
    _write(described(), [1.0])
    held = wandb_server.run_named("head-1")
    assert not [name for name in held.files if name.startswith("code/") or name.endswith(".patch")]
    assert "git" not in json.loads(held.files["wandb-metadata.json"])


def test_a_table_comes_down_as_it_went_up_and_markup_stays_text(
    wandb_server: WandbServer, tmp_path: Path
) -> None:
    rows = [["<script>alert(1)</script>", 1.5], ["**b** [x](http://y)", None]]
    with open_run(ONLINE, described()) as run:
        run.attach("ftvr/ranking", ["approach", "usd"], rows)
        tracked = run.tracked()
    assert tracked is not None
    [artifact] = wandb.Api().run(f"team/p/{tracked.run_id}").logged_artifacts()
    folder = Path(artifact.download(str(tmp_path / "down")))
    [file] = folder.rglob("*.table.json")
    table = json.loads(file.read_text())
    assert (table["columns"], table["data"]) == (["approach", "usd"], rows)


def test_a_models_lineage_goes_back_to_its_data(wandb_server: WandbServer) -> None:
    with open_run(ONLINE, described()) as run:
        run.uses(DATA)
        run.makes(MODEL)
        tracked = run.tracked()
    assert tracked is not None
    model = wandb.Api().artifact("team/p/exp-head:m1")
    assert (model.type, model.metadata) == ("model", {"bytes": 5})
    maker = model.logged_by()
    assert maker is not None
    assert maker.id == tracked.run_id
    [data] = maker.used_artifacts()
    assert (data.name, data.type, data.metadata) == (
        "exp-data:v0",
        "dataset",
        {"rows": {"train": 3}},
    )
    held = wandb_server.answers.artifacts
    assert not [name for one in held.values() if one.kind != "run_table" for name in one.files]


def test_the_same_data_is_one_version_and_other_data_another(wandb_server: WandbServer) -> None:
    changed = TrackedArtifact(name="exp-data", kind="dataset", fingerprint="d2", metadata={})
    for name, data in (("a", DATA), ("b", DATA), ("c", changed)):
        with open_run(ONLINE, described(name)) as run:
            run.uses(data)
    used = [wandb_server.run_named(name).used for name in ("a", "b", "c")]
    assert used[0] == used[1]
    assert used[2] != used[0]


def test_the_recommended_model_is_linked_to_the_registry(wandb_server: WandbServer) -> None:
    with open_run(ONLINE, described()) as run:
        run.makes(MODEL)
    with open_run(ONLINE, described("report")) as run:
        run.register(MODEL, "model")
    [link] = wandb_server.answers.links
    assert (link["entityName"], link["projectName"], link["artifactPortfolioName"]) == (
        "organization",
        "wandb-registry-model",
        "exp-head",
    )
    linked = wandb_server.answers.artifacts[link["artifactID"]]
    assert (linked.collection, linked.kind) == ("exp-head", "model")


def test_a_server_without_a_registry_is_warned_of_and_the_run_goes_on(
    wandb_server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    wandb_server.answers.has_registry = False
    with (
        caplog.at_level(logging.WARNING, logger="zenml_ftvr"),
        open_run(ONLINE, described()) as run,
    ):
        run.makes(MODEL)
        run.register(MODEL, "model")
        run.log({"train/loss": 0.5}, 1)
    assert wandb_server.run_named("head-1").state == "finished"
    [record] = warnings(caplog)
    assert "registry: null" in record.getMessage()
    assert wandb_server.answers.links == []


def test_a_run_that_is_tried_again_goes_on_where_it_was(wandb_server: WandbServer) -> None:
    for losses in ([3.0, 2.0], [1.0]):
        assert _write(described(run_id="the-run"), losses).run_id == "the-run"
    [held] = wandb_server.runs
    assert [row["train/loss"] for row in held.history] == [3.0, 2.0, 1.0]
    assert [row["_step"] for row in held.history] == [0, 1, 2]


def test_a_training_that_goes_on_does_so_in_the_run_of_its_earlier_attempt(
    wandb_server: WandbServer,
) -> None:
    earlier = _write(described(run_id="the-first"), [3.0, 2.0])
    again = _write(described(run_id="the-second", continues=earlier), [1.0])
    assert (again.run_id, again.url) == ("the-first", earlier.url)
    [held] = wandb_server.runs
    assert [row["train/loss"] for row in held.history] == [3.0, 2.0, 1.0]


@pytest.mark.parametrize(
    "changed",
    [{"project": "another"}, {"url": None, "offline_folder": "/folder/that/waits"}],
    ids=["of another project", "not uploaded yet"],
)
def test_what_cannot_be_gone_on_in_is_left_as_it_is(
    wandb_server: WandbServer, changed: dict[str, str | None]
) -> None:
    earlier = replace(_write(described(run_id="the-first"), [3.0, 2.0]), **changed)  # type: ignore[arg-type]
    assert _write(described(run_id="the-second", continues=earlier), [1.0]).run_id == "the-second"
    assert sorted(len(held.history) for held in wandb_server.runs) == [1, 2]


def test_a_server_that_dies_half_way_costs_seconds_and_no_reading(
    wandb_server: WandbServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(start.LIMITS, "finish_timeout", 2.0)
    with caplog.at_level(logging.WARNING, logger="zenml_ftvr"):
        with open_run(ONLINE, described()) as run:
            run.log({"train/loss": 2.0}, 0)
            wandb_server.stop()
            for step in range(1, 4):
                run.log({"train/loss": 2.0 - step / 10}, step)
            run.attach("ftvr/ranking", ["approach"], [["head"]])
            run.log({"train/loss": 1.5}, 4)
            run.summarize({"final/loss": 1.5})
            tracked = run.tracked()
            ending = time.monotonic()
        assert time.monotonic() - ending < 10
    commands = [record.getMessage().rpartition(": ")[2].split() for record in warnings(caplog)]
    assert [command[:2] for command in commands] == [["wandb", "sync"]] * 2

    wandb_server.start()
    for command in commands:
        subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    held = wandb_server.run_named("head-1")
    losses = [row["train/loss"] for row in held.history if "train/loss" in row]
    assert losses == [2.0, 1.9, 1.8, 1.7, 1.5]
    assert held.summary["final/loss"] == 1.5
    assert held.config["ftvr"] == {"approach": {"kind": "head"}}
    assert tracked is not None
    assert tracked.sync_command == " ".join(commands[1])
    assert held.state == "finished"
    assert [one.kind for one in wandb_server.answers.artifacts.values()] == ["run_table"]


def test_the_limits_that_ship_are_short() -> None:
    assert start.LIMITS["finish_timeout"] <= 60
    assert start.LIMITS["init_timeout"] <= 60


def test_a_run_that_the_server_does_not_let_begin_is_kept_offline(
    wandb_server: WandbServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = wandb_server.answers.answer

    def refuse(body: dict[str, str]) -> dict[str, object]:
        if "mutation UpsertBucket" in body["query"]:
            raise AssertionError("the quota is used up")
        return asked(body)

    monkeypatch.setattr(wandb_server.answers, "answer", refuse)
    with caplog.at_level(logging.WARNING, logger="zenml_ftvr"):
        tracked = _write(described(), [1.0])
    assert wandb_server.faults
    wandb_server.faults.clear()  # they were meant
    assert tracked.url is None
    assert tracked.offline_folder is not None
    [record] = warnings(caplog)
    assert record.getMessage().endswith(f"wandb sync {tracked.offline_folder}")


def test_an_unreachable_server_is_warned_of_with_the_command_that_uploads_later(
    closed_server: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    started = time.monotonic()
    with caplog.at_level(logging.WARNING, logger="zenml_ftvr"):
        tracked = _write(described(), [1.0])
    assert time.monotonic() - started < 15
    [record] = warnings(caplog)
    assert closed_server in record.getMessage()
    assert record.getMessage().endswith(f"wandb sync {tracked.offline_folder}")


def test_trainings_beside_one_another_have_a_run_each(wandb_server: WandbServer) -> None:
    first_open, both_open = threading.Event(), threading.Barrier(2)

    def train(name: str, loss: float) -> None:
        if name == "b":
            first_open.wait(60)
        with open_run(ONLINE, described(name)) as run:
            first_open.set()
            both_open.wait(60)
            for step in range(20):
                run.log({"train/loss": loss}, step)

    threads = [threading.Thread(target=train, args=pair) for pair in (("a", 1.0), ("b", 2.0))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    for name, loss in (("a", 1.0), ("b", 2.0)):
        held = wandb_server.run_named(name)
        assert [row["train/loss"] for row in held.history] == [loss] * 20
        assert held.state == "finished"


def test_a_run_that_one_training_had_is_not_the_next_ones(wandb_server: WandbServer) -> None:
    """As with ZenML's own tracker, where the first step has trained and not yet ended its run."""
    shared = wandb.init(project="p", name="shared", id="shared")
    first, second = (_write(described(name), [loss]) for name, loss in (("a", 1.0), ("b", 2.0)))
    assert first.run_id == "shared" != second.run_id
    shared.finish()
    again = wandb.init(project="p", id="shared", resume="allow")
    assert _write(described("c"), [0.5]).run_id == "shared"  # which was begun again
    again.finish()


def test_trainings_that_were_given_one_run_have_one_each_and_lose_nothing(
    wandb_server: WandbServer,
) -> None:
    """As with ZenML's own tracker: one run for all, ended with the first step that ends."""
    shared = wandb.init(project="p", name="shared", id="shared")
    both_open, first_ended = threading.Barrier(2), threading.Event()

    def first() -> None:
        with open_run(ONLINE, described("first")) as run:
            run.log({"train/loss": 1.0}, 0)
            both_open.wait(60)
            first_ended.wait(60)
            run.log({"train/loss": 0.5}, 1)

    def second() -> None:
        both_open.wait(60)
        with open_run(ONLINE, described("second")) as run:
            run.log({"train/loss": 2.0}, 0)
        shared.finish()
        first_ended.set()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [row["train/loss"] for row in wandb_server.run_named("shared").history] == [1.0, 0.5]
    assert [row["train/loss"] for row in wandb_server.run_named("second").history] == [2.0]
    assert {run.state for run in wandb_server.runs} == {"finished"}


def test_a_run_beside_another_can_be_started_by_hand(wandb_server: WandbServer) -> None:
    arguments = {"project": "p", "settings": {"silent": True, "console": "off"}}
    runs = [start_run({**arguments, "name": name}, "online") for name in ("a", "b")]
    assert wandb.run is runs[0]
    assert runs[0].id != runs[1].id
    for run in runs:
        finish_run(run, exit_code=0)
    assert wandb.run is None
