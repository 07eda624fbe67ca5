"""Which pilots are run: within the spend, smallest first, and no more than the decision needs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenml_ftvr.decide.pilot_parcels import (
    CHEAP,
    RERUN_SEED,
    SEEDS_OF_CHEAP,
    PilotArm,
    PilotProtocol,
    PilotRequest,
    pilot_sizes,
)
from zenml_ftvr.decide.pilot_plan import (
    carry_out,
    choice_shares,
    left_out,
    next_pilots,
    pilot_allowance,
    planned_pilots,
    why_stopped,
)
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.train.stepped import ANOTHER_SEED
from zenml_ftvr.values import KINDS, Kind, PilotRun

N_TRAIN = 4_096
SIZES = pilot_sizes(N_TRAIN)
RATES = (1e-4, 5e-5, 2e-4)
ROUNDING = 1e-9


def arm(kind: Kind, seconds_per_row: float, *, fixed: float = 1.0, once: float = 0.0) -> PilotArm:
    """Its pilots take time in proportion to their rows."""
    return PilotArm(
        kind=kind,
        training_seconds=fixed + seconds_per_row * N_TRAIN,
        seconds_at={size: fixed + seconds_per_row * size for size in (*SIZES, N_TRAIN)},
        once_seconds=once,
        learning_rates=() if kind in CHEAP else RATES,
    )


def protocol(
    arms: Sequence[PilotArm], allowed: float, *, tolerance: float = 0.005
) -> PilotProtocol:
    return PilotProtocol(
        arms=tuple(arms),
        sizes=SIZES,
        n_pool=N_TRAIN,
        n_train=N_TRAIN,
        seconds_allowed=allowed,
        tolerance=tolerance,
        metric="accuracy",
        n_select=1_000,
        seed=3,
    )


def rising(kind: Kind, n: int) -> float:
    """Curves that cross: what is dear is worse on few rows and better on many."""
    place = KINDS.index(kind)
    return 0.95 - (0.5 + 0.15 * place) * n ** -(0.2 + 0.05 * place)


def as_predicted(request: PilotRequest, left: float) -> tuple[PilotRun, ...]:
    return (scored(request, request.seconds),)


def scored(request: PilotRequest, seconds: float, score: float | None = None) -> PilotRun:
    return PilotRun(
        kind=request.kind,
        n_train=request.n_train,
        seed=request.seed,
        status="scored",
        score=rising(request.kind, request.n_train) if score is None else score,
        seconds=seconds,
        learning_rate=request.learning_rate,
    )


@st.composite
def some_arms(draw: st.DrawFn, most: int = 7) -> list[PilotArm]:
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=most, unique=True))
    return [
        arm(
            kind,
            draw(st.floats(1e-5, 0.2)),
            fixed=draw(st.floats(0.01, 5.0)),
            once=draw(st.floats(0.0, 20.0)) if kind == "head" else 0.0,
        )
        for kind in kinds
    ]


allowances = st.floats(0.0, 5_000.0)


def test_sizes_double_up_to_half_of_the_rows() -> None:
    assert SIZES == (64, 128, 256, 512, 1_024, 2_048)
    assert pilot_sizes(1_000_000)[0] == 15_625
    assert pilot_sizes(300, least=40) == (75, 150)
    assert pilot_sizes(60) == ()


@given(n_pool=st.integers(0, 10**7), least=st.integers(0, 5_000))
def test_sizes_ascend_above_the_least(n_pool: int, least: int) -> None:
    sizes = pilot_sizes(n_pool, least)
    assert list(sizes) == sorted(set(sizes))
    assert all(max(2, least) <= size <= n_pool / 2 for size in sizes)


def test_the_allowance_is_the_lesser_tenth_without_what_calibration_took() -> None:
    assert pilot_allowance(3_600, [1_000, 500], 0.1, 30) == pytest.approx(120)
    assert pilot_allowance(600, [1_000, 500], 0.1, 30) == pytest.approx(30)
    assert pilot_allowance(600, [1_000, 500], 0.1, 80) == 0


@given(arms=some_arms(), allowed=allowances)
def test_what_is_planned_fits(arms: list[PilotArm], allowed: float) -> None:
    planned = planned_pilots(protocol(arms, allowed))
    assert sum(one.seconds for one in planned) <= allowed + ROUNDING
    assert len(set(planned)) == len(planned)


@given(arms=some_arms(), allowed=allowances, more=allowances)
def test_a_larger_allowance_takes_all_that_a_smaller_one_took(
    arms: list[PilotArm], allowed: float, more: float
) -> None:
    few = set(planned_pilots(protocol(arms, allowed)))
    many = set(planned_pilots(protocol(arms, allowed + more)))
    assert few <= many


@given(arms=some_arms(), allowed=allowances)
def test_an_arm_with_pilots_has_two_sizes_and_no_gap(arms: list[PilotArm], allowed: float) -> None:
    planned = planned_pilots(protocol(arms, allowed))
    for kind in {one.kind for one in planned}:
        sizes = sorted({one.n_train for one in planned if one.kind == kind})
        ladder = (*SIZES, N_TRAIN) if kind in CHEAP else SIZES
        assert len(sizes) >= 2
        assert tuple(sizes) == ladder[: len(sizes)]


@given(arms=some_arms(most=3), allowed=allowances, speed=st.floats(0.2, 5.0))
@settings(max_examples=6)
def test_the_spend_is_never_exceeded_and_all_is_repeatable(
    arms: list[PilotArm], allowed: float, speed: float
) -> None:
    """A run that is slower than predicted is stopped by what is left, as a training is."""

    def run(request: PilotRequest, left: float) -> tuple[PilotRun, ...]:
        actual = speed * request.seconds
        if actual <= left:
            return (scored(request, actual),)
        failed = dataclasses.replace(scored(request, left), status="failed", score=None)
        return (failed,)

    evidence = carry_out(protocol(arms, allowed), run)
    assert evidence.seconds <= allowed + ROUNDING
    assert evidence == carry_out(protocol(arms, allowed), run)
    assert {kind for kind, _ in evidence.skipped} == {one.kind for one in arms} - {
        one.kind for one in evidence.runs
    }


def test_the_smallest_sizes_of_all_arms_come_first() -> None:
    arms = [arm("full", 0.1), arm("scratch", 0.02), arm("baseline", 0.0001)]
    planned = planned_pilots(protocol(arms, 10_000))
    first = [one for one in planned if one.n_train == SIZES[0]]
    assert planned[: len(first)] == tuple(first)
    assert {one.kind for one in first} == {"full", "scratch", "baseline"}
    assert next_pilots(protocol(arms, 10_000), ()) == tuple(
        one for one in first if one.learning_rate in (None, RATES[0])
    )


def test_seeds_go_where_they_are_cheap() -> None:
    arms = [arm("full", 0.1), arm("baseline", 0.0001), arm("head", 0.0001, once=9.0)]
    planned = planned_pilots(protocol(arms, 10_000))
    counts = Counter((one.kind, one.n_train) for one in planned)
    for kind in ("baseline", "head"):
        assert all(counts[kind, size] == SEEDS_OF_CHEAP for size in SIZES)
        assert counts[kind, N_TRAIN] == 1  # the same rows in every draw
    assert counts["full", SIZES[0]] == len(RATES)
    assert all(counts["full", size] == 1 for size in SIZES[1:])
    assert {one.seed - one.draw for one in planned} == {3}


def test_what_is_shared_is_paid_once() -> None:
    planned = planned_pilots(protocol([arm("head", 0.0001, once=9.0)], 10_000))
    apart = planned_pilots(protocol([arm("head", 0.0001)], 10_000))
    extra = sum(one.seconds for one in planned) - sum(one.seconds for one in apart)
    assert extra == pytest.approx(9.0)


def test_the_best_learning_rate_of_the_smallest_size_goes_on() -> None:
    best = {RATES[0]: 0.5, RATES[1]: 0.7, RATES[2]: 0.1}

    def run(request: PilotRequest, left: float) -> tuple[PilotRun, ...]:
        score = best.get(request.learning_rate or 0.0) if request.n_train == SIZES[0] else None
        return (scored(request, request.seconds, score),)

    evidence = carry_out(protocol([arm("full", 0.1), arm("scratch", 0.1)], 2_000), run)
    larger = [one for one in evidence.runs if one.n_train > SIZES[0]]
    assert {one.learning_rate for one in larger} == {RATES[1]}
    pilots = evidence.pilots_of("full")
    assert pilots is not None
    assert pilots.sizes[:3] == SIZES[:3]


def test_a_collapsed_pilot_is_run_again_once_and_its_seconds_count() -> None:
    tries: list[PilotRequest] = []

    def run(request: PilotRequest, left: float) -> tuple[PilotRun, ...]:
        tries.append(request)
        if request.n_train == SIZES[1] and request.seed == 3:
            lost = dataclasses.replace(scored(request, 1.0), status="collapsed", score=None)
            return (lost,)
        return as_predicted(request, left)

    evidence = carry_out(protocol([arm("full", 0.1), arm("scratch", 0.09)], 150), run)
    again = [one for one in tries if one.kind == "full" and one.n_train == SIZES[1]]
    assert [one.seed for one in again] == [3, 3 + RERUN_SEED]
    pilots = evidence.pilots_of("full")
    assert pilots is not None
    assert SIZES[1] in pilots.sizes
    assert evidence.seconds == pytest.approx(sum(one.seconds for one in evidence.runs))


def test_a_pilot_that_diverges_twice_is_given_up_and_the_arm_goes_on() -> None:
    def run(request: PilotRequest, left: float) -> tuple[PilotRun, ...]:
        if request.kind == "full" and request.n_train == SIZES[1]:
            return (dataclasses.replace(scored(request, 1.0), status="diverged", score=None),)
        return as_predicted(request, left)

    evidence = carry_out(protocol([arm("full", 0.01), arm("scratch", 0.009)], 500), run)
    full = [one for one in evidence.runs if one.kind == "full"]
    assert sum(one.status == "diverged" for one in full) == 2
    assert any(one.n_train > SIZES[1] for one in full)


def test_an_arm_that_fails_gets_no_more_and_the_others_do() -> None:
    def run(request: PilotRequest, left: float) -> tuple[PilotRun, ...]:
        if request.kind == "full":
            return (dataclasses.replace(scored(request, 1.0), status="failed", score=None),)
        return as_predicted(request, left)

    evidence = carry_out(protocol([arm("full", 0.01), arm("scratch", 0.01)], 500), run)
    counts = Counter(one.kind for one in evidence.runs)
    assert counts["full"] == 1
    assert counts["scratch"] > 3


def test_an_arm_that_does_not_fit_keeps_its_prior_and_says_why() -> None:
    arms = [arm("full", 5.0), arm("scratch", 0.01)]
    evidence = carry_out(protocol(arms, 60), as_predicted)
    assert evidence.kinds == ("scratch",)
    ((kind, why),) = evidence.skipped
    assert kind == "full"
    assert why.startswith(
        "its first pilots, on 64 and 128 rows, would take about 16.0 min; of the "
    )
    assert evidence.stopped is not None
    assert evidence.stopped.startswith("The next pilots, of 'full', would take about 16.0 min")


def test_too_few_rows_for_two_sizes_are_said_so() -> None:
    few = dataclasses.replace(protocol([arm("full", 0.1)], 500), sizes=(60,), n_pool=120)
    assert next_pilots(few, ()) == ()
    ((kind, why),) = left_out(few, ())
    assert (kind, why[:50]) == ("full", "120 rows are too few for 2 sizes of pilots, the sm")


def test_all_ends_where_more_could_not_change_the_choice() -> None:
    def run(request: PilotRequest, left: float) -> tuple[PilotRun, ...]:
        score = 0.95 if request.kind == "full" else 0.3
        return (scored(request, request.seconds, score + 1e-5 * request.n_train**0.5),)

    arms = [arm("full", 0.1), arm("scratch", 0.1)]
    asked = protocol(arms, 10_000)
    evidence = carry_out(asked, run)
    assert evidence.stopped is not None
    assert "'full' would be chosen with a probability of 1.00" in evidence.stopped
    assert max(one.n_train for one in evidence.runs) < SIZES[-1]
    choice, shares = choice_shares(asked, evidence.runs)
    assert choice == "full"
    assert sum(shares.values()) == pytest.approx(1)
    assert next_pilots(asked, evidence.runs) == ()


def test_a_dominated_arm_is_dropped_and_the_close_ones_go_on() -> None:
    level: dict[Kind, float] = {"full": 0.90, "lora": 0.905, "scratch": 0.3}

    def run(request: PilotRequest, left: float) -> tuple[PilotRun, ...]:
        score = level[request.kind] + 1e-4 * request.n_train**0.5
        return (scored(request, request.seconds, score),)

    arms = [arm("full", 0.1), arm("lora", 0.1), arm("scratch", 0.1)]
    evidence = carry_out(protocol(arms, 10_000, tolerance=0.0), run)
    largest = {
        kind: max(one.n_train for one in evidence.runs if one.kind == kind) for kind in level
    }
    assert largest["scratch"] < largest["full"] == largest["lora"]


def test_nothing_is_left_to_say_where_all_was_run() -> None:
    def run(request: PilotRequest, left: float) -> tuple[PilotRun, ...]:
        return (scored(request, request.seconds, 0.9 + 1e-9 * request.n_train),)

    arms = [arm("full", 0.011), arm("lora", 0.01)]
    asked = protocol(arms, 10_000, tolerance=0.0)
    evidence = carry_out(asked, run)
    assert {one.n_train for one in evidence.runs if one.kind == "full"} == set(SIZES)
    assert evidence.stopped is None
    assert why_stopped(asked, evidence.runs) is None


def test_a_run_must_leave_a_record() -> None:
    with pytest.raises(ConfigurationError, match=r"pilot of 'full' on 64 rows left no record"):
        carry_out(protocol([arm("full", 0.1)], 500), lambda request, left: ())


def test_the_second_seed_is_that_of_a_training_that_collapsed() -> None:
    assert RERUN_SEED == ANOTHER_SEED
