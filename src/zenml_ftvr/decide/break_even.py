"""What would change the answer: the data size and the budget at which another arm is chosen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zenml_ftvr.decide.expected import Prospect, Rule, affordable, choose
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import KINDS, Kind
from zenml_ftvr.values.curve import BreakEven, DecisionMap

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["Outlook", "break_evens", "decision_map", "map_axis", "prospects_at"]

FINE_POINTS = 256
"""Sizes at which curves are compared; a crossing between two of them is interpolated. Over three
powers of ten, neighbours differ by 3 %."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlook:
    """An arm's score and cost at any size."""

    kind: Kind
    scores_at: Callable[[Floats], Floats]
    """From sizes in rows [sizes] to draws of the expected score [draws, sizes], one draw or more:
    `FittedCurve.scores_at`, or a cross-validated score repeated."""
    hours_at: Callable[[Floats], Floats]
    """From sizes in rows to hours, [sizes] each."""
    supported_to: float | None = None
    """Rows beyond which nothing speaks for the scores; None where nothing bounds it."""


def map_axis(least: float, most: float, n: int) -> tuple[float, ...]:
    """`n` values from `least` to `most`, each the same multiple of the one before."""
    import numpy as np

    if not (0 < least < most and n > 1):
        raise ConfigurationError(
            f"an axis of {n} values from {least:g} to {most:g} cannot be made; give two values or "
            f"more, from above 0 upwards."
        )
    return tuple(float(value) for value in np.geomspace(least, most, n))


def break_evens(
    outlooks: Sequence[Outlook],
    n_train: int,
    sizes: tuple[float, float],
    tolerance: float,
    rule: Rule = choose,
) -> tuple[BreakEven, ...]:
    """For each pair of arms, where they change places.

    `sizes`: the range, in rows, in which crossings of the expected scores are looked for;
    `n_train`: the user's size, at which the budget is looked at.
    """
    import numpy as np

    fine = np.array(map_axis(*sizes, FINE_POINTS))
    means = {one.kind: one.scores_at(fine).mean(axis=0) for one in outlooks}
    here = np.array([float(n_train)])
    prospects = {one.kind: one for one in prospects_at(outlooks, here)[0]}
    found = []
    for first, second in itertools.combinations(outlooks, 2):
        ahead = means[first.kind] - means[second.kind]
        told_apart = ahead[ahead != 0]
        small: Kind | None = None
        if len(told_apart):
            small = first.kind if told_apart[0] > 0 else second.kind
        found.append(
            BreakEven(
                first=first.kind,
                second=second.kind,
                n_train=_crossings(fine, ahead),
                ahead_when_small=small,
                hours=_break_even_hours(
                    (prospects[first.kind], prospects[second.kind]), tolerance, rule
                ),
            )
        )
    return tuple(found)


def decision_map(
    outlooks: Sequence[Outlook],
    n_train: Sequence[float],
    hours: Sequence[float],
    tolerance: float,
    rule: Rule = choose,
) -> DecisionMap:
    """The arm that the rule takes at every size (rows) and budget (hours); None where none fits.

    Which arms fit changes only at what one of them costs, so that at most as many choices are made
    for a size as there are arms.
    """
    import numpy as np

    sizes = np.array([round(n) for n in n_train], dtype=np.float64)
    supported = [one.supported_to for one in outlooks if one.supported_to is not None]
    columns = []
    for at_size in prospects_at(outlooks, sizes):
        chosen: dict[int, Kind | None] = {0: None}
        column = []
        for limit in hours:
            fitting = affordable(at_size, limit)
            if len(fitting) not in chosen:
                chosen[len(fitting)] = rule(fitting, tolerance).kind
            column.append(chosen[len(fitting)])
        columns.append(column)
    return DecisionMap(
        n_train=tuple(int(n) for n in sizes),
        hours=tuple(hours),
        winners=tuple(zip(*columns, strict=True)),
        supported_to=min(supported) if supported else None,
    )


def prospects_at(outlooks: Sequence[Outlook], sizes: Floats) -> list[list[Prospect]]:
    """For each size the arms as prospects, in the order of `KINDS`.

    An arm with a single draw has it repeated to the number of the others.
    """
    import numpy as np

    ordered = sorted(outlooks, key=lambda one: KINDS.index(one.kind))
    scores = [np.atleast_2d(one.scores_at(sizes)) for one in ordered]
    n_draws = max((len(one) for one in scores), default=1)
    scores = [np.repeat(one, n_draws, axis=0) if len(one) == 1 else one for one in scores]
    costs = [np.broadcast_to(one.hours_at(sizes), sizes.shape) for one in ordered]
    return [
        [
            Prospect(kind=one.kind, scores=drawn[:, index], hours=float(cost[index]))
            for one, drawn, cost in zip(ordered, scores, costs, strict=True)
        ]
        for index in range(len(sizes))
    ]


def _crossings(sizes: Floats, ahead: Floats) -> tuple[float, ...]:
    """Sizes at which `ahead` changes sign, interpolated over log size; touching 0 is no change."""
    import numpy as np

    apart = np.flatnonzero(ahead)
    crossings = []
    for left, right in itertools.pairwise(apart):
        if ahead[left] * ahead[right] < 0:
            share = ahead[left] / (ahead[left] - ahead[right])
            log_size = (1 - share) * math.log(sizes[left]) + share * math.log(sizes[right])
            crossings.append(math.exp(log_size))
    return tuple(crossings)


def _break_even_hours(
    pair: tuple[Prospect, Prospect], tolerance: float, rule: Rule
) -> float | None:
    """What the costlier of two costs, if it is chosen where both can be paid."""
    cheaper, dearer = sorted(pair, key=lambda one: one.hours)
    if cheaper.hours == dearer.hours:
        return None
    return dearer.hours if rule(pair, tolerance).kind == dearer.kind else None
