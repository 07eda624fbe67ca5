"""What was kept offline is uploaded later: from here, from a copy, and not twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import wandb
from wandb_server import WandbServer

from zenml_ftvr.errors import TrackingError
from zenml_ftvr.tracking import ReportContent, RunDescription, TrackedArtifact, open_run
from zenml_ftvr.tracking.run import JobType
from zenml_ftvr.tracking.wandb import (
    note_staging,
    portable_staging,
    publish_kept,
    staged_since,
    wait_until_written,
)
from zenml_ftvr.values import TrackedRun, TrackingSettings

OFFLINE = TrackingSettings(mode="offline", project="p")
DATA = TrackedArtifact(name="exp-data", kind="dataset", fingerprint="d1", metadata={"rows": 3})
MODEL = TrackedArtifact(name="exp-head", kind="model", fingerprint="m1", metadata={"bytes": 5})


@pytest.fixture(autouse=True)
def _own_runs(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of other tests, of the same ids, lie elsewhere."""
    monkeypatch.setenv("WANDB_DIR", str(tmp_path_factory.mktemp("runs")))


def described(name: str, job_type: JobType) -> RunDescription:
    return RunDescription(
        name=name, group="exp", job_type=job_type, tags=(name,), config={}, run_id=f"id-{name}"
    )


def no_fetch(uri: str, folder: Path) -> None:
    raise AssertionError(f"{uri} is here")


def publish(folder: Path, fetch: Callable[[str, Path], None] = no_fetch) -> Iterator[str]:
    """As the command does, with a place for what is fetched beside the folder."""
    return publish_kept(folder, fetch, folder.parent / "fetched")


def train(losses: tuple[float, ...] = (2.0, 1.0)) -> TrackedRun:
    with open_run(OFFLINE, described("head", "train")) as run:
        run.uses(DATA)
        for step, loss in enumerate(losses):
            run.log({"train/loss": loss}, step)
        run.attach("ftvr/ranking", ["approach"], [["head"]])
        run.makes(MODEL)
        tracked = run.tracked()
    assert tracked is not None
    wait_until_written(Path(str(tracked.offline_folder)))
    return tracked


def report(folder: Path, *runs: TrackedRun) -> TrackedRun:
    content = ReportContent(
        title="exp. Which approach?",
        experiment="exp",
        verdict="Take head.",
        reasons=(),
        tables=(),
        run_ids=tuple(run.run_id for run in runs),
        runs=runs,
        metrics=("train/loss",),
    )
    with open_run(OFFLINE, described("report", "report")) as run:
        run.register(MODEL, "model")
        run.publish(content, folder / "wandb_report.json")
        tracked = run.tracked()
    assert tracked is not None
    wait_until_written(Path(str(tracked.offline_folder)))
    return tracked


def test_runs_lineage_registry_and_report_are_on_the_server_afterwards(
    wandb_server: WandbServer, tmp_path: Path
) -> None:
    report(tmp_path, train())
    lines = list(publish(tmp_path))
    assert lines[0] == "2 run folders uploaded"
    assert lines[-1].startswith(f"report: {wandb_server.url}/team/p/reports/")

    held = wandb_server.run_named("head")
    assert [row["train/loss"] for row in held.history if "train/loss" in row] == [2.0, 1.0]
    assert (held.state, held.fields["groupName"], held.fields["jobType"]) == (
        "finished",
        "exp",
        "train",
    )
    maker = wandb.Api().artifact("team/p/exp-head:m1").logged_by()
    assert maker is not None
    assert [one.name for one in maker.used_artifacts()] == ["exp-data:v0"]
    assert wandb_server.run_named("data").fields["jobType"] == "data"
    assert wandb_server.answers.links[0]["artifactPortfolioName"] == "exp-head"
    [view] = wandb_server.answers.views.values()
    assert view["displayName"] == "exp. Which approach"


def test_what_was_uploaded_is_not_uploaded_twice(wandb_server: WandbServer, tmp_path: Path) -> None:
    report(tmp_path, train())
    list(publish(tmp_path))
    rows = len(wandb_server.run_named("head").history)
    lines = list(publish(tmp_path))
    assert lines[0] == "2 run folders uploaded before"
    assert len(wandb_server.run_named("head").history) == rows
    assert len(wandb_server.answers.views) == 1
    assert len([run for run in wandb_server.runs if run.fields["displayName"] == "data"]) == 1


def test_the_attempts_of_a_run_follow_one_another(
    wandb_server: WandbServer, tmp_path: Path
) -> None:
    train((3.0,))
    report(tmp_path, train((2.0, 1.0)))
    assert next(publish(tmp_path)) == "3 run folders uploaded"
    held = wandb_server.run_named("head")
    assert [row["train/loss"] for row in held.history if "train/loss" in row] == [3.0, 2.0, 1.0]


def test_a_run_without_a_report_is_uploaded_by_its_folder(wandb_server: WandbServer) -> None:
    folder = Path(str(train().offline_folder))
    assert list(publish(folder)) == ["1 run folder uploaded"]
    assert wandb_server.run_named("head").state == "finished"


