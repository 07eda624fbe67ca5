"""The report in W&B: built offline, saved to a server, read back by W&B's own library, updated."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import hand_made
import pytest
from wandb_server import WandbServer

from zenml_ftvr.errors import TrackingError
from zenml_ftvr.tracking import ReportContent, RunDescription, open_run, report_content
from zenml_ftvr.tracking.wandb.report import (
    escaped,
    keep_report,
    publish_report,
    read_report,
    title_of,
)
from zenml_ftvr.values import TrackedRun, TrackingSettings

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def content() -> ReportContent:
    return report_content(
        hand_made.recommendation(),
        hand_made.trained_models(),
        hand_made.evaluation(),
        title=hand_made.TITLE,
        experiment="exp",
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a folder" / "wandb_report.json"


def _blocks(spec: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [block for block in spec["blocks"] if block["type"] == kind]


def _text(block: dict[str, Any]) -> str:
    return "".join(child["text"] for child in block["children"])


def _panels(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        panel
        for grid in _blocks(spec, "panel-grid")
        for panel in grid["metadata"]["panelBankSectionConfig"]["panels"]
    ]


def test_a_report_is_kept_whole_without_a_server(content: ReportContent, file: Path) -> None:
    keep_report(content, file, entity=None, project="p")
    kept = read_report(file)
    assert (kept.project, kept.entity, kept.url) == ("p", None, None)
    headings = [_text(block) for block in _blocks(kept.spec, "heading")]
    assert headings == [
        "Recommendation",
        "Evidence",
        "Scores",
        "Costs",
        "Training, by approach",
        "Runs side by side",
    ]
    assert kept.spec["width"] == "fluid"


def test_the_recommendation_comes_first(content: ReportContent, file: Path) -> None:
    keep_report(content, file, entity=None, project="p")
    [callout] = _blocks(read_report(file).spec, "callout-block")
    assert _text(callout["children"][0]) == hand_made.recommendation().verdict


def test_scores_stand_with_their_intervals(content: ReportContent) -> None:
    [scores] = [table for table in content.tables if table.title == "Scores"]
    first = hand_made.evaluation().models[0].scores[0]
    assert scores.rows[0] == (
        hand_made.evaluation().choice,
        first.metric,
        f"{first.value:.3f} ({first.low:.3f} to {first.high:.3f})",
    )


def test_costs_stand_beside_what_was_predicted(content: ReportContent) -> None:
    [costs] = [table for table in content.tables if table.title == "Costs"]
    model = hand_made.trained_models()[0]
    assert costs.rows[0][:3] == (
        model.kind,
        f"{model.seconds:.3g}",
        f"{(model.plan.predicted_hours or 0) * 3600:.3g}",
    )


def test_the_curves_are_of_the_compared_runs_by_approach(
    content: ReportContent, file: Path
) -> None:
    keep_report(content, file, entity=None, project="p")
    spec = read_report(file).spec
    plots = [one["config"] for one in _panels(spec) if one["viewType"] == "Run History Line Plot"]
    assert [plot["metrics"] for plot in plots] == [[metric] for metric in content.metrics]
    assert {plot["xAxis"] for plot in plots} == {"train/global_step"}
    assert {plot["groupBy"] for plot in plots} == {"ftvr.value.approach.kind"}
    assert [one["viewType"] for one in _panels(spec)][-1] == "Run Comparer"
    for grid in _blocks(spec, "panel-grid"):
        [runs] = grid["metadata"]["runSets"]
        [chosen] = runs["filters"]["filters"]
        assert (chosen["key"]["name"], chosen["op"]) == ("name", "IN")
        assert chosen["value"] == list(content.run_ids)


def test_without_known_runs_the_experiments_trainings_are_shown(
    content: ReportContent, file: Path
) -> None:
    keep_report(dataclasses.replace(content, run_ids=()), file, entity=None, project="p")
    grid = _blocks(read_report(file).spec, "panel-grid")[0]
    chosen = grid["metadata"]["runSets"][0]["filters"]["filters"]
    assert [(one["key"]["name"], one["value"]) for one in chosen] == [
        ("group", "exp"),
        ("jobType", "train"),
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SCRIPT, r"&lt;script&gt;alert\(1\)&lt;/script&gt;"),
        ("a|b", r"a\|b"),
        ("**b** [x](http://y)", r"\*\*b\*\* \[x\]\(http\://y\)"),
        ("two\nlines # no heading", r"two lines \# no heading"),
        ("`code` $x$ &amp;", r"\`code\` \$x\$ &amp;amp;"),
    ],
)
def test_markup_in_a_cell_stays_text(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_no_cell_of_a_report_holds_markup(content: ReportContent, file: Path) -> None:
    table = dataclasses.replace(content.tables[0], rows=((SCRIPT, "a|b", "[x](y)", "", "", ""),))
    odd = dataclasses.replace(content, tables=(table,), verdict=SCRIPT)
    keep_report(odd, file, entity=None, project="p")
    spec = read_report(file).spec
    [markdown] = _blocks(spec, "markdown-block")
    lines = markdown["content"].splitlines()
    assert len(lines) == 3
    assert "<" not in markdown["content"]
    assert lines[2].replace(r"\|", "").count("|") == 7  # six cells and no more
    assert _text(_blocks(spec, "callout-block")[0]["children"][0]) == SCRIPT  # a text node


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Which approach for data/rows.csv?", "Which approach for data rows.csv"),
        (f"{SCRIPT} #1 100%", "script alert(1) script 1 100"),
        ("x" * 200, "x" * 128),
        ("?/#", "Report"),
        ("Wörter, größer", "Wörter, größer"),
    ],
)
def test_a_title_is_one_that_an_address_can_hold(text: str, title: str) -> None:
    assert title_of(text) == title


def test_a_saved_report_is_read_back_by_wandbs_own_library(
    wandb_server: WandbServer, content: ReportContent, file: Path
) -> None:
    from wandb_workspaces.reports import v2

    keep_report(content, file, entity=None, project="p")
    url = publish_report(file)
    assert url.startswith(f"{wandb_server.url}/team/p/reports/")
    report = v2.Report.from_url(url)
    assert report.title == title_of(hand_made.TITLE)
    assert report.description == content.verdict
    kinds = [type(block).__name__ for block in report.blocks]
    assert kinds[0] == "CalloutBlock"
    assert kinds.count("MarkdownBlock") == 4
    assert kinds.count("PanelGrid") == 2
    comparer = report.blocks[-1].panels[0]
    assert type(comparer).__name__ == "RunComparer"
    [view] = wandb_server.answers.views.values()
    assert json.loads(view["spec"])["width"] == "fluid"


def test_a_report_of_the_same_experiment_is_updated_in_place(
    wandb_server: WandbServer, content: ReportContent, file: Path, tmp_path: Path
) -> None:
    keep_report(content, file, entity=None, project="p")
    url = publish_report(file)
    assert read_report(file).url == url
    again = dataclasses.replace(content, verdict="Another verdict.")
    keep_report(again, file, entity=None, project="p")
    assert read_report(file).report_id is not None  # remembered
    assert publish_report(file) == url
    elsewhere = tmp_path / "elsewhere" / "wandb_report.json"
    keep_report(again, elsewhere, entity="team", project="p")
    assert publish_report(elsewhere) == url  # found by its title
    [view] = wandb_server.answers.views.values()
    assert view["description"] == "Another verdict."


def test_a_report_that_someone_has_deleted_is_made_anew(
    wandb_server: WandbServer, content: ReportContent, file: Path
) -> None:
    keep_report(content, file, entity=None, project="p")
    first = publish_report(file)
    wandb_server.answers.views.clear()
    assert publish_report(file) != first
    assert len(wandb_server.answers.views) == 1


def test_a_report_of_another_title_is_another(
    wandb_server: WandbServer, content: ReportContent, file: Path
) -> None:
    keep_report(content, file, entity=None, project="p")
    publish_report(file)
    keep_report(dataclasses.replace(content, title="Other"), file, entity=None, project="p")
    publish_report(file)
    assert len(wandb_server.answers.views) == 2


def test_an_online_run_saves_the_report_and_an_offline_one_keeps_it(
    wandb_server: WandbServer, content: ReportContent, file: Path
) -> None:
    described = RunDescription(name="r", group="exp", job_type="report", tags=(), config={})
    with open_run(TrackingSettings(mode="offline", project="p"), described) as run:
        assert run.publish(content, file) is None
        tracked = run.tracked()
    assert wandb_server.answers.views == {}
    assert tracked is not None
    of_models = [model.tracked for model in hand_made.trained_models()]
    offline = [one.run_id for one in of_models if one is not None and one.offline_folder]
    assert [one.run_id for one in read_report(file).offline] == [*offline, tracked.run_id]
    assert (Path(str(tracked.offline_folder)) / file.name).read_bytes() == file.read_bytes()
    with open_run(TrackingSettings(mode="online", project="p"), described) as run:
        url = run.publish(content, file)
    assert url == read_report(file).url
    assert len(wandb_server.answers.views) == 1


def test_a_server_that_takes_no_report_costs_no_pipeline(
    wandb_server: WandbServer,
    content: ReportContent,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(wandb_server.answers._mutations, "upsertView", lambda _: 1 / 0)  # type: ignore[arg-type]
    described = RunDescription(name="r", group="exp", job_type="report", tags=(), config={})
    with (
        caplog.at_level(logging.WARNING, logger="zenml_ftvr"),
        open_run(TrackingSettings(mode="online", project="p"), described) as run,
    ):
        assert run.publish(content, file) is None
    assert wandb_server.faults
    wandb_server.faults.clear()  # they were meant
    [record] = [one for one in caplog.records if one.name.startswith("zenml_ftvr")]
    assert record.getMessage().endswith(f"zenml-ftvr publish '{file.parent}'")
    assert file.is_file()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', '{"schema": 99}'])
def test_a_file_that_is_no_report_is_an_error_of_ours(text: str, file: Path) -> None:
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(TrackingError, match=str(file)):
        read_report(file)


def test_offline_runs_are_listed_once_and_online_ones_not(
    content: ReportContent, file: Path
) -> None:
    def run(run_id: str, folder: str | None) -> TrackedRun:
        return TrackedRun(run_id=run_id, name="n", project="p", url=None, offline_folder=folder)

    runs = (run("a", "/w/offline-a"), run("a", "/w/offline-a"), run("b", None))
    keep_report(dataclasses.replace(content, runs=runs), file, entity=None, project="p")
    assert [one.folder for one in read_report(file).offline] == ["/w/offline-a"]
