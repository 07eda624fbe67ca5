"""From pilots to draws of every arm's score, and from those to the choice."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from zenml_ftvr.decide.break_even import Outlook
from zenml_ftvr.decide.curve import DRAWS, FittedCurve, fit_curve
from zenml_ftvr.decide.expected import Prospect, Rule, choose_by_shortfall
from zenml_ftvr.decide.seed_spread import pooled_seed_spread
from zenml_ftvr.values import KINDS, Kind
from zenml_ftvr.values.curve import ArmPilots, Choice, FormFit, Support

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = [
    "ROW_SHARE",
    "SHARED_LUCK",
    "PilotedArm",
    "choose_from_pilots",
    "outlook",
    "piloted_arms",
]

ROW_SHARE = 0.5
"""Of the variance that a sample of rows gives to one training's score, what the next training of
the arm has as well: the correlation, over rows, of whether two seeds answer rightly. The rest
differs from seed to seed, so that the spread over seeds holds it. Measured on word counts and the
head: .45, .45, .46 and .59 by data set (select rows of benchmarks/results/replay*.jsonl)."""
SHARED_LUCK = 0.5
"""Of what is left, the share that two arms have in common because they are judged on the same rows.
The correlation of whether a training of each answers rightly is .26 of word counts and the head, .2
to .35 with trained arms and up to .6 among those, where that of one arm's two is .45."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PilotedArm:
    """An arm's curve, and how far the rows that its pilots are judged on may mislead."""

    curve: FittedCurve
    row_luck: Floats
    """What a score on the pilots' rows differs by from that on all rows, in standard deviations
    [draws]; half of its variance is shared with the other arms."""
    n_select: int

    @property
    def kind(self) -> Kind:
        return self.curve.kind

    @property
    def forms(self) -> tuple[FormFit, ...]:
        return self.curve.forms

    def support(self, n_train: float) -> Support:
        return self.curve.support(n_train)

    def scores_at(self, sizes: Sequence[float] | Floats) -> Floats:
        """Expected scores over seeds, on rows that nobody has seen [draws, sizes]."""
        return self._on_all_rows(self.curve.scores_at(sizes))

    def outcomes_at(self, sizes: Sequence[float] | Floats) -> Floats:
        """Scores of one training each, on rows that nobody has seen [draws, sizes]."""
        return self._on_all_rows(self.curve.outcomes_at(sizes))

    def _on_all_rows(self, scores: Floats) -> Floats:
        import numpy as np

        # That of a share of rows; of other scores between 0 and 1 it is the most that the mean of
        # a score a row can have (Bhatia & Davis 2000, Am. Math. Monthly 107).
        sd = np.sqrt(ROW_SHARE * scores * (1 - scores) / self.n_select)
        room = np.minimum(scores, 1 - scores)  # as far up as down, so that the mean stays
        return scores + np.clip(self.row_luck[:, None] * sd, -room, room)


def piloted_arms(pilots: Sequence[ArmPilots], n_select: int, seed: int) -> tuple[PilotedArm, ...]:
    """Every arm's curve; equal arguments give equal draws.

    `n_select`: rows that all pilots were judged on.
    """
    import numpy as np

    if not pilots:
        return ()
    spread = pooled_seed_spread(pilots)
    shared = np.random.default_rng([seed, len(KINDS)]).normal(size=DRAWS)
    arms = []
    for one in pilots:
        own = np.random.default_rng([seed, len(KINDS) + 1 + KINDS.index(one.kind)]).normal(
            size=DRAWS
        )
        luck = math.sqrt(SHARED_LUCK) * shared + math.sqrt(1 - SHARED_LUCK) * own
        arms.append(
            PilotedArm(curve=fit_curve(one, spread, seed), row_luck=luck, n_select=n_select)
        )
    return tuple(arms)


def outlook(arm: PilotedArm, hours_at: Callable[[Floats], Floats]) -> Outlook:
    """The arm at any size: `hours_at` gives hours for sizes in rows."""
    return Outlook(
        kind=arm.kind,
        scores_at=arm.scores_at,
        hours_at=hours_at,
        supported_to=arm.curve.supported_to,
    )


def choose_from_pilots(
    arms: Sequence[PilotedArm],
    hours: Mapping[Kind, float],
    n_train: int,
    tolerance: float,
    *,
    usd_per_hour: float | None = None,
    rule: Rule = choose_by_shortfall,
) -> Choice:
    """The choice among the arms that have `hours`, which are those feasible, at `n_train` rows.

    Raises `BudgetError` where none of the arms has.
    """
    prospects = [
        Prospect(
            kind=arm.kind,
            scores=arm.scores_at([n_train])[:, 0],
            hours=hours[arm.kind],
            usd_per_hour=usd_per_hour,
        )
        for arm in arms
        if arm.kind in hours
    ]
    return rule(prospects, tolerance)
