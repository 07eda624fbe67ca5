"""What pilots of real arms take, and how their plans follow."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest

from zenml_ftvr.decide import (
    PilotRequest,
    PilotRowCounts,
    PlanBasis,
    PricedArm,
    judging_seconds,
    least_pilot_rows,
    make_plan,
    pilot_arms,
    plan_basis,
    plan_of_pilot,
    price_arm,
)
from zenml_ftvr.values import (
    ALL_APPROACHES,
    Approach,
    Calibration,
    ClassCount,
    DataProfile,
    Full,
    Head,
    Kind,
    ModelSource,
    Scratch,
    TextClassification,
)

ROWS = PilotRowCounts(n_train=20_000, n_pool=20_000, n_tune=1_500, n_select=1_500)
AMPLE = 10 * 3_600.0


@pytest.fixture
def basis(make_profile: Callable[..., DataProfile]) -> PlanBasis:
    profile = make_profile(n_train=ROWS.n_train)
    return plan_basis(profile, TextClassification(), ModelSource(), "b" * 64, seed=0)


@pytest.fixture
def priced(
    basis: PlanBasis, make_calibration: Callable[..., Calibration]
) -> Callable[..., list[PricedArm]]:
    def make(*approaches: Approach, left: float = AMPLE) -> list[PricedArm]:
        return [price_arm(one, basis, make_calibration(), left, 0.0) for one in approaches]

    return make


def _classes(*counts: int) -> list[ClassCount]:
    return [ClassCount(label=str(n), train=n, validation=n, test=n) for n in counts]


def test_the_smallest_pilot_has_three_rows_of_nearly_every_class() -> None:
    assert least_pilot_rows([], 1_000) == 32
    assert least_pilot_rows(_classes(500, 500), 1_000) == 32
    assert least_pilot_rows(_classes(900, 100), 1_000) == 32
    assert least_pilot_rows(_classes(900, 60, 40), 1_000) == 50
    assert least_pilot_rows(_classes(960, 40), 1_000) == 32  # too rare to wait for
    assert least_pilot_rows(_classes(*[10] * 100), 1_000) == 300


def test_every_feasible_arm_is_priced_at_every_size(
    basis: PlanBasis,
    priced: Callable[..., list[PricedArm]],
    make_calibration: Callable[..., Calibration],
) -> None:
    arms, skipped = pilot_arms(
        ALL_APPROACHES, priced(*ALL_APPROACHES), basis, make_calibration(), ROWS, 32
    )
    assert skipped == ()
    assert [arm.kind for arm in arms] == [one.kind for one in ALL_APPROACHES]
    for arm in arms:
        assert list(arm.seconds_at) == [312, 625, 1_250, 2_500, 5_000, 10_000, 20_000]
        seconds = list(arm.seconds_at.values())
        assert arm.kind == "head" or seconds == sorted(seconds)
        assert all(0 < one < math.inf for one in seconds)
        assert arm.training_seconds > 0
        assert (arm.once_seconds > 0) == (arm.kind == "head")
        assert len(arm.learning_rates) == (0 if arm.kind in ("baseline", "head") else 3)
    full = next(arm for arm in arms if arm.kind == "full")
    assert full.learning_rates[0] == 1e-4
    # Four epochs of 625 batches at a second, and looks, which are rarer rows: about the whole cost.
    assert full.seconds_at[20_000] == pytest.approx(full.training_seconds, rel=0.1)


def test_a_learning_rate_of_the_users_is_the_only_one(
    basis: PlanBasis,
    priced: Callable[..., list[PricedArm]],
    make_calibration: Callable[..., Calibration],
) -> None:
    given = Full(learning_rate=7e-5)
    ((arm,), _) = pilot_arms([given], priced(given), basis, make_calibration(), ROWS, 32)
    assert arm.learning_rates == (7e-5,)


def test_what_cannot_be_had_is_left_out_with_the_reason(
    basis: PlanBasis,
    priced: Callable[..., list[PricedArm]],
    make_calibration: Callable[..., Calibration],
) -> None:
    offered = [Full(), Scratch(pretrain_on="more.txt")]
    priced_arms = [*priced(offered[0], left=60.0), *priced(offered[1])]
    arms, skipped = pilot_arms(offered, priced_arms, basis, make_calibration(), ROWS, 32)
    assert arms == ()
    assert [kind for kind, _ in skipped] == ["full", "scratch"]
    assert skipped[0][1].startswith("not feasible. Needs about ")
    assert skipped[1][1] == "every pilot would pretrain on the unlabelled texts anew."


def _request(kind: Kind, n: int) -> PilotRequest:
    return PilotRequest(kind=kind, n_train=n, draw=0, seed=5, learning_rate=2e-4, seconds=1.0)


def test_the_plan_of_a_pilot_is_what_the_arm_would_do_with_so_many_rows(
    basis: PlanBasis, priced: Callable[..., list[PricedArm]]
) -> None:
    (whole,) = priced(Full())
    plan = plan_of_pilot(Full(), whole, basis, ROWS, _request("full", 625))
    alone = make_plan(Full(learning_rate=2e-4), basis.resized(625))
    assert plan.approach == alone.approach
    assert (plan.max_steps, plan.seed) == (alone.max_steps, 5)


def test_a_budget_that_shortens_the_training_shortens_its_pilots(
    basis: PlanBasis, priced: Callable[..., list[PricedArm]]
) -> None:
    (whole,) = priced(Full())
    assert whole.cost is not None
    (short,) = priced(Full(), left=0.7 * whole.cost.hours * 3_600)
    assert whole.plan is not None
    assert short.plan is not None
    share = short.plan.max_steps / whole.plan.max_steps
    assert 0.4 < share < 0.8
    request = _request("full", 625)
    ample = plan_of_pilot(Full(), whole, basis, ROWS, request)
    shortened = plan_of_pilot(Full(), short, basis, ROWS, request)
    assert shortened.max_steps == math.ceil(share * ample.max_steps)
    assert shortened.warmup_steps < ample.warmup_steps


def test_rows_that_stop_a_pilot_are_as_many_as_its_size_asks_for() -> None:
    assert ROWS.tune_of(64) == 100
    assert ROWS.tune_of(2_000) == 400
    assert ROWS.tune_of(20_000) == 1_500
    few = dataclasses.replace(ROWS, n_tune=30)
    assert few.tune_of(64) == 30


def test_judging_takes_loading_and_the_rows(
    basis: PlanBasis, make_calibration: Callable[..., Calibration]
) -> None:
    calibration = make_calibration()
    arm = calibration.arm("full")
    assert arm is not None
    seconds = judging_seconds("full", basis, calibration, ROWS)
    assert seconds == pytest.approx(1.0 + 0.2 + 1_500 * arm.seconds_per_eval_row)


def test_draws_of_the_head_share_what_is_computed_of_a_row(
    basis: PlanBasis,
    priced: Callable[..., list[PricedArm]],
    make_calibration: Callable[..., Calibration],
) -> None:
    """All features of the pool once, a start for each size, and the fits."""
    ((arm,), _) = pilot_arms([Head()], priced(Head()), basis, make_calibration(), ROWS, 32)
    sizes = list(arm.seconds_at)
    runs = [*[5] * (len(sizes) - 1), 1]
    whole = sum(n * arm.seconds_at[size] for n, size in zip(runs, sizes, strict=True))
    fits = sum(n * size * 1e-3 for n, size in zip(runs, sizes, strict=True))
    # A batch of 32 rows takes half a second, a start one.
    assert whole - fits == pytest.approx(20_000 * 0.5 / 32 + len(sizes))
    assert arm.once_seconds == pytest.approx(1 + 1_500 * 0.5 / 32)
