"""What was foretold of a score, beside what came of it."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Paragraph, Table
from zenml_ftvr.report.sections.ranking import BASES
from zenml_ftvr.values import Evaluation, RankedArm, Recommendation, Score

__all__ = ["outcomes"]


def outcomes(recommendation: Recommendation, evaluation: Evaluation) -> Blocks:
    """Every trained arm's forecast and its score on the test rows; nothing where none was made."""
    arms = {arm.kind: arm for arm in recommendation.arms}
    found = [
        (arms[model.kind], forecast, model.score(recommendation.metric))
        for model in evaluation.models
        if model.kind in arms
        and (forecast := arms[model.kind].forecast.score) is not None
        and any(score.metric == recommendation.metric for score in model.scores)
    ]
    if not found:
        return ()
    return (
        Paragraph(
            "A forecast's limits hold so many of such trainings, on rows like those it was made "
            "from; the test rows have an interval of their own, so that a score a little outside "
            "says less than one far outside.",
            "small",
        ),
        Table(
            header=("Approach", "Known from", "Before training", "On the test rows", ""),
            rows=tuple(_row(*one) for one in found),
            numeric=frozenset({2, 3}),
            chosen=0,
        ),
    )


def _row(arm: RankedArm, forecast: Score, reached: Score) -> tuple[str, ...]:
    if forecast.low <= reached.value <= forecast.high:
        judged = "within the limits"
    else:
        judged = "below the limits" if reached.value < forecast.low else "above the limits"
    return (
        w.approach_name(arm.kind),
        f"{BASES[arm.forecast.basis]}, {forecast.level:.0%} limits",
        w.score_text(forecast),
        w.score_text(reached),
        judged,
    )
