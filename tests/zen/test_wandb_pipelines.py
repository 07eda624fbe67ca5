"""Pipelines that are tracked: online, offline and published later, tried again, side by side, and
on machines that will be gone."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from click.testing import CliRunner
from fake_bucket import FakeBucket, make_bucket
from wandb_server import KEY, WandbServer
from zenml import pipeline, step
from zenml.client import Client
from zenml.config.retry_config import StepRetryConfig
from zenml.enums import StackComponentType
from zenml.models import PipelineRunResponse

from zenml_ftvr.cli import cli
from zenml_ftvr.cli.setup import register, unregister
from zenml_ftvr.stack import copies, step_run, wandb_tracker
from zenml_ftvr.steps import (
    calibrate,
    evaluate_model,
    finetune_head,
    load_data,
    profile_data,
    publish_report,
    recommend_approach,
    run_pilots,
    train_baseline,
)
from zenml_ftvr.tracking import RunDescription, open_run
from zenml_ftvr.tracking.wandb import run_of_step
from zenml_ftvr.values import (
    Baseline,
    Budget,
    DataSource,
    Head,
    ModelSource,
    Request,
    TextClassification,
    TrackingSettings,
    TrainedModel,
)

TASK = TextClassification(max_length=32)
TRACKER = StackComponentType.EXPERIMENT_TRACKER


@pipeline  # cached: what came before a test is not done again
def decide_and_report(
    data: DataSource, request: Request, tracking: TrackingSettings, folder: str
) -> None:
    """All that says something to a tracker."""
    dataset = load_data(data)
    profile = profile_data(dataset, request)
    calibration = calibrate(dataset, profile, request)
    pilots = run_pilots(dataset, profile, calibration, request)
    recommendation = recommend_approach(dataset, profile, calibration, pilots, request)
    baseline = train_baseline(dataset, recommendation, tracking=tracking)
    head = finetune_head(dataset, recommendation, tracking=tracking)
    evaluation = evaluate_model(dataset, head, recommendation, baseline, tracking=tracking)
    publish_report(
        recommendation, evaluation, head, baseline, report_folder=folder, tracking=tracking
    )


@pipeline(enable_cache=False)
def one_training(data: DataSource, tracking: TrackingSettings) -> None:
    """The shortest that is tracked."""
    train_baseline(load_data(data), task=TASK, tracking=tracking)


@pipeline
def answers(data: DataSource, tracking: TrackingSettings) -> None:
    """A model, and its answers to test rows."""
    dataset = load_data(data)
    evaluate_model(dataset, train_baseline(dataset, task=TASK), tracking=tracking)


TRACKED_BASELINE = train_baseline.with_options(experiment_tracker=True)
TRACKED_HEAD = finetune_head.with_options(experiment_tracker=True)


@pipeline(dynamic=True, enable_cache=False, depends_on=[TRACKED_BASELINE, TRACKED_HEAD])
def side_by_side(data: DataSource, base: ModelSource) -> None:
    """Two trainings at once in one process."""
    dataset = load_data(data)
    running = [
        TRACKED_BASELINE.submit(dataset, task=TASK),
        TRACKED_HEAD.submit(dataset, task=TASK, base_model=base),
    ]
    for one in running:
        one.result()


ATTEMPTS: list[str] = []


@step(enable_cache=False, retry=StepRetryConfig(max_retries=1, delay=0), experiment_tracker=True)
def fails_once() -> Annotated[int, "attempts"]:
    """Logs, fails, and succeeds when it is tried again."""
    described = RunDescription(name="n", group="g", job_type="train", tags=(), config={})
    with open_run(TrackingSettings(), described) as run:
        ATTEMPTS.append(run_of_step().id)
        run.log({"train/loss": float(len(ATTEMPTS))}, len(ATTEMPTS))
    if len(ATTEMPTS) == 1:
        raise RuntimeError("it broke")
    return len(ATTEMPTS)


@pipeline(enable_cache=False)
def tried_again() -> None:
    """One step."""
    fails_once()


@pytest.fixture(scope="module")
def request_value(base_folder: Path) -> Request:
    return Request(
        budget=Budget(hours=1.0),
        approaches=(Baseline(), Head()),
        base_model=ModelSource(name=str(base_folder)),
        task=TASK,
    )


@pytest.fixture
def ours() -> Iterator[None]:
    """The stack with our tracker is the active one."""
    register("ftvr", "auto", activate=True)
    yield
    Client().activate_stack("default")
    unregister("ftvr")


@pytest.fixture
def zenmls() -> Iterator[None]:
    """The stack with ZenML's own tracker is the active one."""
    client = Client()
    client.create_stack_component(
        name="plain",
        flavor="wandb",
        component_type=TRACKER,
        configuration={"api_key": KEY, "project_name": "p", "entity": "team"},
    )
    client.create_stack(
        name="plain",
        components={
            StackComponentType.ORCHESTRATOR: "default",
            StackComponentType.ARTIFACT_STORE: "default",
            TRACKER: "plain",
        },
    )
    client.activate_stack("plain")
    yield
    client.activate_stack("default")
    client.delete_stack("plain")
    client.delete_stack_component("plain", TRACKER)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> FakeBucket:
    """An artifact store elsewhere; only W&B's copies go there."""
    store = make_bucket()
    for module in (step_run, wandb_tracker):
        monkeypatch.setattr(module, "active_store", lambda: store)
    return store


