"""Whole pages: the report, and one for each artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zenml_ftvr.report import sections
from zenml_ftvr.report.page import facts, paragraphs, section, shell, table
from zenml_ftvr.report.pilots import pilot_table
from zenml_ftvr.report.wording import approach_name, escape, number, what_trains
from zenml_ftvr.values import (
    Calibration,
    DataProfile,
    Evaluation,
    PilotEvidence,
    Recommendation,
    TrainedModel,
)

__all__ = [
    "calibration_page",
    "dataset_page",
    "evaluation_page",
    "pilots_page",
    "profile_page",
    "recommendation_page",
    "render_report",
    "trained_model_page",
]

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
            sections.answer(recommendation, evaluation),
            section("The approaches, ranked", sections.ranking(recommendation)),
            section("Why this one", sections.reasons(recommendation)),
            section("On unseen rows", sections.results(evaluation)),
            section("Cost, predicted and actual", sections.cost(evaluation.ledger)),
            section("Training curves", sections.curves(models)),
            section("The data", sections.data(recommendation.profile)),
            section("Use the model", sections.usage(models)),
            section(
                "What was not checked", paragraphs(sections.limits(recommendation, evaluation))
            ),
            section(
                "Where this comes from",
                sections.provenance(models, recommendation.calibration, versions),
            ),
            f"<footer>zenml-ftvr, {escape(created)}</footer>",
        )
    )
    return shell(title, body)


def profile_page(profile: DataProfile) -> str:
    """A data profile."""
    return shell("Data profile", f"<h1>Data profile</h1>{sections.data(profile)}")


def calibration_page(calibration: Calibration) -> str:
    """A calibration."""
    return shell("Calibration", f"<h1>Calibration</h1>{sections.calibration(calibration)}")


def pilots_page(pilots: PilotEvidence) -> str:
    """Pilots, before anything is recommended."""
    return shell("Pilots", f"<h1>Pilots</h1>{pilot_table(pilots)}")


def recommendation_page(recommendation: Recommendation) -> str:
    """A recommendation, before anything is trained."""
    body = (
        f'<h1>Recommendation</h1><p class="verdict">{escape(recommendation.verdict)}</p>'
        + sections.ranking(recommendation)
        + section("Why this one", sections.reasons(recommendation))
    )
    return shell("Recommendation", body)


def evaluation_page(evaluation: Evaluation) -> str:
    """An evaluation."""
    body = (
        "<h1>On unseen rows</h1>"
        + sections.results(evaluation)
        + section("Cost, predicted and actual", sections.cost(evaluation.ledger))
    )
    return shell("Evaluation", body)


def trained_model_page(model: TrainedModel) -> str:
    """A trained model: scores on the validation rows, curves, plan."""
    last = {point.metric: point.value for point in model.curve if point.metric.startswith("eval/")}
    tiles = [
        (number(value), f"{name.removeprefix('eval/')} on validation rows at the end", "")
        for name, value in last.items()
    ]
    body = (
        f"<h1>{escape(approach_name(model.kind))}: {escape(what_trains(model.kind))}</h1>"
        + (facts(tiles) if tiles else "")
        + sections.curves([model])
        + section("Plan and record", sections.plan_table(model) + paragraphs(model.plan.reasons))
    )
    return shell(approach_name(model.kind), body)


def dataset_page(
    title: str, facts_of: Mapping[str, str], sample: Sequence[tuple[str, str, str]]
) -> str:
    """A data set: facts, and rows as (split, label, text)."""
    rows = [
        [split, label, text if len(text) <= TEXT_SHOWN else text[:TEXT_SHOWN] + "…"]
        for split, label, text in sample
    ]
    body = (
        f"<h1>{escape(title)}</h1>"
        + table(["", ""], [[name, value] for name, value in facts_of.items()])
        + section("A few rows", table(["Split", "Label", "Text"], rows))
    )
    return shell(title, body)
