"""Whole pages: the report, and one for each artifact."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from zenml_ftvr.report import sections
from zenml_ftvr.report.blocks import Bullets, Fact, Facts, Table
from zenml_ftvr.report.card import FOLDER
from zenml_ftvr.report.page import html_of, section, shell
from zenml_ftvr.report.whole import comparison_sections, evaluation_sections, report_sections
from zenml_ftvr.report.wording import approach_name, escape, number, what_trains
from zenml_ftvr.values import (
    Calibration,
    Comparison,
    DataProfile,
    Evaluation,
    ForecastRecord,
    PilotEvidence,
    Recommendation,
    TrainedModel,
)
from zenml_ftvr.values.words import METRIC_WORDS

__all__ = [
    "calibration_page",
    "comparison_page",
    "dataset_page",
    "evaluation_page",
    "pilots_page",
    "profile_page",
    "recommendation_page",
    "record_page",
    "render_report",
    "trained_model_page",
]

NAMES: dict[str, str] = {str(metric): words for metric, words in METRIC_WORDS.items()}
TEXT_SHOWN = 300  # characters of a sample row: enough to see what it is


def render_report(
    recommendation: Recommendation,
    models: Sequence[TrainedModel],
    evaluation: Evaluation,
    *,
    title: str,
    versions: Mapping[str, str],
    created: str,
) -> str:
    """The page that people read: self-contained, without scripts. The chosen model comes first."""
    body = "".join(
        (
            f"<h1>{escape(title)}</h1>",
            html_of(sections.answer(recommendation, evaluation)),
            *(
                section(heading, blocks)
                for heading, blocks in report_sections(recommendation, models, evaluation, versions)
            ),
            f"<footer>zenml-ftvr, {escape(created)}</footer>",
        )
    )
    return shell(title, body)


def profile_page(profile: DataProfile) -> str:
    """A data profile."""
    return shell("Data profile", f"<h1>Data profile</h1>{html_of(sections.data(profile))}")


def calibration_page(calibration: Calibration) -> str:
    """A calibration."""
    body = html_of(sections.calibration(calibration))
    return shell("Calibration", f"<h1>Calibration</h1>{body}")


def pilots_page(pilots: PilotEvidence) -> str:
    """Small trainings, before anything is decided by them."""
    body = f"<h1>Pilots</h1>{html_of(sections.pilot_runs(pilots))}"
    return shell("Pilots", body)


def recommendation_page(recommendation: Recommendation) -> str:
    """A recommendation, before anything is trained."""
    body = (
        f'<h1>Recommendation</h1><p class="verdict">{escape(recommendation.verdict)}</p>'
        + html_of(sections.ranking(recommendation))
        + section("Why this one", sections.reasons(recommendation))
        + section("Whether the base model fits", sections.adequacy(recommendation))
        + section("How scores grow with data", sections.growth(recommendation))
        + section("What would change the answer", sections.decision_map(recommendation))
    )
    return shell("Recommendation", body)


def record_page(record: ForecastRecord) -> str:
    """Forecasts, and what came of them."""
    body = f"<h1>Forecast and outcome</h1>{html_of(sections.record(record))}"
    return shell("Forecast and outcome", body)


def evaluation_page(evaluation: Evaluation) -> str:
    """An evaluation."""
    body = "<h1>On unseen rows</h1>" + "".join(
        section(heading, blocks) if heading else html_of(blocks)
        for heading, blocks in evaluation_sections(evaluation)
    )
    return shell("Evaluation", body)


def comparison_page(comparison: Comparison) -> str:
    """Every approach at the same budget and seeds."""
    body = "<h1>Comparison</h1>" + "".join(
        section(heading, blocks) if heading else html_of(blocks)
        for heading, blocks in comparison_sections(comparison)
    )
    return shell("Comparison", body)


def trained_model_page(model: TrainedModel) -> str:
    """A trained model: scores on the validation rows, curves, plan."""
    last = {point.metric: point.value for point in model.curve if point.metric.startswith("eval/")}
    tiles = [
        Fact(number(value), f"{NAMES.get(name, name)} on validation rows at the end")
        for name, value in ((one.removeprefix("eval/"), value) for one, value in last.items())
    ]
    body = (
        f"<h1>{escape(approach_name(model.kind))}: "
        f"{escape(what_trains(model.kind, model.plan.task))}</h1>"
        + html_of(
            (Facts(tuple(tiles)), *sections.curves([model])) if tiles else sections.curves([model])
        )
        + section("Use the model", sections.usage([dataclasses.replace(model, path=FOLDER)]))
        + section("Plan and record", (*sections.plan_table(model), Bullets(model.plan.reasons)))
    )
    return shell(approach_name(model.kind), body)


def dataset_page(
    title: str, facts_of: Mapping[str, str], sample: Sequence[tuple[str, str, str]]
) -> str:
    """A data set: facts, and rows as (split, label, text)."""
    rows = tuple(
        (split, label, text if len(text) <= TEXT_SHOWN else text[:TEXT_SHOWN] + "…")
        for split, label, text in sample
    )
    body = (
        f"<h1>{escape(title)}</h1>"
        + html_of((Table(header=("", ""), rows=tuple(facts_of.items())),))
        + section("A few rows", (Table(header=("Split", "Label", "Text"), rows=rows),))
    )
    return shell(title, body)