def _metadata(run: PipelineRunResponse, name: str) -> dict[str, Any]:
    return dict(run.steps[name].run_metadata)


def test_a_pipeline_kept_offline_is_published_with_one_command(
    wandb_server: WandbServer, source: DataSource, request_value: Request, tmp_path: Path
) -> None:
    folder, tracking = tmp_path / "report", TrackingSettings(mode="offline", project="p")
    run = decide_and_report(source, request_value, tracking, str(folder))
    assert run is not None
    assert wandb_server.runs == []
    shown = _metadata(run, "publish_report")
    assert shown["wandb_publish_command"] == f"zenml-ftvr publish {folder}"
    assert not [name for name in shown if "url" in name]
    kept = json.loads((folder / "wandb_report.json").read_text())
    tracked = [
        _metadata(run, name)["wandb_offline_folder"]
        for name in ("finetune_head", "train_baseline", "evaluate_model", "publish_report")
    ]
    assert {one["folder"] for one in kept["offline"]} == set(tracked)

    done = CliRunner().invoke(cli, ["publish", str(folder)])
    assert done.exit_code == 0, done.output
    assert "4 run folders uploaded" in done.output
    kinds = sorted(one.fields["jobType"] for one in wandb_server.runs)
    assert kinds == ["data", "eval", "report", "train", "train"]
    assert {one.fields["groupName"] for one in wandb_server.runs} == {"decide_and_report"}
    [view] = wandb_server.answers.views.values()
    assert view["displayName"].startswith("decide_and_report. Which approach for")
    [link] = wandb_server.answers.links
    assert link["artifactPortfolioName"] == "decide_and_report-head"
    assert _lineage(wandb_server) == {"eval": {"model"}, "train": {"dataset"}}


def _lineage(server: WandbServer) -> dict[str, set[str]]:
    """What kinds of artifact the runs of each job were given."""
    given: dict[str, set[str]] = {}
    for run in server.runs:
        kinds = {server.answers.artifacts[one].kind for one in run.used}
        if kinds and run.fields["jobType"] != "report":
            given.setdefault(run.fields["jobType"], set()).update(kinds)
    return given


def test_an_online_pipeline_has_links_lineage_and_a_report_that_the_next_updates(
    ours: None,
    wandb_server: WandbServer,
    source: DataSource,
    request_value: Request,
    tmp_path: Path,
) -> None:
    tracking = TrackingSettings(project="p")
    runs = [
        decide_and_report(source, request_value, tracking, str(tmp_path / name))
        for name in ("first", "second")
    ]
    urls = []
    for run in runs:
        assert run is not None
        urls.append(str(_metadata(run, "publish_report")["wandb_report"]))
        link = str(_metadata(run, "finetune_head")["wandb_url"])
        assert link.startswith(f"{wandb_server.url}/team/p/runs/")
    assert urls[0] == urls[1]
    assert len(wandb_server.answers.views) == 1
    assert _lineage(wandb_server) == {"eval": {"model"}, "train": {"dataset"}}
    assert {link["artifactPortfolioName"] for link in wandb_server.answers.links} == {
        "decide_and_report-head"
    }
    assert {one.state for one in wandb_server.runs} == {"finished"}
    head = next(one for one in wandb_server.runs if "head" in one.fields["tags"])
    assert head.config["ftvr"]["approach"]["kind"] == "head"
    assert head.summary["cost/seconds"] > 0
    evaluated = next(one for one in wandb_server.runs if one.fields["jobType"] == "eval")
    score, low, high = (
        evaluated.summary[f"final/head/accuracy{end}"] for end in ("", "_low", "_high")
    )
    assert low <= score <= high


@pytest.mark.parametrize("log_texts", [False, True])
def test_texts_of_the_users_reach_the_server_only_when_asked_for(
    wandb_server: WandbServer, source: DataSource, log_texts: bool
) -> None:
    run = answers(source, TrackingSettings(mode="online", project="p", log_texts=log_texts))
    assert run is not None
    text = run.steps["load_data"].outputs["dataset"][0].load().test.texts[0].encode()
    files = [file for one in wandb_server.answers.artifacts.values() for file in one.files.values()]
    sent = [*wandb_server.bodies, *files]
    assert any(text in one for one in sent) is log_texts


def test_a_step_that_is_tried_again_goes_on_in_its_run(
    ours: None, wandb_server: WandbServer
) -> None:
    ATTEMPTS.clear()
    tried_again()
    assert len(ATTEMPTS) == 2
    assert len(set(ATTEMPTS)) == 1
    [held] = wandb_server.runs
    assert [row["train/loss"] for row in held.history] == [1.0, 2.0]
    assert held.state == "finished"


