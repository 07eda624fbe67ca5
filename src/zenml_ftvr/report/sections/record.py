"""What was forecast, beside what came of it."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Paragraph, Table
from zenml_ftvr.report.sections.ranking import BASES
from zenml_ftvr.values import ForecastRecord, Outcome

__all__ = ["record"]


def record(found: ForecastRecord) -> Blocks:
    """Every arm that was trained."""
    return (
        Paragraph(found.verdict),
        Paragraph(
            f"{w.count(found.n_train)} training rows, {w.count(found.n_test)} test rows, "
            f"{found.model} on {found.device_name}. A forecast is of one training; the score is "
            f"that of the test rows.",
            "small",
        ),
        Table(
            header=(
                "Approach",
                "Forecast",
                "Known from",
                "Score",
                "Within the limits",
                "Predicted time",
                "Actual time",
            ),
            rows=tuple(_row(one) for one in found.outcomes),
            numeric=frozenset({1, 3, 5, 6}),
            chosen=next((at for at, one in enumerate(found.outcomes) if one.chosen), None),
        ),
    )


def _row(one: Outcome) -> tuple[str, ...]:
    inside = {None: w.NOTHING, True: "yes", False: "no"}[one.is_inside]
    return (
        w.approach_name(one.kind),
        w.NOTHING if one.forecast is None else w.score_text(one.forecast),
        BASES[one.basis],
        w.score_text(one.score),
        inside,
        w.NOTHING if one.predicted_hours is None else w.duration(one.predicted_hours * 3600),
        w.NOTHING if one.hours is None else w.duration(one.hours * 3600),
    )
