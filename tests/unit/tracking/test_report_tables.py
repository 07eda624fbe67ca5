"""Pilots and measurements in W&B: numbers and approaches, nothing of the user's."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import hand_made
import hand_made_findings as findings
import pytest
from wandb_server import WandbServer

from zenml_ftvr.tracking import (
    ReportContent,
    decision_map_table,
    learning_curves_table,
    pareto_table,
    pilots_table,
    report_content,
)
from zenml_ftvr.tracking.wandb.report import keep_report, publish_report, read_report


@pytest.fixture(scope="module")
def content() -> ReportContent:
    recommendation = dataclasses.replace(
        findings.recommendation(), reasons=("Pilots stand behind it.",)
    )
    return report_content(
        recommendation,
        findings.trained_models(),
        findings.evaluation(),
        title="tickets",
        experiment="exp",
    )


def table(content: ReportContent, title: str) -> dict[str, tuple[str, ...]]:
    """Rows by their first cell."""
    [found] = [one for one in content.tables if one.title == title]
    assert all(len(row) == len(found.columns) for row in found.rows)
    return {row[0]: row for row in found.rows}


def test_the_tables_stand_in_the_order_of_the_report(content: ReportContent) -> None:
    assert [one.title for one in content.tables] == [
        "Recommendation",
        "Evidence",
        "Learning curves",
        "How the arms stand",
        "What would change the answer",
        "Map of budget and data",
        "Scores",
        "Significance",
        "Confidence",
        "Parts of the rows",
        "Cost of use",
        "Quality against latency and size",
        "What the base model forgot",
        "Costs",
    ]


def test_what_was_not_measured_has_no_table() -> None:
    plain = report_content(
        hand_made.recommendation(),
        hand_made.trained_models(),
        hand_made.evaluation(),
        title="t",
        experiment="e",
    )
    assert [one.title for one in plain.tables] == ["Recommendation", "Evidence", "Scores", "Costs"]


def test_nothing_of_the_users_is_in_a_report(content: ReportContent, tmp_path: Path) -> None:
    keep_report(content, tmp_path / "wandb_report.json", entity=None, project="p")
    kept = (tmp_path / "wandb_report.json").read_text(encoding="utf-8")
    evaluation = findings.evaluation()
    model = evaluation.model(evaluation.choice)
    private = [
        *hand_made.LABELS,
        *(one.text[:30] for one in model.label_doubts),
        *(one.row_id for one in model.label_doubts),
        *(one.value for one in model.slices),
        "'plan'",
    ]
    for text in (text for text in private if len(text) > 5):
        assert json.dumps(text)[1:-1] not in kept
    assert "characters" not in kept


def test_pilots_stand_beside_the_forecast(content: ReportContent) -> None:
    curves = table(content, "Learning curves")
    pilots = [one for one in findings.pilots().runs if one.kind == "full" and one.score is not None]
    assert curves["full"][1:4] == tuple(f"{one.score:.3f}" for one in pilots)
    assert curves["full"][4].startswith(f"{findings.foresight().forecasts[1].mean:.3f} (")
    assert "," in curves["head"][1]  # two seeds


def test_the_map_is_a_table_of_winners(content: ReportContent) -> None:
    found = findings.decision_map()
    rows = table(content, "Map of budget and data")
    assert len(rows) == 7
    last = list(rows.values())[-1]
    assert last[1] == (found.winners[0][0] or "none fits")


def test_parts_of_the_rows_are_counted_without_their_names(content: ReportContent) -> None:
    assert table(content, "Parts of the rows")["partial"][1:] == (
        "4",
        "1",
        "0.790 (0.740 to 0.830)",
    )


def test_costs_of_use_have_a_row_for_each_batch(content: ReportContent) -> None:
    [found] = [one for one in content.tables if one.title == "Cost of use"]
    assert [row[:3] for row in found.rows[:2]] == [
        ("partial", "1", "9.4"),
        ("partial", "32", "132"),
    ]
    beaten = table(content, "Quality against latency and size")
    assert [beaten[kind][-1] for kind in ("partial", "baseline", "full")] == [
        "nothing",
        "nothing",
        "partial",
    ]


def test_tables_of_numbers_have_every_pilot_cell_and_point() -> None:
    found, foresight = findings.decision_map(), findings.foresight()
    for columns, rows in (
        pilots_table(findings.pilots()),
        learning_curves_table(foresight),
        decision_map_table(found),
        pareto_table(findings.evaluation()),
    ):
        assert {len(row) for row in rows} == {len(columns)}
    assert len(pilots_table(findings.pilots())[1]) == len(findings.pilots().runs)
    cells = decision_map_table(found)[1]
    assert len(cells) == len(found.n_train) * len(found.hours)
    assert cells[0] == [found.n_train[0], found.hours[0], found.winners[0][0], True]
    assert cells[-1][3] is False
    points = learning_curves_table(foresight)[1]
    assert len(points) == sum(len(one.n_train) for one in foresight.curves)


def test_a_report_with_all_tables_is_updated_in_place(
    wandb_server: WandbServer, content: ReportContent, tmp_path: Path
) -> None:
    file = tmp_path / "wandb_report.json"
    keep_report(content, file, entity=None, project="p")
    url = publish_report(file)
    keep_report(dataclasses.replace(content, verdict="Another."), file, entity=None, project="p")
    assert publish_report(file) == url
    [view] = wandb_server.answers.views.values()
    assert view["description"] == "Another."
    blocks = read_report(file).spec["blocks"]
    assert sum(block["type"] == "markdown-block" for block in blocks) == len(content.tables)