def test_steps_side_by_side_have_a_run_each_with_our_tracker(
    ours: None, wandb_server: WandbServer, source: DataSource, base_folder: Path
) -> None:
    run = side_by_side(source, ModelSource(name=str(base_folder)))
    assert run is not None
    _each_in_its_own(run, wandb_server, ("train_baseline", "finetune_head"))
    for name in ("train_baseline", "finetune_head"):
        shown = _metadata(run, name)
        model: TrainedModel = run.steps[name].outputs["model"][0].load()
        assert model.tracked is not None
        assert shown["wandb_run_id"] == model.tracked.run_id


def test_steps_side_by_side_have_a_run_each_with_zenmls_tracker(
    zenmls: None, wandb_server: WandbServer, source: DataSource, base_folder: Path
) -> None:
    run = side_by_side(source, ModelSource(name=str(base_folder)))
    assert run is not None
    _each_in_its_own(run, wandb_server, ("train_baseline", "finetune_head"))


def _each_in_its_own(run: PipelineRunResponse, server: WandbServer, names: tuple[str, ...]) -> None:
    ids = {}
    for name in names:
        model: TrainedModel = run.steps[name].outputs["model"][0].load()
        assert model.tracked is not None
        ids[model.tracked.run_id] = model.kind
    assert len(ids) == len(names)
    for run_id, kind in ids.items():
        [held] = [one for one in server.runs if one.name == run_id]
        assert held.config["ftvr"]["approach"]["kind"] == kind
        assert held.state == "finished"
        assert [name for row in held.history for name in row if name == "eval/accuracy"]


@pytest.mark.parametrize("with_tracker", [False, True])
def test_a_run_on_a_machine_that_will_be_gone_is_copied_and_published_from_the_copy(
    wandb_server: WandbServer,
    source: DataSource,
    bucket: FakeBucket,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    with_tracker: bool,
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_DATA_DIR")
    data_folder = copies.portable_staging().parents[1]
    monkeypatch.setenv("WANDB_DATA_DIR", str(data_folder))  # monkeypatch undoes it
    if with_tracker:
        request.getfixturevalue("ours")
        run = _tracked_training(source)
    else:
        run = one_training(source, TrackingSettings(project="p"))
    assert run is not None
    shown = _metadata(run, "train_baseline")
    copy = str(shown["wandb_offline_copy"])
    assert shown["wandb_sync_command"] == f"zenml-ftvr publish {copy}"
    model: TrainedModel = run.steps["train_baseline"].outputs["model"][0].load()
    assert model.tracked is not None
    assert model.tracked.offline_copy == copy
    assert copy.startswith(f"{bucket.path}/ftvr_wandb/offline-run-")
    shutil.rmtree(str(shown["wandb_offline_folder"]))  # the machine is gone
    shutil.rmtree(data_folder)

    active = dataclasses.make_dataclass("Active", ["artifact_store"])(bucket)
    monkeypatch.setattr(
        copies, "Client", lambda: dataclasses.make_dataclass("C", ["active_stack"])(active)
    )
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    for expected in ("1 run folder uploaded", "1 run folder uploaded before"):
        done = CliRunner().invoke(cli, ["publish", copy])
        assert done.exit_code == 0, done.output
        assert expected in done.output
    [held] = [one for one in wandb_server.runs if one.name == model.tracked.run_id]
    assert held.state == "finished"
    shutil.rmtree(data_folder, ignore_errors=True)


@pipeline(enable_cache=False)
def _tracked(data: DataSource) -> None:
    TRACKED_BASELINE(load_data(data), task=TASK)


def _tracked_training(source: DataSource) -> PipelineRunResponse | None:
    return _tracked(source)


def test_the_components_key_is_in_no_artifact_and_no_log(
    ours: None,
    wandb_server: WandbServer,
    source: DataSource,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    client = Client()
    client.update_stack_component("ftvr_wandb", TRACKER, configuration={"api_key": KEY})
    monkeypatch.delenv("WANDB_API_KEY")
    run = _tracked_training(source)
    assert run is not None
    assert {one.state for one in wandb_server.runs} == {"finished"}
    root = Path(client.active_stack.artifact_store.path)
    files = [file for file in root.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if KEY.encode() in file.read_bytes()]
    captured = capfd.readouterr()
    assert KEY not in captured.out + captured.err


def test_a_mistake_in_the_tracker_is_an_error_of_ours_when_it_is_registered() -> None:
    from zenml_ftvr.errors import ConfigurationError

    register("ftvr", "auto", activate=False)
    try:
        for configuration, message in (
            ({"mode": "oflfine"}, "Did you mean 'offline'"),
            ({"project_name": ""}, "project_name is empty"),
        ):
            with pytest.raises(ConfigurationError, match=message):
                Client().create_stack_component(
                    name="mistaken",
                    flavor="ftvr_wandb",
                    component_type=TRACKER,
                    configuration=configuration,
                )
    finally:
        unregister("ftvr")
