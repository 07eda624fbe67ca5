"""The recommendation where pilots were run: the choice, what it rests on, what would change it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zenml_ftvr.decide import plan_basis, recommend
from zenml_ftvr.decide.standing import choose_from_pilots, piloted_arms
from zenml_ftvr.errors import BudgetError, ConfigurationError, DataError
from zenml_ftvr.values import (
    ALL_APPROACHES,
    ArmPilots,
    Budget,
    Calibration,
    DataProfile,
    Kind,
    PilotEvidence,
    PilotRun,
    PilotScore,
    Recommendation,
    Request,
    ScreeningEvidence,
)

SIZES = (125, 250, 500, 1_000)


def runs(kind: Kind, error: float, *, fall: float = 0.3, seeds: int = 1) -> list[PilotRun]:
    """Errors that fall by a power law to `error` at 1,000 rows."""
    return [
        PilotRun(
            kind=kind,
            n_train=size,
            seed=seed,
            status="scored",
            score=1 - error * (size / 1_000) ** -fall + 0.001 * (seed - (seeds - 1) / 2),
            seconds=1.0,
        )
        for size in SIZES
        for seed in range(seeds)
    ]


def evidence_of(
    *found: list[PilotRun], skipped: tuple[tuple[Kind, str], ...] = ()
) -> PilotEvidence:
    listed = tuple(one for arm in found for one in arm)
    return PilotEvidence(
        metric="accuracy",
        runs=listed,
        n_select=400,
        seconds=sum(one.seconds for one in listed),
        seconds_allowed=1_000.0,
        skipped=skipped,
    )


CHEAP = (runs("baseline", 0.25, fall=0.1, seeds=5), runs("head", 0.15, fall=0.2, seeds=5))


@pytest.fixture
def decide(
    make_profile: Callable[..., DataProfile],
    make_calibration: Callable[..., Calibration],
    make_evidence: Callable[..., ScreeningEvidence],
) -> Callable[..., Recommendation]:
    def run(
        pilots: PilotEvidence | None,
        mean: float = 0.10,
        *,
        n_train: int = 4_000,
        hours: float = 10,
        **request: object,
    ) -> Recommendation:
        price = request.get("usd_per_hour")
        asked = Request(budget=Budget(hours=hours), approaches=ALL_APPROACHES, **request)  # type: ignore[arg-type]
        profile = make_profile(n_train=n_train)
        basis = plan_basis(profile, asked.task, asked.base_model, "f" * 64, asked.seed)
        calibration = make_calibration(usd_per_hour=price)
        return recommend(profile, calibration, make_evidence(mean), asked, basis, pilots)

    return run


Decide = Callable[..., Recommendation]


def test_the_arm_that_its_pilots_put_ahead_is_chosen_with_a_forecast(decide: Decide) -> None:
    recommendation = decide(evidence_of(*CHEAP, runs("full", 0.08), runs("lora", 0.13)))
    assert recommendation.choice == "full"
    assert recommendation.foresight is not None
    forecast = recommendation.arm("full").forecast
    assert forecast.basis == "piloted"
    assert forecast.score is not None
    assert forecast.score.low < 1 - 0.08 * 4**-0.3 < forecast.score.high
    assert forecast.score.level == 0.8
    assert "Fine-tune all of" in recommendation.verdict
    assert f"{forecast.score.value:.3f}" in recommendation.verdict
    ranked = [arm.kind for arm in recommendation.arms]
    assert ranked[:4] == ["full", "lora", "head", "baseline"]
    assert "below 'full'" in " ".join(recommendation.arm("head").forecast.evidence)


def test_a_dearer_arm_within_the_tolerance_is_left_and_the_sentence_says_so(
    decide: Decide,
) -> None:
    pilots = evidence_of(*CHEAP, runs("full", 0.1), runs("lora", 0.101))
    recommendation = decide(pilots, tolerance=0.02)
    assert recommendation.choice == "lora"
    assert "within the tolerance of 0.02" in recommendation.verdict
    assert "'full' is forecast" in recommendation.verdict


def test_pilots_overrule_the_published_order(decide: Decide) -> None:
    assert decide(None).choice == "full"
    level = [runs(kind, 0.25, fall=0.1) for kind in ("full", "lora")]
    recommendation = decide(evidence_of(*CHEAP, *level))
    assert recommendation.choice == "head"


def test_pilots_of_none_of_the_arms_that_evidence_trusts_leave_it_its_say(decide: Decide) -> None:
    skipped: tuple[tuple[Kind, str], ...] = (("full", "two pilots need 90 s; 20 s are left."),)
    recommendation = decide(evidence_of(*CHEAP, skipped=skipped))
    assert recommendation.choice == "full"
    assert "No pilot of 'full' was trained" in " ".join(recommendation.reasons)
    assert "20 s are left" in " ".join(recommendation.arm("full").forecast.evidence)
    assert recommendation.arm("head").forecast.basis == "piloted"


def test_a_pilot_that_collapsed_is_told_and_does_not_count(decide: Decide) -> None:
    lost = PilotRun(
        kind="full",
        n_train=125,
        seed=7,
        status="collapsed",
        score=None,
        seconds=3.0,
        detail="one class was predicted for every row.",
    )
    with_it = decide(evidence_of(*CHEAP, runs("full", 0.08), [lost]))
    without = decide(evidence_of(*CHEAP, runs("full", 0.08)))
    assert with_it.arm("full").forecast.score == without.arm("full").forecast.score
    assert "collapsed" in " ".join(with_it.arm("full").forecast.evidence)
    assert with_it.ledger.hours > without.ledger.hours


def test_the_best_learning_rate_at_the_smallest_size_is_the_one_that_counts() -> None:
    def at(size: int, rate: float, score: float) -> PilotRun:
        return PilotRun(
            kind="full",
            n_train=size,
            seed=0,
            status="scored",
            score=score,
            seconds=1.0,
            learning_rate=rate,
        )

    pilots = evidence_of([at(100, 1e-5, 0.6), at(100, 3e-5, 0.7), at(200, 3e-5, 0.75)])
    arm = pilots.pilots_of("full")
    assert arm is not None
    assert [one.score for one in arm.scores] == [0.7, 0.75]


def test_a_run_has_a_score_exactly_where_it_is_scored() -> None:
    with pytest.raises(DataError, match="scored pilots have a score"):
        PilotRun(kind="full", n_train=9, seed=0, status="scored", score=None, seconds=1.0)
    with pytest.raises(DataError, match="is failed with score"):
        PilotRun(kind="full", n_train=9, seed=0, status="failed", score=0.5, seconds=1.0)


def test_map_curves_and_label_values_come_with_it(decide: Decide) -> None:
    foresight = decide(evidence_of(*CHEAP, runs("full", 0.08))).foresight
    assert foresight is not None
    assert foresight.map is not None
    columns = np.array(foresight.map.n_train)
    assert columns[0] < 4_000 < columns[-1]
    drawn = {winner for row in foresight.map.winners for winner in row}
    assert "full" in drawn and len(drawn) > 2  # noqa: PT018
    assert {curve.kind for curve in foresight.curves} == {"baseline", "head", "full"}
    for curve in foresight.curves:
        assert all(
            low <= mean <= high
            for low, mean, high in zip(curve.low, curve.mean, curve.high, strict=True)
        )
    value = foresight.label_value("full")
    assert value is not None
    assert value.mean > 0


def test_a_score_that_is_asked_for_is_reached_or_told_by_how_many_labels_it_is_missed(
    decide: Decide,
) -> None:
    pilots = evidence_of(*CHEAP, runs("full", 0.12, fall=0.5))
    reached = decide(pilots, minimum_score=0.9)
    assert reached.foresight is not None
    assert reached.foresight.minimum is not None
    assert reached.foresight.minimum.reached_by == ("full",)
    short = decide(pilots, minimum_score=0.92)
    assert short.foresight is not None
    assert short.foresight.minimum is not None
    assert short.foresight.minimum.reached_by == ()
    nearest = short.foresight.minimum.nearest
    assert nearest is not None
    assert nearest.n_more is not None
    assert nearest.n_more > 0
    assert f"with {nearest.n_more:,} more labels 'full' would" in short.verdict
    never = decide(pilots, minimum_score=1.0)
    assert "no data size that the pilots speak for" in never.verdict


@pytest.mark.parametrize("score", [0.0, 1.5, -1.0])
def test_a_minimum_score_outside_its_range_is_refused(score: float) -> None:
    with pytest.raises(ConfigurationError, match="minimum_score"):
        Request(budget=Budget(hours=1), minimum_score=score)


def test_an_arm_that_is_not_feasible_is_forecast_but_not_chosen(decide: Decide) -> None:
    pilots = evidence_of(*CHEAP, runs("full", 0.05), runs("partial", 0.10))
    recommendation = decide(pilots, hours=0.1)
    assert not recommendation.arm("full").feasible
    assert recommendation.arm("full").forecast.basis == "piloted"
    assert recommendation.choice == "partial"


def test_rows_that_judge_pilots_widen_what_is_forecast() -> None:
    pilots = [ArmPilots(kind="head", scores=(PilotScore(n_train=500, seed=0, score=0.8),))]
    few, many = (piloted_arms(pilots, n, 0)[0].scores_at([500])[:, 0] for n in (50, 5_000))
    assert few.std() > 2 * many.std()
    assert few.mean() == pytest.approx(many.mean(), abs=0.005)


def test_no_pilots_make_no_arms_and_no_hours_no_choice() -> None:
    assert piloted_arms([], 100, 0) == ()
    arms = piloted_arms(
        [ArmPilots(kind="head", scores=(PilotScore(n_train=500, seed=0, score=0.8),))], 100, 0
    )
    with pytest.raises(BudgetError, match="no arm is feasible"):
        choose_from_pilots(arms, {}, 500, 0.005)


fixtures = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
errors = st.floats(0.05, 0.3)


@fixtures
@given(full=errors, lora=errors, partial=errors, hours=st.floats(0.05, 3), more=st.floats(0, 5))
def test_a_larger_budget_neither_shrinks_the_feasible_set_nor_lowers_the_choices_score(
    decide: Decide, full: float, lora: float, partial: float, hours: float, more: float
) -> None:
    pilots = evidence_of(*CHEAP, runs("full", full), runs("lora", lora), runs("partial", partial))
    before, after = decide(pilots, hours=hours), decide(pilots, hours=hours + more)
    assert {arm.kind for arm in before.arms if arm.feasible} <= {
        arm.kind for arm in after.arms if arm.feasible
    }
    first, second = before.foresight, after.foresight
    assert first is not None
    assert second is not None
    # A cheaper arm is feasible wherever a dearer one is, so that a budget only adds dearer ones.
    costs = [arm.cost.hours for arm in after.arms if arm.feasible and arm.cost is not None]
    assert all(cost > 0 for cost in costs)
    assert second.choice.chosen.mean >= first.choice.chosen.mean - 1e-12


@fixtures
@given(full=errors, lora=errors, price=st.floats(0.1, 10), rise=st.floats(0, 10))
def test_a_higher_price_lowers_no_cost_and_changes_no_choice_in_hours(
    decide: Decide, full: float, lora: float, price: float, rise: float
) -> None:
    pilots = evidence_of(*CHEAP, runs("full", full), runs("lora", lora))
    cheap, dear = decide(pilots, usd_per_hour=price), decide(pilots, usd_per_hour=price + rise)
    assert cheap.choice == dear.choice
    for arm in cheap.arms:
        other = dear.arm(arm.kind)
        if arm.cost is not None and other.cost is not None:
            assert (other.cost.usd or 0) >= (arm.cost.usd or 0)


@fixtures
@given(full=errors, lora=errors)
def test_the_same_evidence_gives_the_same_recommendation(
    decide: Decide, full: float, lora: float
) -> None:
    pilots = evidence_of(*CHEAP, runs("full", full), runs("lora", lora))
    assert decide(pilots) == decide(pilots)


def test_what_is_trained_has_the_learning_rate_that_its_forecast_was_made_at(
    decide: Decide,
) -> None:
    def at(rate: float, found: list[PilotRun]) -> list[PilotRun]:
        return [dataclasses.replace(one, learning_rate=rate) for one in found]

    slower = [dataclasses.replace(one, score=0.5) for one in at(1e-5, runs("full", 0.08)[:1])]
    pilots = evidence_of(*CHEAP, at(7e-5, runs("full", 0.08)), slower)
    plan = decide(pilots).arm("full").plan
    assert plan is not None
    assert plan.learning_rate == 7e-5
    unpiloted = decide(pilots).arm("lora").plan
    assert unpiloted is not None
    default = decide(None).arm("lora").plan
    assert default is not None
    assert unpiloted.learning_rate == default.learning_rate
