"""The rule of the choice, and what must hold for it whatever the draws."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.decide import plan_basis
from zenml_ftvr.decide.cost import price_arm
from zenml_ftvr.decide.expected import (
    Prospect,
    Rule,
    affordable,
    choose,
    choose_by_shortfall,
    standings,
)
from zenml_ftvr.errors import BudgetError, ConfigurationError
from zenml_ftvr.values import (
    KINDS,
    Baseline,
    Calibration,
    DataProfile,
    Full,
    Kind,
    ModelSource,
    TextClassification,
)

N_DRAWS = 64
TOLERANCE = 0.005
ROUNDING = 1e-12


def arm(kind: Kind, mean: float, hours: float, sd: float = 0.0) -> Prospect:
    """Draws of exactly this mean."""
    noise = np.random.default_rng(KINDS.index(kind)).normal(0, 1, N_DRAWS // 2)
    spread = sd * np.concatenate([noise, -noise])
    np.random.default_rng(100 + KINDS.index(kind)).shuffle(spread)
    return Prospect(kind=kind, scores=mean + spread, hours=hours)


@st.composite
def arms(draw: st.DrawFn, least: int = 1) -> list[Prospect]:
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=least, max_size=7, unique=True))
    return [
        arm(
            kind,
            mean=draw(st.sampled_from([0.8, 0.801, 0.803, 0.804, 0.81, 0.85])),
            hours=draw(st.sampled_from([0.1, 0.5, 1.0, 2.0, 8.0])),
            sd=draw(st.sampled_from([0.0, 0.001, 0.004, 0.02, 0.1])),
        )
        for kind in kinds
    ]


rules = pytest.mark.parametrize("rule", [choose, choose_by_shortfall])
tolerances = st.sampled_from([0.0, 0.001, 0.005, 0.02, 0.2])


def test_the_cheapest_within_the_tolerance_is_chosen() -> None:
    choice = choose(
        [arm("full", 0.9, 5.0), arm("head", 0.896, 0.1), arm("baseline", 0.8, 0.01)], 0.005
    )
    assert (choice.kind, choice.rule) == ("head", "cheapest within the tolerance")
    assert choice.chosen.expected_regret == pytest.approx(0.004)
    assert [one.kind for one in choice.standings] == ["full", "head", "baseline"]


def test_what_is_worth_more_than_the_tolerance_is_paid_for() -> None:
    choice = choose([arm("full", 0.9, 5.0), arm("head", 0.89, 0.1)], 0.005)
    assert (choice.kind, choice.rule) == ("full", "cheapest within the tolerance")


def test_where_none_is_within_the_tolerance_the_highest_mean_is_chosen() -> None:
    choice = choose([arm("full", 0.9, 5.0, sd=0.1), arm("head", 0.88, 0.1, sd=0.1)], 0.005)
    assert (choice.kind, choice.rule) == ("full", "highest mean")


def test_by_shortfall_what_is_not_known_of_the_best_does_not_buy_the_dearer_arm() -> None:
    alike = [arm("full", 0.901, 5.0, sd=0.02), arm("head", 0.9, 0.1, sd=0.02)]
    assert choose(alike, 0.005).kind == "full"
    choice = choose_by_shortfall(alike, 0.005)
    assert (choice.kind, choice.rule) == ("head", "cheapest within the tolerance")
    assert choose_by_shortfall(alike, 0.0005).kind == "full"


def test_where_nothing_is_uncertain_the_rules_agree() -> None:
    known = [arm("full", 0.9, 5.0), arm("lora", 0.897, 2.0), arm("head", 0.88, 0.1)]
    for tolerance in (0.0, 0.002, 0.004, 0.03):
        assert choose(known, tolerance) == choose_by_shortfall(known, tolerance)


def test_ties_go_to_the_cheaper_and_then_to_the_simpler_arm() -> None:
    up, down = np.array([0.5, 0.75]), np.array([0.75, 0.5])
    same = [
        Prospect(kind="full", scores=up, hours=1.0),
        Prospect(kind="lora", scores=down, hours=0.5),
    ]
    assert choose(same, 0.0).kind == "lora"
    alike = [dataclasses.replace(one, hours=1.0) for one in same]
    for tolerance in (0.0, 1.0):
        assert choose(alike, tolerance).kind == choose(alike[::-1], tolerance).kind == "full"


def test_probabilities_and_regrets_by_hand() -> None:
    first = Prospect(kind="full", scores=np.array([0.9, 0.5, 0.7, 0.8]), hours=1)
    second = Prospect(kind="head", scores=np.array([0.8, 0.6, 0.7, 0.6]), hours=1)
    by_kind = {one.kind: one for one in standings([first, second])}
    assert by_kind["full"].probability_best == pytest.approx(2.5 / 4)
    assert by_kind["head"].probability_best == pytest.approx(1.5 / 4)
    assert by_kind["full"].expected_regret == pytest.approx(0.1 / 4)
    assert by_kind["head"].expected_regret == pytest.approx(0.3 / 4)


@given(offered=arms())
def test_probabilities_add_up_and_regret_is_what_the_mean_lacks(offered: list[Prospect]) -> None:
    listed = standings(offered)
    assert sum(one.probability_best for one in listed) == pytest.approx(1)
    best = np.stack([one.scores for one in offered]).max(axis=0).mean()
    for one in listed:
        assert one.expected_regret == pytest.approx(best - one.mean, abs=1e-9)
        assert one.expected_regret >= 0


@rules
@given(offered=arms(), tolerance=tolerances, data=st.data())
def test_equal_input_gives_the_equal_answer_in_any_order(
    rule: Rule, offered: list[Prospect], tolerance: float, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(offered))
    assert rule(offered, tolerance).kind == rule(shuffled, tolerance).kind
    assert rule(offered, tolerance) == rule(offered, tolerance)


@rules
@given(
    offered=arms(),
    tolerance=tolerances,
    budget=st.floats(0.1, 10),
    more=st.floats(0, 10),
)
def test_a_larger_budget_neither_shrinks_the_feasible_set_nor_lowers_the_expected_score(
    rule: Rule, offered: list[Prospect], tolerance: float, budget: float, more: float
) -> None:
    small, large = affordable(offered, budget), affordable(offered, budget + more)
    assert {one.kind for one in small} <= {one.kind for one in large}
    if small:
        before, after = rule(small, tolerance).chosen, rule(large, tolerance).chosen
        assert after.mean >= before.mean - ROUNDING


@rules
@given(offered=arms(least=2), tolerance=tolerances, data=st.data())
def test_lifting_any_other_limit_lowers_the_expected_score_by_the_tolerance_at_most(
    rule: Rule, offered: list[Prospect], tolerance: float, data: st.DataObject
) -> None:
    n = data.draw(st.integers(1, len(offered)))
    before, after = rule(offered[:n], tolerance).chosen, rule(offered, tolerance).chosen
    assert after.mean >= before.mean - tolerance - ROUNDING


@rules
@given(offered=arms(), tolerance=tolerances)
def test_no_arm_is_chosen_over_a_better_one_that_costs_no_more(
    rule: Rule, offered: list[Prospect], tolerance: float
) -> None:
    chosen = rule(offered, tolerance).chosen
    for one in standings(offered):
        assert not (one.mean > chosen.mean + ROUNDING and one.hours <= chosen.hours)


@given(offered=arms(), index=st.integers(0, 6), wider=st.floats(0, 0.3))
def test_knowing_less_of_an_arm_lowers_no_arms_regret_and_raises_no_mean(
    offered: list[Prospect], index: int, wider: float
) -> None:
    index %= len(offered)
    twice = [
        dataclasses.replace(one, scores=np.concatenate([one.scores, one.scores])) for one in offered
    ]
    apart = np.concatenate([np.full(N_DRAWS, wider), np.full(N_DRAWS, -wider)])
    vague = list(twice)
    vague[index] = dataclasses.replace(twice[index], scores=twice[index].scores + apart)
    sharp = {one.kind: one for one in standings(twice)}
    for one in standings(vague):
        assert one.expected_regret >= sharp[one.kind].expected_regret - ROUNDING
        assert one.mean == pytest.approx(sharp[one.kind].mean)


@rules
@given(
    offered=arms(),
    tolerance=tolerances,
    price=st.floats(0.01, 100),
    rise=st.floats(1, 10),
)
def test_a_higher_price_changes_no_choice_and_lowers_no_cost(
    rule: Rule, offered: list[Prospect], tolerance: float, price: float, rise: float
) -> None:
    """The budget is in hours here: one in dollars buys fewer at a higher price."""
    low, high = (
        rule([dataclasses.replace(one, usd_per_hour=at) for one in offered], tolerance).chosen
        for at in (price, price * rise)
    )
    assert low.kind == high.kind
    assert low.usd is not None
    assert high.usd is not None
    assert high.usd >= low.usd


@pytest.mark.parametrize("approach", [Baseline(), Full()], ids=lambda one: one.kind)
def test_the_cost_predicted_for_a_plan_never_falls_with_the_price(
    approach: Baseline | Full,
    make_profile: Callable[..., DataProfile],
    make_calibration: Callable[..., Calibration],
) -> None:
    basis = plan_basis(make_profile(), TextClassification(), ModelSource(), "f" * 64, 0)
    costs = [
        price_arm(approach, basis, make_calibration(usd_per_hour=price), 36_000, 10.0).cost
        for price in np.geomspace(0.01, 100, 30)
    ]
    dollars = [cost.usd for cost in costs if cost is not None and cost.usd is not None]
    assert len(dollars) == 30
    assert dollars == sorted(dollars)


def test_draws_of_different_number_are_refused() -> None:
    short = Prospect(kind="head", scores=np.zeros(3), hours=1)
    with pytest.raises(ConfigurationError, match=r"'full': 64, 'head': 3"):
        standings([arm("full", 0.9, 1.0), short])
    with pytest.raises(ConfigurationError, match="for 2 arms"):
        standings([arm("full", 0.9, 1.0), arm("full", 0.9, 1.0)])


def test_with_nothing_feasible_there_is_nothing_to_choose() -> None:
    with pytest.raises(BudgetError, match="no arm is feasible"):
        choose([], TOLERANCE)


def test_an_unpriced_arm_has_no_dollars() -> None:
    assert arm("full", 0.9, 2.0).usd is None
    assert math.isclose(
        dataclasses.replace(arm("full", 0.9, 2.0), usd_per_hour=3.0).usd or 0.0, 6.0
    )
