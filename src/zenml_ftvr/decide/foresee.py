"""What the pilots foresee for the data's size, for others, and for other budgets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from zenml_ftvr.decide.break_even import break_evens, decision_map, map_axis
from zenml_ftvr.decide.curve import LEVEL, forecast, label_value
from zenml_ftvr.decide.expected import choose_by_shortfall
from zenml_ftvr.decide.standing import PilotedArm, choose_from_pilots, outlook, piloted_arms
from zenml_ftvr.values import KINDS, Kind, PilotEvidence, Request, unit_tolerance
from zenml_ftvr.values.curve import ArmPilots
from zenml_ftvr.values.foresight import Foresight, LearningCurve, MinimumScore, Reach

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    HoursAt = Callable[[Floats], Floats]

__all__ = ["foresee"]

RULE = choose_by_shortfall  # docs/decisions/007
REACHED = 0.8
"""The probability at which a score counts as reached: the level of the intervals' coverage."""
MAP_COLUMNS, MAP_ROWS = 24, 16  # a picture that is read at a glance; a judgement
MAP_SPAN = 8.0
"""Times the data's size, down and up: a year's growth is seldom more, and beyond ten times the
largest pilot nothing speaks for a forecast. A judgement."""
CURVE_POINTS = 24
MORE_LABELS = 1_000  # what the next are worth
SIZES_TRIED = 64
"""Between today's size and the last that the pilots speak for: neighbours differ by 4 % for one
power of ten."""


def foresee(
    pilots: PilotEvidence,
    hours: Mapping[Kind, float],
    hours_at: Mapping[Kind, HoursAt],
    n_train: int,
    request: Request,
    usd_per_hour: float | None,
) -> Foresight | None:
    """The choice among the feasible arms with pilots, and what would change it.

    `hours`: of every feasible arm, with the plan that the budget allows; `hours_at`: of every arm
    with all its epochs, for sizes in rows. None where no feasible arm has pilots.
    """
    evidence = _evidence(pilots)
    arms = piloted_arms(evidence, pilots.n_select, request.seed)
    tolerance = unit_tolerance(pilots.metric, request.tolerance)
    feasible = [arm for arm in arms if arm.kind in hours]
    if not feasible:
        return None
    minimum = None
    candidates = feasible
    if request.minimum_score is not None:
        minimum = _minimum(feasible, request.minimum_score, n_train)
        reaching = [arm for arm in feasible if arm.kind in minimum.reached_by]
        candidates = reaching or _likeliest(feasible, minimum)
    chosen = choose_from_pilots(
        candidates, hours, n_train, tolerance, usd_per_hour=usd_per_hour, rule=RULE
    )
    several = len(arms) > 1
    outlooks = [outlook(arm, hours_at[arm.kind]) for arm in arms]
    sizes = (max(2.0, n_train / MAP_SPAN), n_train * MAP_SPAN)
    return Foresight(
        n_train=n_train,
        choice=chosen,
        forecasts=tuple(forecast(arm, n_train) for arm in arms),
        curves=tuple(_curve(arm, one, n_train) for arm, one in zip(arms, evidence, strict=True)),
        break_evens=break_evens(outlooks, n_train, sizes, tolerance, RULE) if several else (),
        map=decision_map(
            outlooks,
            map_axis(*sizes, MAP_COLUMNS),
            _budgets(hours_at, [arm.kind for arm in arms], sizes),
            tolerance,
            RULE,
        )
        if several
        else None,
        label_values=tuple(label_value(arm.curve, n_train, MORE_LABELS) for arm in arms),
        seed_sd=arms[0].curve.spread.at(n_train),
        minimum=minimum,
    )


def _evidence(pilots: PilotEvidence) -> tuple[ArmPilots, ...]:
    found = [pilots.pilots_of(kind) for kind in KINDS]
    return tuple(one for one in found if one is not None)


def _curve(arm: PilotedArm, pilots: ArmPilots, n_train: int) -> LearningCurve:
    import numpy as np

    last = max(2.0 * n_train, 2.0 * pilots.sizes[-1])
    sizes = np.array(map_axis(float(pilots.sizes[0]), last, CURVE_POINTS))
    low, high = np.quantile(
        arm.outcomes_at(sizes), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0
    ).tolist()
    return LearningCurve(
        kind=arm.kind,
        pilots=pilots.scores,
        n_train=tuple(sizes.tolist()),
        mean=tuple(arm.scores_at(sizes).mean(axis=0).tolist()),
        low=tuple(low),
        high=tuple(high),
        level=LEVEL,
        supported_to=arm.curve.supported_to,
    )


def _budgets(
    hours_at: Mapping[Kind, HoursAt], kinds: Sequence[Kind], sizes: tuple[float, float]
) -> tuple[float, ...]:
    """From where the cheapest arm fits at the least size to where every arm fits at all sizes."""
    import numpy as np

    costs = np.concatenate([hours_at[kind](np.array(sizes)) for kind in kinds])
    least, most = float(costs.min()), float(costs.max())
    return map_axis(least, max(most, 2 * least) * 1.001, MAP_ROWS)


def _minimum(arms: Sequence[PilotedArm], score: float, n_train: int) -> MinimumScore:
    return MinimumScore(
        score=score,
        level=REACHED,
        arms=tuple(_reach(arm, score, n_train) for arm in arms),
    )


def _reach(arm: PilotedArm, score: float, n_train: int) -> Reach:
    import numpy as np

    reached = (arm.outcomes_at([n_train])[:, 0] >= score).mean()
    n_more: int | None = None
    if reached >= REACHED:
        n_more = 0
    elif n_train < arm.curve.supported_to:
        sizes = np.array(map_axis(float(n_train), arm.curve.supported_to, SIZES_TRIED))
        shares = (arm.outcomes_at(sizes) >= score).mean(axis=0)
        enough = np.flatnonzero(shares >= REACHED)
        if len(enough):
            n_more = math.ceil(sizes[enough[0]]) - n_train
    return Reach(kind=arm.kind, probability=float(reached), n_more=n_more)


def _likeliest(arms: Sequence[PilotedArm], minimum: MinimumScore) -> list[PilotedArm]:
    """The arms that are likeliest to reach it, where none is likely to."""
    most = max(one.probability for one in minimum.arms)
    if most == 0:
        return list(arms)
    likeliest = {one.kind for one in minimum.arms if one.probability == most}
    return [arm for arm in arms if arm.kind in likeliest]
