"""The report, section by section: what the page and the Markdown have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zenml_ftvr.report import sections
from zenml_ftvr.report.blocks import Blocks, Bullets
from zenml_ftvr.values import Evaluation, Recommendation, TrainedModel

__all__ = ["report_sections"]


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
        ("On unseen rows", sections.results(evaluation)),
        ("Cost, predicted and actual", sections.cost(evaluation.ledger)),
        ("Training curves", sections.curves(models)),
        ("The data", sections.data(recommendation.profile)),
        ("Use the model", sections.usage(models)),
        ("What was not checked", (Bullets(sections.limits(recommendation, evaluation)),)),
        (
            "Where this comes from",
            sections.provenance(models, recommendation.calibration, versions),
        ),
    )
