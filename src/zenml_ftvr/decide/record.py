"""Keep the forecast beside the outcome, and sum up how forecasts have fared."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from zenml_ftvr.values import Evaluation, Kind, Ledger, ModelEvaluation, Recommendation
from zenml_ftvr.values.record import ForecastRecord, Outcome, TrackRecord

__all__ = ["record_of", "track_record"]


def record_of(recommendation: Recommendation, evaluation: Evaluation) -> ForecastRecord:
    """Every trained arm of one recommendation, with what was foretold of it."""
    offered = {arm.kind for arm in recommendation.arms}
    return ForecastRecord(
        data_fingerprint=recommendation.profile.fingerprint,
        model=recommendation.calibration.model.name,
        device_name=recommendation.calibration.hardware.device_name,
        metric=recommendation.metric,
        n_train=recommendation.profile.n_train,
        n_test=evaluation.n_test,
        verdict=recommendation.verdict,
        outcomes=tuple(
            _outcome(model, recommendation, evaluation)
            for model in evaluation.models
            if model.kind in offered
        ),
    )


def _outcome(
    model: ModelEvaluation, recommendation: Recommendation, evaluation: Evaluation
) -> Outcome:
    arm = recommendation.arm(model.kind)
    foresight = recommendation.foresight
    forecast = None if foresight is None else foresight.forecast(model.kind)
    predicted, actual = _training_hours(evaluation.ledger, model.kind)
    return Outcome(
        kind=model.kind,
        chosen=model.kind == recommendation.choice,
        basis=arm.forecast.basis,
        forecast=arm.forecast.score,
        support=None if forecast is None else forecast.support,
        score=model.score(
            recommendation.metric if arm.forecast.score is None else arm.forecast.score.metric
        ),
        predicted_hours=predicted,
        hours=actual,
    )


def _training_hours(ledger: Ledger, kind: Kind) -> tuple[float | None, float | None]:
    """Predicted and actual, of the trainings of one arm."""
    entries = [one for one in ledger.entries if one.what == "training" and one.kind == kind]
    if not entries:
        return None, None
    predicted = [one.predicted_seconds for one in entries if one.predicted_seconds is not None]
    actual = sum(one.seconds for one in entries) / 3600
    return (sum(predicted) / 3600 if predicted else None), actual


def track_record(records: Sequence[ForecastRecord]) -> TrackRecord:
    """Over the outcomes of forecasts from pilots; hours over all outcomes that had a prediction."""
    outcomes = [one for record in records for one in record.outcomes]
    piloted = [one for one in outcomes if one.basis == "piloted" and one.forecast is not None]
    levels = {one.forecast.level for one in piloted if one.forecast is not None}
    misses = [
        abs(one.score.value - one.forecast.value) for one in piloted if one.forecast is not None
    ]
    ratios = [
        one.hours / one.predicted_hours
        for one in outcomes
        if one.hours is not None and one.predicted_hours
    ]
    return TrackRecord(
        n_forecasts=len(piloted),
        n_inside=sum(one.is_inside is True for one in piloted),
        level=levels.pop() if len(levels) == 1 else None,
        median_miss=median(misses) if misses else None,
        median_hours_ratio=median(ratios) if ratios else None,
    )
