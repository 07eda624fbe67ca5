"""Forecasts beside outcomes."""

from __future__ import annotations

import dataclasses

import pytest
from hand_made import evaluation, recommendation

from zenml_ftvr.decide.record import record_of, track_record
from zenml_ftvr.values import LedgerEntry
from zenml_ftvr.values.record import ForecastRecord, Outcome


def _record(*found: tuple[float, float, float, float]) -> ForecastRecord:
    """Outcomes of given low, high and score; and hours over predicted hours."""
    record = record_of(recommendation(), evaluation())
    model = record.outcomes[0]
    assert model.forecast is not None
    outcomes = tuple(
        dataclasses.replace(
            model,
            basis="piloted",
            forecast=dataclasses.replace(
                model.forecast, low=low, high=high, value=(low + high) / 2, level=0.8
            ),
            score=dataclasses.replace(model.score, value=score),
            predicted_hours=1.0,
            hours=ratio,
        )
        for low, high, score, ratio in found
    )
    return dataclasses.replace(record, outcomes=outcomes)


def test_every_trained_arm_that_was_ranked_has_its_forecast_beside_its_score() -> None:
    advice, judged = recommendation(), evaluation()
    record = record_of(advice, judged)
    assert [one.kind for one in record.outcomes] == [one.kind for one in judged.models]
    assert [one.kind for one in record.outcomes if one.chosen] == [advice.choice]
    for outcome in record.outcomes:
        assert outcome.forecast == advice.arm(outcome.kind).forecast.score
        assert outcome.score == judged.model(outcome.kind).score(advice.metric)
        assert (outcome.is_inside is None) == (outcome.forecast is None)


def test_hours_are_those_of_training_that_the_ledger_has() -> None:
    judged = evaluation()
    ledger = judged.ledger.with_entries(
        LedgerEntry(what="training", kind="scratch", seconds=7.0),
        LedgerEntry(what="evaluation", kind="head", seconds=99.0),
    )
    record = record_of(recommendation(), dataclasses.replace(judged, ledger=ledger))
    by_kind: dict[str, Outcome] = {one.kind: one for one in record.outcomes}
    trained = [e for e in ledger.entries if e.what == "training" and e.kind == "head"]
    hours = by_kind["head"].hours
    assert hours == pytest.approx(sum(e.seconds for e in trained) / 3600)


def test_the_track_record_counts_what_lay_inside() -> None:
    records = [
        _record((0.8, 0.9, 0.85, 1.0), (0.8, 0.9, 0.91, 1.5)),
        _record((0.7, 0.8, 0.7, 0.5)),
    ]
    track = track_record(records)
    assert (track.n_forecasts, track.n_inside, track.level) == (3, 2, 0.8)
    assert track.median_miss == pytest.approx(0.05)
    assert track.median_hours_ratio == 1.0


def test_no_forecasts_make_no_record() -> None:
    track = track_record([])
    assert track.n_forecasts == track.n_inside == 0
    assert track.level is None
    assert track.median_miss is None
    assert track.median_hours_ratio is None


def test_scores_that_were_cross_validated_are_no_forecasts_from_pilots() -> None:
    assert track_record([record_of(recommendation(), evaluation())]).n_forecasts == 0
