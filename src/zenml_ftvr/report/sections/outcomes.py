"""What was foretold of a score, beside what came of it: of one report, and kept as a record."""

from __future__ import annotations

from collections.abc import Sequence

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Paragraph, Table
from zenml_ftvr.report.sections.ranking import BASES
from zenml_ftvr.values import Evaluation, ForecastRecord, Kind, Metric, Recommendation, Score

__all__ = ["outcomes", "record"]

HEADER = ("Approach", "Known from", "Before training", "On the test rows", "")
NUMERIC = frozenset({2, 3})
SHOWN_DIGITS = 3
"""Limits and scores are compared as the table shows them, or it would contradict itself."""


def outcomes(recommendation: Recommendation, evaluation: Evaluation) -> Blocks:
    """Every trained arm's forecast and its score on the test rows; nothing where none was made."""
    arms = {arm.kind: arm for arm in recommendation.arms}
    found = [
        (model.kind, arms[model.kind].forecast, reached)
        for model in evaluation.models
        if model.kind in arms and (foreseen := arms[model.kind].forecast.score) is not None
        for reached in model.scores
        if reached.metric == foreseen.metric  # of the RMSE, R2 is what is foretold
    ]
    if not found:
        return ()
    return (
        Paragraph(
            "A forecast's limits hold so many of such trainings, on rows like those it was made "
            "from; the test rows have an interval of their own, so that a score a little outside "
            "says less than one far outside." + _of_metrics([one.metric for *_, one in found]),
            "small",
        ),
        Table(
            header=HEADER,
            rows=tuple(
                _row(kind, forecast.basis, forecast.score, reached)
                for kind, forecast, reached in found
            ),
            numeric=NUMERIC,
            chosen=0,
        ),
    )


def _of_metrics(metrics: Sequence[Metric]) -> str:
    """What the scores are, and which way they are good."""
    distinct = list(dict.fromkeys(metrics))
    names = " and ".join(w.metric_words(one) for one in distinct)
    return f" Scores are {names}. {w.directions(distinct)}".rstrip()


def record(found: ForecastRecord) -> Blocks:
    """Every arm that was trained, with its times."""
    return (
        Paragraph(found.verdict),
        Paragraph(
            f"{w.count(found.n_train)} training rows, {w.count(found.n_test)} test rows, "
            f"{found.model} on {found.device_name}. A forecast is of one training; the score is "
            f"that of the test rows.",
            "small",
        ),
        Table(
            header=(*HEADER, "Predicted time", "Actual time"),
            rows=tuple(
                (
                    *_row(one.kind, one.basis, one.forecast, one.score),
                    _hours(one.predicted_hours),
                    _hours(one.hours),
                )
                for one in found.outcomes
            ),
            numeric=NUMERIC | {5, 6},
            chosen=next((at for at, one in enumerate(found.outcomes) if one.chosen), None),
        ),
    )


def _row(kind: Kind, basis: str, forecast: Score | None, reached: Score) -> tuple[str, ...]:
    name, known = w.approach_name(kind), BASES[basis]
    if forecast is None:
        return (name, known, w.NOTHING, w.score_text(reached), "")
    low, value, high = (
        round(one, SHOWN_DIGITS) for one in (forecast.low, reached.value, forecast.high)
    )
    if low <= value <= high:
        judged = "within the limits"
    else:
        is_below = value < low
        is_better = is_below == w.lower_is_better(reached.metric)
        judged = (
            f"{'below' if is_below else 'above'} the limits, "
            f"{'better' if is_better else 'worse'} than forecast"
        )
    limits = f"{known}, {forecast.level:.0%} limits"
    return (name, limits, w.score_text(forecast), w.score_text(reached), judged)


def _hours(hours: float | None) -> str:
    return w.NOTHING if hours is None else w.duration(hours * 3600)