def test_a_folder_that_is_gone_is_said_and_the_rest_is_published(
    wandb_server: WandbServer, tmp_path: Path
) -> None:
    trained = train()
    shutil.rmtree(str(trained.offline_folder))
    report(tmp_path, trained)
    lines = list(publish(tmp_path))
    assert lines[0] == f"run id-head: its folder {trained.offline_folder} is gone; not uploaded"
    assert lines[1] == "1 run folder uploaded"


def test_a_copy_in_the_artifact_store_is_as_good(
    wandb_server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine that wrote the run is gone, with W&B's data folder."""
    monkeypatch.delenv("WANDB_DATA_DIR")
    staging = portable_staging()
    monkeypatch.setenv("WANDB_DATA_DIR", str(staging.parents[1]))  # monkeypatch undoes it
    copy = tmp_path / "store" / "copy"
    trained = train()
    folder = Path(str(trained.offline_folder))
    note_staging(folder, staging)
    shutil.copytree(folder, copy)
    for file, place in staged_since(staging, 0.0):
        (copy / place).parent.mkdir(exist_ok=True)
        shutil.copyfile(file, copy / place)
    shutil.rmtree(folder)
    shutil.rmtree(staging.parents[1])

    report(tmp_path, TrackedRun(**{**_fields(trained), "offline_copy": "s3://store/copy"}))

    def fetch(uri: str, target: Path) -> None:
        fetched.append(uri)
        shutil.copytree(copy, target)

    fetched: list[str] = []
    assert next(publish(tmp_path, fetch)) == "2 run folders uploaded"
    held = wandb_server.answers.artifacts.values()
    [table] = [one for one in held if one.kind == "run_table"]
    assert json.loads(next(iter(table.files.values())))["data"] == [["head"]]
    assert next(publish(tmp_path, fetch)) == "2 run folders uploaded before"
    assert fetched == ["s3://store/copy"]
    shutil.rmtree(staging.parents[1])


def _fields(run: TrackedRun) -> dict[str, str | None]:
    return {name: getattr(run, name) for name in TrackedRun.__dataclass_fields__}


@pytest.mark.parametrize("place", ["relative/artifacts/staging", "/etc/passwd", "/a/../b"])
def test_a_copy_that_names_another_place_is_refused(
    wandb_server: WandbServer, tmp_path: Path, place: str
) -> None:
    folder = Path(str(train().offline_folder))
    (folder / "ftvr_staged").mkdir()
    (folder / "ftvr_staged" / "passwd").write_text("root")
    (folder / "ftvr_copy.json").write_text(json.dumps({"staging": place}))
    with pytest.raises(TrackingError, match="no folder of W&B's"):
        list(publish(folder))
    assert wandb_server.runs == []


def test_without_a_server_nothing_is_uploaded_and_the_error_says_why(
    closed_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    report(tmp_path, train())
    with pytest.raises(TrackingError, match=r"cannot be reached\. Nothing was uploaded"):
        list(publish(tmp_path))


def test_a_server_that_dies_while_it_is_given_runs_is_an_error_and_can_be_tried_again(
    wandb_server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(tmp_path, train())
    asked = wandb_server.answers.answer

    def refuse(body: dict[str, str]) -> dict[str, object]:
        if "mutation UpsertBucket" in body["query"]:
            raise AssertionError("the quota is used up")
        return asked(body)

    with monkeypatch.context() as patch:
        patch.setattr(wandb_server.answers, "answer", refuse)
        with pytest.raises(TrackingError, match="W&B did not take"):
            list(publish(tmp_path))
    assert wandb_server.faults
    wandb_server.faults.clear()  # they were meant
    assert next(publish(tmp_path)) == "2 run folders uploaded"


def test_a_folder_of_something_else_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="holds neither"):
        list(publish(tmp_path))


def test_a_run_whose_machine_vanished_is_uploaded_as_far_as_it_was_written(
    wandb_server: WandbServer, tmp_path: Path
) -> None:
    """A cut file keeps no other run from the server."""
    trained = train(tuple(float(loss) for loss in range(400)))
    [file] = Path(str(trained.offline_folder)).glob("run-*.wandb")
    file.write_bytes(file.read_bytes()[:60_000])
    report(tmp_path, trained)
    lines = list(publish(tmp_path))
    assert lines[0].startswith(Path(str(trained.offline_folder)).name)
    assert "never ended" in lines[0]
    losses = [row["train/loss"] for row in wandb_server.run_named("head").history]
    assert 100 < len(losses) < 400
    assert losses == [float(loss) for loss in range(len(losses))]
    assert wandb_server.run_named("report").state == "finished"
    assert next(publish(tmp_path)) == "2 run folders uploaded before"
    assert len(wandb_server.run_named("head").history) == len(losses)


def test_a_run_of_which_nothing_was_written_is_named_and_the_others_are_uploaded(
    wandb_server: WandbServer, tmp_path: Path
) -> None:
    trained = train()
    [file] = Path(str(trained.offline_folder)).glob("run-*.wandb")
    file.write_bytes(b"")
    report(tmp_path, trained)
    with pytest.raises(TrackingError, match=file.parent.name):
        list(publish(tmp_path))
    assert wandb_server.run_named("report").state == "finished"
