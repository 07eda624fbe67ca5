"""The report, section by section: what the page and the Markdown have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zenml_ftvr.report import sections
from zenml_ftvr.report.blocks import Blocks, Bullets
from zenml_ftvr.values import Comparison, Evaluation, Recommendation, TrainedModel

__all__ = ["comparison_sections", "evaluation_sections", "report_sections"]


def report_sections(
    recommendation: Recommendation,
    models: Sequence[TrainedModel],
    evaluation: Evaluation,
    versions: Mapping[str, str],
) -> tuple[tuple[str, Blocks], ...]:
    """Headings with what is below them, in the order in which people ask."""
    return (
        ("The approaches, ranked", sections.ranking(recommendation)),
        ("Why this one", sections.reasons(recommendation)),
        ("Whether the base model fits", sections.adequacy(recommendation)),
        ("How scores grow with data", sections.growth(recommendation)),
        ("What would change the answer", sections.decision_map(recommendation)),
        ("On unseen rows", sections.results(evaluation)),
        ("Forecast and outcome", sections.outcomes(recommendation, evaluation)),
        ("Whether its confidence is right", sections.reliability(evaluation)),
        ("Parts of the rows", sections.slices(evaluation)),
        ("Likely label errors", sections.label_doubts(evaluation)),
        ("What it writes", sections.generation(evaluation)),
        ("Cost of use", sections.serving(evaluation)),
        ("What the base model forgot", sections.forgetting(evaluation)),
        ("Cost, predicted and actual", sections.cost(evaluation.ledger)),
        ("Training curves", sections.curves(models)),
        ("The data", sections.data(recommendation.profile, sections.task_of(recommendation))),
        ("Use the model", sections.usage(models)),
        ("What was not checked", (Bullets(sections.limits(recommendation, evaluation)),)),
        (
            "Where this comes from",
            sections.provenance(models, recommendation.calibration, versions),
        ),
    )


def evaluation_sections(evaluation: Evaluation) -> tuple[tuple[str, Blocks], ...]:
    """What an evaluation alone tells."""
    return (
        ("", sections.results(evaluation)),
        ("Whether its confidence is right", sections.reliability(evaluation)),
        ("Parts of the rows", sections.slices(evaluation)),
        ("Likely label errors", sections.label_doubts(evaluation)),
        ("What it writes", sections.generation(evaluation)),
        ("Cost of use", sections.serving(evaluation)),
        ("What the base model forgot", sections.forgetting(evaluation)),
        ("Cost, predicted and actual", sections.cost(evaluation.ledger)),
    )


def comparison_sections(comparison: Comparison) -> tuple[tuple[str, Blocks], ...]:
    """What a comparison of approaches tells."""
    return (
        ("", sections.comparison(comparison)),
        ("Cost of use", sections.comparison_serving(comparison)),
        ("Cost, predicted and actual", sections.cost(comparison.ledger)),
    )
