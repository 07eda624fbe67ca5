"""Which arm to take, from draws of what each is expected to score.

The rule: of the feasible arms, the cheapest whose expected regret is within the tolerance; where
none is, the one with the highest mean. Expected regret is E[best of the feasible arms] minus the
arm's mean, so that what is not known about any arm raises the regret of all alike and makes none
more attractive: an arm is never chosen over one that has a higher mean and costs no more, however
wide its draws.

That regret holds what no choice of today can avoid: E[best] - highest mean, the price of not
knowing which arm is best. Where it alone is above the tolerance, so is every arm's regret: the
highest mean is taken whatever it costs, and the tolerance has no say. `choose_by_shortfall` leaves
it out: the cheapest arm whose mean is within the tolerance of the highest. All that is said here
holds for either rule; benchmarks/results/choices.json compares them.

What a larger budget does, on equal evidence. Arms become feasible and none stops being so. An arm
within the tolerance has a mean of E[best] - tolerance at least (by shortfall: the highest mean -
tolerance), and neither can fall.
- Where the added arms cost more than those before, as when a limit on cost is raised: if the old
  choice is still within the tolerance, it is still the cheapest such arm, and is chosen again; if
  it is not, its mean is below that of every arm that is; and if none is, the highest mean is taken.
  So the expected score of the choice never falls.
- Where arms are added that are cheaper (other limits were lifted), the choice may move to one of
  them, and its expected score may fall by the tolerance at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from zenml_ftvr.errors import BudgetError, ConfigurationError
from zenml_ftvr.values import KINDS, Kind
from zenml_ftvr.values.curve import ArmStanding, Choice

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = [
    "Prospect",
    "Rule",
    "affordable",
    "choose",
    "choose_by_shortfall",
    "standings",
]


Rule: TypeAlias = Callable[[Sequence["Prospect"], float], Choice]
"""From the feasible arms and the tolerance to the choice."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prospect:
    """What an arm is expected to score, as draws, and what it costs."""

    kind: Kind
    scores: Floats
    """Draws of the expected score [draws]; as many for every arm, drawn apart from theirs."""
    hours: float
    usd_per_hour: float | None = None

    @property
    def usd(self) -> float | None:
        return None if self.usd_per_hour is None else self.hours * self.usd_per_hour


def affordable(prospects: Sequence[Prospect], hours: float) -> tuple[Prospect, ...]:
    """Those that cost at most `hours`."""
    return tuple(one for one in prospects if one.hours <= hours)


def standings(feasible: Sequence[Prospect]) -> tuple[ArmStanding, ...]:
    """How each arm stands against the others, the highest mean first, the cheaper of equals first.

    Draws of equal index are read as one possible world, and arms as independent of each other:
    what their pilots share (the rows they are judged on) makes differences smaller than that, so
    the regrets err upwards. Where several arms are best in a draw they share it. Raises
    `BudgetError` where no arm is feasible, `ConfigurationError` for draws of unequal number.
    """
    import numpy as np

    if not feasible:
        raise BudgetError("no arm is feasible, so there is none to choose. Raise the budget.")
    lengths = {one.kind: len(one.scores) for one in feasible}
    if len(set(lengths.values())) > 1 or len(lengths) < len(feasible):
        raise ConfigurationError(
            f"draws of arms are compared one by one, but their numbers are {lengths} for "
            f"{len(feasible)} arms. Give each arm once, with as many draws as every other."
        )
    scores = np.stack([one.scores for one in feasible])
    best = scores.max(axis=0)
    is_best = scores == best
    shares = (is_best / is_best.sum(axis=0)).mean(axis=1)
    regrets = (best - scores).mean(axis=1)
    listed = [
        ArmStanding(
            kind=one.kind,
            mean=float(one.scores.mean()),
            probability_best=float(share),
            expected_regret=float(regret),
            hours=one.hours,
            usd=one.usd,
        )
        for one, share, regret in zip(feasible, shares, regrets, strict=True)
    ]
    return tuple(sorted(listed, key=lambda one: (-one.mean, one.hours, KINDS.index(one.kind))))


def choose(feasible: Sequence[Prospect], tolerance: float) -> Choice:
    """The choice by the rule above; `tolerance` in units of the score.

    Of equally cheap arms the one with the higher mean; then in the order of `KINDS`. Raises as
    `standings`.
    """
    listed = standings(feasible)
    return _cheapest_within(listed, [one.expected_regret for one in listed], tolerance)


def choose_by_shortfall(feasible: Sequence[Prospect], tolerance: float) -> Choice:
    """The cheapest arm whose mean is within `tolerance` of the highest; as `choose` in all else."""
    listed = standings(feasible)
    return _cheapest_within(listed, [listed[0].mean - one.mean for one in listed], tolerance)


def _cheapest_within(
    listed: Sequence[ArmStanding], losses: Sequence[float], tolerance: float
) -> Choice:
    """The first of the cheapest arms whose loss is within the tolerance, else the first of all."""
    within = [one for one, loss in zip(listed, losses, strict=True) if loss <= tolerance]
    chosen = min(within, key=lambda one: one.hours) if within else listed[0]
    return Choice(
        kind=chosen.kind,
        rule="cheapest within the tolerance" if within else "highest mean",
        tolerance=tolerance,
        standings=tuple(listed),
    )
