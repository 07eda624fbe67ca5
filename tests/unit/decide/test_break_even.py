"""Where arms change places, and the map of sizes and budgets."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from zenml_ftvr.decide.break_even import (
    Outlook,
    break_evens,
    decision_map,
    map_axis,
    prospects_at,
)
from zenml_ftvr.decide.curve import fit_curve
from zenml_ftvr.decide.expected import Rule, choose, choose_by_shortfall
from zenml_ftvr.decide.seed_spread import SeedSpread
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import KINDS, ArmPilots, Kind, PilotScore

Floats = npt.NDArray[np.float64]


def outlook(
    kind: Kind, score: Callable[[Floats], Floats], hours_per_row: float, fixed_hours: float = 0.0
) -> Outlook:
    return Outlook(
        kind=kind,
        scores_at=lambda sizes: score(sizes)[None, :],
        hours_at=lambda sizes: fixed_hours + hours_per_row * sizes,
    )


HEAD = outlook("head", lambda n: 0.85 - 1.0 * n**-0.5, 1e-6)
FULL = outlook("full", lambda n: 0.95 - 4.0 * n**-0.5, 1e-4)
"""0.1 = 3 n^-0.5 where they cross: n = 900."""


def test_the_crossing_is_found_between_the_points_that_are_looked_at() -> None:
    (found,) = break_evens([HEAD, FULL], 2_000, (100, 100_000), tolerance=0.005)
    assert (found.first, found.second) == ("head", "full")
    assert found.n_train == pytest.approx((900,), rel=1e-3)
    assert found.ahead_when_small == "head"
    assert found.hours == pytest.approx(0.2)


def test_below_the_crossing_no_budget_buys_the_worse_arm() -> None:
    (found,) = break_evens([FULL, HEAD], 400, (100, 100_000), tolerance=0.005)
    assert found.hours is None
    assert found.ahead_when_small == "head"


def test_a_lead_within_the_tolerance_is_not_worth_a_budget() -> None:
    (found,) = break_evens([HEAD, FULL], 950, (100, 100_000), tolerance=0.005)
    assert found.hours is None


def test_arms_that_never_cross_have_no_break_even_size() -> None:
    better = outlook("lora", lambda n: 0.9 - 1.0 * n**-0.5, 1e-6)
    (found,) = break_evens([HEAD, better], 400, (100, 100_000), tolerance=0.005)
    assert found.n_train == ()
    assert found.ahead_when_small == "lora"


def test_arms_that_cross_twice_have_both_sizes() -> None:
    bump = outlook("lora", lambda n: 0.8 + 0.1 * np.exp(-(np.log(n / 1_000) ** 2)), 1e-6)
    level = outlook("head", lambda n: np.full_like(n, 0.85), 1e-6)
    (found,) = break_evens([level, bump], 400, (10, 100_000), tolerance=0.005)
    width = np.exp(np.sqrt(np.log(2)))
    assert found.n_train == pytest.approx((1_000 / width, 1_000 * width), rel=1e-2)


def test_equal_arms_are_never_told_apart() -> None:
    twin = outlook("lora", lambda n: 0.85 - 1.0 * n**-0.5, 1e-6)
    (found,) = break_evens([HEAD, twin], 400, (100, 100_000), tolerance=0.005)
    assert (found.n_train, found.ahead_when_small, found.hours) == ((), None, None)


def test_every_pair_is_compared_once() -> None:
    arms = [outlook(kind, lambda n: 0.8 - n**-0.5, 1e-6) for kind in KINDS]
    pairs = {frozenset((one.first, one.second)) for one in break_evens(arms, 9, (2, 50), 0.0)}
    assert len(pairs) == 21


def test_the_map_at_a_point_is_the_choice_at_that_point() -> None:
    arms = [with_draws("full", 0.95, 4.0, 1e-4), with_draws("head", 0.85, 1.0, 1e-6)]
    sizes, budgets = map_axis(100, 100_000, 12), map_axis(1e-4, 20, 10)
    chart = decision_map(arms, sizes, budgets, tolerance=0.005)
    for column, n in enumerate(chart.n_train):
        prospects = prospects_at(arms, np.array([float(n)]))[0]
        for row, limit in enumerate(budgets):
            fitting = [one for one in prospects if one.hours <= limit]
            expected = choose(fitting, 0.005).kind if fitting else None
            assert chart.winners[row][column] == expected
    assert {kind for row in chart.winners for kind in row} == {None, "head", "full"}


def with_draws(kind: Kind, top: float, rise: float, hours_per_row: float) -> Outlook:
    noise = np.random.default_rng(KINDS.index(kind)).normal(0, 0.003, (500, 1))
    return Outlook(
        kind=kind,
        scores_at=lambda sizes: top - rise * sizes[None, :] ** -0.5 + noise,
        hours_at=lambda sizes: hours_per_row * sizes,
        supported_to=4_000.0 if kind == "full" else 9_000.0,
    )


def test_down_a_column_the_expected_score_never_falls() -> None:
    arms = [
        outlook(kind, lambda n, k=index: 0.8 + 0.02 * k - (1 + k) * n**-0.5, 1e-6 * 7**index)
        for index, kind in enumerate(KINDS)
    ]
    sizes = np.array(map_axis(100, 100_000, 20)).round()
    chart = decision_map(arms, tuple(sizes), map_axis(1e-4, 1e4, 40), tolerance=0.01)
    scores = {one.kind: one.scores_at(sizes)[0] for one in arms}
    for column in range(len(sizes)):
        down = [row[column] for row in chart.winners if row[column] is not None]
        gained = [scores[kind][column] for kind in down]
        assert gained == sorted(gained)


def test_the_map_says_how_far_every_forecast_is_supported() -> None:
    arms = [with_draws("full", 0.95, 4.0, 1e-4), with_draws("head", 0.85, 1.0, 1e-6)]
    assert decision_map(arms, (100,), (1.0,), 0.005).supported_to == 4_000
    assert decision_map([HEAD], (100,), (1.0,), 0.005).supported_to is None


def test_one_draw_is_compared_with_many() -> None:
    mixed = [HEAD, with_draws("full", 0.95, 4.0, 1e-4)]
    assert decision_map(mixed, (100, 50_000), (10.0,), 0.005).winners == (("head", "full"),)


def test_seven_fitted_curves_on_a_grid_of_1200_cells_take_under_a_second() -> None:
    """Of processor time, so that a busy machine does not fail it: 0.07 s where it was written."""
    arms = []
    for index, kind in enumerate(KINDS):
        scores = tuple(
            PilotScore(n_train=n, seed=0, score=0.8 + 0.01 * index - 2 * n**-0.5)
            for n in (100, 200, 400, 800)
        )
        curve = fit_curve(ArmPilots(kind=kind, scores=scores), SeedSpread(on_one_row=0.2), 0)
        arms.append(
            Outlook(
                kind=kind,
                scores_at=curve.scores_at,
                hours_at=lambda sizes, k=index: 1e-6 * 5.0**k * sizes,
                supported_to=curve.supported_to,
            )
        )
    started = time.process_time()
    chart = decision_map(arms, map_axis(100, 8_000, 40), map_axis(1e-4, 1e3, 30), 0.005)
    found = break_evens(arms, 3_200, (100, 8_000), 0.005)
    assert time.process_time() - started < 1
    assert len(chart.winners) == 30
    assert len(chart.winners[0]) == 40
    assert len(found) == 21


@pytest.mark.parametrize(("least", "most", "n"), [(0, 1, 3), (5, 5, 3), (1, 9, 1)])
def test_an_axis_that_cannot_be_made_is_refused(least: float, most: float, n: int) -> None:
    with pytest.raises(ConfigurationError, match="cannot be made"):
        map_axis(least, most, n)


def test_the_map_and_the_pairs_follow_the_rule_that_they_are_given() -> None:
    full, head = with_draws("full", 0.851, 1.0, 1e-4), with_draws("head", 0.85, 1.0, 1e-6)
    rules: tuple[tuple[Rule, Kind], ...] = ((choose, "full"), (choose_by_shortfall, "head"))
    for rule, kind in rules:
        assert decision_map([full, head], (1_000,), (9.0,), 0.0015, rule).winners == ((kind,),)
        (found,) = break_evens([full, head], 1_000, (100, 9_000), 0.0015, rule)
        assert (found.hours is not None) == (kind == "full")
