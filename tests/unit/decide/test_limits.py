"""What limits rule out, what pretraining and checkpoints cost, and what must always hold."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zenml_ftvr.decide import PlanBasis, hours_left, plan_basis
from zenml_ftvr.decide import cost as pricing
from zenml_ftvr.decide.cost import price_arm
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.train import loop
from zenml_ftvr.values import (
    ALL_APPROACHES,
    ArmCalibration,
    Budget,
    Calibration,
    CausalLM,
    DataProfile,
    Full,
    Ledger,
    Limits,
    Lora,
    ModelSource,
    Request,
    Scratch,
    Seq2Seq,
    TextClassification,
)

Make = Callable[..., Calibration]


@pytest.fixture
def basis(make_profile: Callable[..., DataProfile]) -> PlanBasis:
    return plan_basis(make_profile(), TextClassification(), ModelSource(), "f" * 64, 0)


def measured(calibration: Calibration, kind: str, **changes: object) -> Calibration:
    def mended(arm: ArmCalibration) -> ArmCalibration:
        return dataclasses.replace(arm, **changes) if arm.kind == kind else arm  # type: ignore[arg-type]

    return dataclasses.replace(calibration, arms=tuple(map(mended, calibration.arms)))


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(memory_gib=1.9), r"Needs about 2\.1 GiB of memory; limits\.memory_gib allows 1\.9"),
        (Limits(parameters=21_000_000), r"has 22,000,000 parameters; .* allows 21,000,000"),
        (Limits(latency_ms=11.0), r"takes about 12 ms .*; limits\.latency_ms allows 11 ms"),
    ],
)
def test_a_limit_makes_an_arm_infeasible_with_its_numbers(
    limits: Limits, said: str, basis: PlanBasis, make_calibration: Make
) -> None:
    calibration = measured(make_calibration(), "full", latency_seconds=0.012)
    arm = price_arm(Full(), dataclasses.replace(basis, limits=limits), calibration, 1e9, 0.0)
    assert arm.plan is None
    (problem,) = arm.problems
    assert re.search(said, problem)


def test_limits_that_are_kept_rule_nothing_out(basis: PlanBasis, make_calibration: Make) -> None:
    limits = Limits(memory_gib=2.2, parameters=22_000_000, latency_ms=12.5)
    calibration = measured(make_calibration(), "full", latency_seconds=0.012)
    within = dataclasses.replace(basis, limits=limits)
    assert price_arm(Full(), within, calibration, 1e9, 0.0).problems == ()


def test_a_latency_that_nobody_measured_is_no_latency_within_the_limit(
    basis: PlanBasis, make_calibration: Make
) -> None:
    limited = dataclasses.replace(basis, limits=Limits(latency_ms=1_000.0))
    (problem,) = price_arm(Full(), limited, make_calibration(), 1e9, 0.0).problems
    assert "was not measured" in problem


@pytest.mark.parametrize("name", ["memory_gib", "parameters", "latency_ms"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"limits\.{name} is 0; it must be above 0"):
        Limits(**{name: 0})


@pytest.mark.parametrize("task", [CausalLM(), Seq2Seq()])
def test_latency_of_written_text_is_not_promised(task: CausalLM | Seq2Seq) -> None:
    with pytest.raises(ConfigurationError, match=r"latency_ms is 5, but an answer of task"):
        Request(budget=Budget(hours=1), task=task, limits=Limits(latency_ms=5.0))


def test_checkpoints_are_kept_as_often_as_the_loop_keeps_them() -> None:
    assert pricing.SAVE_EVERY_SECONDS == loop.SAVE_EVERY_SECONDS
    assert pricing.SAVE_SHARE == loop.SAVE_SHARE


def test_long_trainings_pay_for_the_checkpoints_of_the_clock(
    basis: PlanBasis, make_calibration: Make
) -> None:
    def hours(seconds_per_step: float, save: float) -> float:
        calibration = measured(
            make_calibration(), "full", seconds_per_step=seconds_per_step, save_seconds=save
        )
        cost = price_arm(Full(), basis, calibration, 1e9, 0.0).cost
        return 0.0 if cost is None else cost.hours * 3600

    # 1,000 steps of 1 s: a look every 167 s. Of 10 s: every 1,667 s, and five more between two.
    saved = 3 * 1.0  # weights and two moments
    assert hours(1, 1.0) - hours(1, 0.0) == pytest.approx(6 * saved + 1)
    assert hours(10, 1.0) - hours(10, 0.0) == pytest.approx(6 * 6 * saved + 1)


@pytest.mark.parametrize("approach", [Full(), Lora(), Scratch()], ids=lambda one: one.kind)
def test_pretraining_is_paid_for(
    approach: Full | Lora | Scratch,
    make_profile: Callable[..., DataProfile],
    make_calibration: Make,
) -> None:
    from zenml_ftvr.approaches import Architecture

    minilm = Architecture(
        layers=6,
        hidden=384,
        heads=12,
        intermediate=1536,
        vocabulary_size=30_522,
        n_params=22_713_216,
    )
    plain = plan_basis(make_profile(), TextClassification(), ModelSource(), "f" * 64, 0, minilm)

    def hours(n_words: int, epochs: float) -> float:
        first = dataclasses.replace(approach, pretrain_on="more.txt", pretrain_epochs=epochs)
        known = dataclasses.replace(plain, unlabelled_words=(("more.txt", n_words),))
        cost = price_arm(first, known, make_calibration(), 1e9, 0.0).cost
        return 0.0 if cost is None else cost.hours

    cost = price_arm(approach, plain, make_calibration(), 1e9, 0.0).cost
    assert cost is not None
    once, twice = hours(1_000_000, 1.0) - cost.hours, hours(1_000_000, 2.0) - cost.hours
    assert once > 0
    assert twice == pytest.approx(2 * once, rel=0.01)
    assert hours(2_000_000, 1.0) - cost.hours == pytest.approx(2 * once, rel=0.01)


def feasible(basis: PlanBasis, calibration: Calibration, budget: Budget) -> set[str]:
    left = hours_left(budget, calibration.hardware, Ledger()) * 3600
    arms = [price_arm(one, basis, calibration, left, 0.0) for one in ALL_APPROACHES]
    return {arm.approach.kind for arm in arms if not arm.problems}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(hours=st.floats(0.001, 2.0), more=st.floats(0.0, 2.0), usd=st.booleans())
def test_a_larger_budget_never_shrinks_the_feasible_set(
    basis: PlanBasis, make_calibration: Make, hours: float, more: float, usd: bool
) -> None:
    calibration = make_calibration(usd_per_hour=1.5)
    small, large = (Budget(usd=one) if usd else Budget(hours=one) for one in (hours, hours + more))
    assert feasible(basis, calibration, small) <= feasible(basis, calibration, large)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    price=st.floats(0.01, 50.0),
    more=st.floats(0.0, 50.0),
    left=st.floats(10.0, 1e5),
    approach=st.sampled_from(ALL_APPROACHES),
)
def test_predicted_dollars_never_fall_when_the_price_rises(
    basis: PlanBasis, make_calibration: Make, price: float, more: float, left: float, approach: Full
) -> None:
    low, high = (
        price_arm(approach, basis, make_calibration(usd_per_hour=one), left, 0.0).cost
        for one in (price, price + more)
    )
    assert low is not None
    assert high is not None
    assert (low.usd or 0.0) <= (high.usd or 0.0)
    assert low.hours == high.hours
