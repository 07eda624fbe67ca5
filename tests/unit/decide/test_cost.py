"""What an arm costs and what a budget buys: the arithmetic, by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zenml_ftvr.decide import PlanBasis, hours_left, plan_basis
from zenml_ftvr.decide.cost import PricedArm, price_arm
from zenml_ftvr.errors import BudgetError
from zenml_ftvr.values import (
    Approach,
    ArmCalibration,
    Baseline,
    Budget,
    Calibration,
    DataProfile,
    Full,
    Head,
    Ledger,
    LedgerEntry,
    Lora,
    ModelSource,
    TextClassification,
)

# Of `make_calibration`: `full` and `baseline` take 1 s a step, `head` 0.5 s a batch of 32; a row to
# evaluate takes a 48th of a step; setup 1 s, save 0.2 s. 4,000, 800 and 800 rows.
# Looks at validation, each with a checkpoint of weights and two moments, and the last save.
FULL_LOOKS = 6 * (800 / 48 + 3 * 0.2) + 0.2
FULL_EVALUATION = 1 + 800 / 48
FULL_SECONDS = 1 + 1_000 + FULL_LOOKS + FULL_EVALUATION


@pytest.fixture
def basis(make_profile: Callable[..., DataProfile]) -> PlanBasis:
    return plan_basis(make_profile(), TextClassification(), ModelSource(), "f" * 64, 0)


@pytest.fixture
def price(
    basis: PlanBasis, make_calibration: Callable[..., Calibration]
) -> Callable[..., PricedArm]:
    def run(
        approach: Approach,
        left: float = 1e9,
        *,
        baseline_seconds: float = 0.0,
        calibration: Calibration | None = None,
    ) -> PricedArm:
        return price_arm(approach, basis, calibration or make_calibration(), left, baseline_seconds)

    return run


def spent(seconds: float) -> Ledger:
    return Ledger(entries=(LedgerEntry(what="calibration", kind=None, seconds=seconds),))


@pytest.mark.parametrize(
    ("budget", "hours"),
    [
        (Budget(hours=2), 1.5),
        (Budget(usd=12), 2.5),
        (Budget(usd=12, hours=2), 1.5),
        (Budget(usd=4, hours=2), 0.5),
    ],
)
def test_the_tighter_of_hours_and_dollars_counts_less_what_was_spent(
    budget: Budget, hours: float, make_calibration: Callable[..., Calibration]
) -> None:
    hardware = make_calibration(usd_per_hour=4.0).hardware
    assert hours_left(budget, hardware, spent(1_800)) == pytest.approx(hours)


def test_dollars_on_a_machine_without_a_price_are_an_error(
    make_calibration: Callable[..., Calibration],
) -> None:
    with pytest.raises(BudgetError, match=r"\$12, but the machine has no price.*usd_per_hour"):
        hours_left(Budget(usd=12), make_calibration().hardware, Ledger())


def test_nothing_left_is_an_error(make_calibration: Callable[..., Calibration]) -> None:
    with pytest.raises(BudgetError, match=r"measuring alone took .*Raise it"):
        hours_left(Budget(hours=1), make_calibration().hardware, spent(3_600))


def test_a_stepped_arm_pays_for_setup_steps_looks_and_its_evaluation(
    price: Callable[..., PricedArm],
) -> None:
    arm = price(Full())
    assert arm.cost is not None
    assert arm.plan is not None
    assert arm.cost.hours * 3600 == pytest.approx(FULL_SECONDS)
    assert (arm.plan.predicted_hours or 0) * 3600 == pytest.approx(FULL_SECONDS - FULL_EVALUATION)
    assert arm.plan.max_steps == 1_000
    assert arm.problems == ()


def test_a_head_pays_for_the_features_of_training_and_validation(
    price: Callable[..., PricedArm],
) -> None:
    cost = price(Head()).cost
    assert cost is not None
    evaluation = 1 + 800 * 0.5 / 48
    assert cost.hours * 3600 == pytest.approx(1 + 4_800 / 32 * 0.5 + evaluation)


def test_a_price_turns_hours_into_dollars(
    price: Callable[..., PricedArm], make_calibration: Callable[..., Calibration]
) -> None:
    cost = price(Full(), calibration=make_calibration(usd_per_hour=7.2)).cost
    assert cost is not None
    assert cost.usd == pytest.approx(FULL_SECONDS * 0.002)


def test_too_little_time_buys_fewer_steps_within_nine_tenths_of_it(
    price: Callable[..., PricedArm],
) -> None:
    arm = price(Full(), 900.0)
    assert arm.plan is not None
    fixed = 1 + FULL_LOOKS + FULL_EVALUATION
    assert arm.plan.max_steps == int(0.9 * 900 - fixed)
    assert arm.plan.reasons[-1].startswith(f"{arm.plan.max_steps} of 1000 steps (2.7 of 4.0 epochs")


def test_fewer_than_the_least_epochs_is_infeasible(price: Callable[..., PricedArm]) -> None:
    arm = price(Full(), 500.0)  # two epochs are 500 steps of a second
    assert arm.plan is None
    assert "even at 2 epochs" in arm.problems[0]
    assert arm.cost is not None
    assert arm.cost.hours * 3600 == pytest.approx(FULL_SECONDS - 500)


def test_epochs_that_the_user_set_below_the_least_are_not_raised(
    price: Callable[..., PricedArm],
) -> None:
    arm = price(Full(epochs=0.5), 100.0)
    assert arm.plan is None
    assert arm.cost is not None
    assert arm.cost.hours * 3600 == pytest.approx(FULL_SECONDS - 875)


def test_the_reference_is_paid_for_beside_every_other_arm(
    price: Callable[..., PricedArm],
) -> None:
    assert price(Full(), FULL_SECONDS + 99).problems == ()
    shortened = price(Full(), FULL_SECONDS + 99, baseline_seconds=100).plan
    assert shortened is not None
    assert shortened.max_steps < 1_000
    alone = price(Baseline(), 30.0).cost
    assert alone is not None
    assert price(Baseline(), 30.0, baseline_seconds=alone.hours * 3600).problems == ()


def test_the_brake_leaves_time_to_save_and_to_evaluate(price: Callable[..., PricedArm]) -> None:
    plan = price(Full(), 5_000.0, baseline_seconds=100.0).plan
    assert plan is not None
    assert plan.wall_seconds == pytest.approx(4_900 - FULL_EVALUATION - 0.2)


def test_an_arm_that_was_not_calibrated_says_why(
    price: Callable[..., PricedArm], make_calibration: Callable[..., Calibration]
) -> None:
    whole = make_calibration()
    without = tuple(arm for arm in whole.arms if arm.kind != "lora")
    calibration = dataclasses.replace(whole, arms=without, skipped=(("lora", "it is too large."),))
    arm = price(Lora(), calibration=calibration)
    assert (arm.cost, arm.plan) == (None, None)
    assert arm.problems == ("Not tried: it is too large.",)


def test_main_memory_holds_the_process_too_and_an_accelerators_does_not(
    price: Callable[..., PricedArm], make_calibration: Callable[..., Calibration]
) -> None:
    on_host = make_calibration()
    cuda = dataclasses.replace(on_host.hardware, device="cuda", device_memory_gib=8.0)
    costs = [
        price(Full(), calibration=calibration).cost
        for calibration in (on_host, dataclasses.replace(on_host, hardware=cuda))
    ]
    written = 4 * 22_000_000 / 2**30  # a copy of the weights, beside what the allocator keeps
    assert [cost.peak_memory_gib for cost in costs if cost] == pytest.approx([2.0 + written, 1.5])


def test_memory_is_an_accelerators_own_where_there_is_one(
    price: Callable[..., PricedArm], make_calibration: Callable[..., Calibration]
) -> None:
    whole = make_calibration(memory_gib=16.0)
    cuda = dataclasses.replace(whole.hardware, device="cuda", device_memory_gib=1.4)
    arm = price(Full(), calibration=dataclasses.replace(whole, hardware=cuda))
    assert arm.plan is None
    assert "1.5 GiB of memory; the machine has 1.4 GiB" in arm.problems[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(left=st.floats(1, 3_000), more=st.floats(0, 3_000))
def test_more_time_never_buys_fewer_steps(
    price: Callable[..., PricedArm], left: float, more: float
) -> None:
    def steps(seconds: float) -> int:
        plan = price(Full(), seconds).plan
        return 0 if plan is None else plan.max_steps

    assert steps(left) <= steps(left + more) <= 1_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seconds=st.floats(0.001, 10), left=st.floats(1, 10_000))
def test_a_plan_that_is_made_fits_the_time_left(
    price: Callable[..., PricedArm],
    make_calibration: Callable[..., Calibration],
    seconds: float,
    left: float,
) -> None:
    whole = make_calibration()

    def slower(arm: ArmCalibration) -> ArmCalibration:
        return dataclasses.replace(arm, seconds_per_step=seconds)

    calibration = dataclasses.replace(whole, arms=tuple(map(slower, whole.arms)))
    arm = price(Full(), left, calibration=calibration)
    assert arm.cost is not None
    assert (arm.plan is not None) == (arm.cost.hours * 3600 <= left)
