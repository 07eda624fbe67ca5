"""Which pilots are run, in which order, and when there are enough: no data, no model.

A pilot is a small real training. Sizes grow by doubling and are the same for all arms. What is to
be run is put together in parcels: of each arm the two smallest sizes first, then every further
size, then other learning rates at the smallest size; of arms that cost seconds five seeds a size.
Parcels are taken in one order, the cheapest first, until one does not fit. So a larger allowance
takes all that a smaller one took, and more; and what is left over at the end would not have paid
for any parcel after it. They are run in rounds, the smallest sizes of all arms before any larger
one, so that stopping early leaves something to compare. After each round, arms whose forecast is
dominated are dropped, and all ends where more pilots cannot be expected to change the choice.

`next_pilots` looks at what was run and says what comes next, wherever the scores come from: from
trainings, or from a record of trainings that were run to the end long ago.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from zenml_ftvr.decide.pilot_parcels import (
    LEAST_ROWS,
    SIZES_OF_A_FORECAST,
    Parcel,
    PilotProtocol,
    PilotRequest,
    expected_seconds,
    parcels_of,
    spent_on,
    still_wanted,
)
from zenml_ftvr.decide.standing import choose_from_pilots, piloted_arms
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import KINDS, Kind, PilotEvidence, PilotRun
from zenml_ftvr.values.words import duration

__all__ = [
    "RunPilot",
    "carry_out",
    "choice_shares",
    "left_out",
    "next_pilots",
    "pilot_allowance",
    "planned_pilots",
    "why_stopped",
]

SETTLED = 0.95
"""Probability, were every arm's score known, that the choice would be the one of now: from there on
no more is spent. A judgement."""
DOMINATED = 0.02
"""Probability, were every arm's score known, of being the choice, below which an arm is dropped. A
judgement."""

RunPilot: TypeAlias = Callable[[PilotRequest, float], Sequence[PilotRun]]
"""From a request and the seconds that are left to at least one run: the pilot, and whatever it took
to get there. Raises nothing that a pilot's status can say."""


def pilot_allowance(
    budget_seconds: float, training_seconds: Sequence[float], share: float, spent: float
) -> float:
    """Seconds that pilots may take: `share` of the budget, or of training every feasible arm,
    whichever is less, without what was `spent` on calibration; none below 0."""
    return max(0.0, share * min(budget_seconds, math.fsum(training_seconds)) - spent)


def next_pilots(protocol: PilotProtocol, runs: Sequence[PilotRun]) -> tuple[PilotRequest, ...]:
    """The next round, cheapest first, given all `runs` so far; empty where there is none.

    All of it is predicted to fit into what is left. Equal arguments give equal answers.
    """
    return _plan(protocol, runs).round


def planned_pilots(protocol: PilotProtocol) -> tuple[PilotRequest, ...]:
    """Every pilot that would be run if each took what is predicted and none settled anything."""
    parcels = _plan(protocol, ()).parcels
    requests = [(order, one) for parcel in parcels for order, one in parcel.requests]
    return tuple(one for _, one in sorted(requests, key=_in_turn))


def carry_out(protocol: PilotProtocol, run: RunPilot) -> PilotEvidence:
    """Run the pilots round by round, as long as the next is expected to fit.

    Seconds are those that the runs report. Raises `ConfigurationError` where `run` gives nothing.
    """
    runs: list[PilotRun] = []
    n_before = -1
    while len(runs) > n_before and (requests := next_pilots(protocol, runs)):
        n_before = len(runs)
        for request in requests:
            left = protocol.seconds_allowed - spent_on(runs)
            if _has_failed(request.kind, runs) or expected_seconds(protocol, request, runs) > left:
                continue  # others of its round failed, or were slower than predicted
            done = run(request, left)
            if not done:
                raise ConfigurationError(
                    f"the pilot of '{request.kind}' on {request.n_train} rows left no record. "
                    f"Return one run at least, of status 'failed' where it failed."
                )
            runs.extend(done)
    return _evidence(
        protocol,
        runs,
        skipped=left_out(protocol, runs),
        stopped=why_stopped(protocol, runs),
    )


def left_out(protocol: PilotProtocol, runs: Sequence[PilotRun]) -> tuple[tuple[Kind, str], ...]:
    """Arms without a pilot, each with the reason and its numbers."""
    run = {one.kind for one in runs}
    reasons = []
    for arm in protocol.arms:
        if arm.kind in run:
            continue
        first = next(iter(parcels_of(protocol, arm, ())), None)
        if first is None:
            least = protocol.sizes[0] if protocol.sizes else LEAST_ROWS
            why = (
                f"{protocol.n_pool:,} rows are too few for {SIZES_OF_A_FORECAST} sizes of pilots, "
                f"the smallest of {least:,} rows or more and the largest of half of them."
            )
        else:
            rows = sorted({one.n_train for _, one in first.requests})
            why = (
                f"its first pilots, on {' and '.join(f'{n:,}' for n in rows)} rows, would take "
                f"about {duration(first.seconds)}; of the {duration(protocol.seconds_allowed)} for "
                f"pilots {duration(max(0.0, protocol.seconds_allowed - spent_on(runs)))} were left."
            )
        reasons.append((arm.kind, why))
    return tuple(reasons)


def why_stopped(protocol: PilotProtocol, runs: Sequence[PilotRun]) -> str | None:
    """Why no further pilot is run, in a sentence; None where none is left to run."""
    plan = _plan(protocol, runs)
    if plan.settled is not None:
        kind, share = plan.settled
        return (
            f"Of the arms with pilots, '{kind}' would be chosen with a probability of {share:.2f} "
            f"if every score were known: more pilots can hardly change that."
        )
    if plan.blocked is not None:
        left = max(0.0, protocol.seconds_allowed - spent_on(runs))
        return (
            f"The next pilots, of '{plan.blocked.kind}', would take about "
            f"{duration(plan.blocked.seconds)}, and {duration(left)} of "
            f"{duration(protocol.seconds_allowed)} were left."
        )
    return None


def choice_shares(
    protocol: PilotProtocol, runs: Sequence[PilotRun]
) -> tuple[Kind | None, dict[Kind, float]]:
    """The choice among arms with pilots, and how often each would be chosen if all were known.

    In each draw of the forecasts at the target size, taken as the truth, the choice is the cheapest
    arm within the tolerance of the best. None, and nothing, without pilots.
    """
    import numpy as np

    evidence = _evidence(protocol, runs)
    found = [pilots for one in protocol.arms if (pilots := evidence.pilots_of(one.kind))]
    if not found:
        return None, {}
    seconds = {one.kind: one.training_seconds for one in protocol.arms}
    # The cheapest come first, so that the first within the tolerance is the one.
    found.sort(key=lambda one: (seconds[one.kind], KINDS.index(one.kind)))
    arms = piloted_arms(found, protocol.n_select, protocol.seed)
    scores = np.stack([arm.scores_at([protocol.n_train])[:, 0] for arm in arms])
    picked = (scores >= scores.max(axis=0) - protocol.tolerance).argmax(axis=0)
    counts = np.bincount(picked, minlength=len(arms)) / scores.shape[1]
    shares = {arm.kind: float(share) for arm, share in zip(arms, counts, strict=True)}
    hours = {kind: one / 3600 for kind, one in seconds.items()}
    choice = choose_from_pilots(arms, hours, protocol.n_train, protocol.tolerance)
    return choice.kind, shares


def _evidence(
    protocol: PilotProtocol,
    runs: Sequence[PilotRun],
    skipped: tuple[tuple[Kind, str], ...] = (),
    stopped: str | None = None,
) -> PilotEvidence:
    return PilotEvidence(
        metric=protocol.metric,
        runs=tuple(runs),
        n_select=protocol.n_select,
        seconds=spent_on(runs),
        seconds_allowed=protocol.seconds_allowed,
        skipped=skipped,
        stopped=stopped,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What is taken, given what was run."""

    parcels: tuple[Parcel, ...] = ()
    round: tuple[PilotRequest, ...] = ()
    blocked: Parcel | None = None
    """The first parcel that does not fit."""
    settled: tuple[Kind, float] | None = None


def _plan(protocol: PilotProtocol, runs: Sequence[PilotRun]) -> _Plan:
    parcels = [
        parcel
        for arm in protocol.arms
        if not _has_failed(arm.kind, runs)
        for parcel in still_wanted(protocol, arm, runs)
    ]
    has_slope: set[Kind] = set()
    compared = bool(parcels) and len({one.kind for one in runs}) > 1
    choice, shares = choice_shares(protocol, runs) if compared else (None, {})
    if choice is not None:
        evidence = _evidence(protocol, runs)
        has_slope = {
            kind
            for kind in shares
            if (pilots := evidence.pilots_of(kind)) is not None
            and len(pilots.sizes) >= SIZES_OF_A_FORECAST
        }
        dropped = {kind for kind in has_slope if shares[kind] < DOMINATED and kind != choice}
        parcels = [one for one in parcels if one.kind not in dropped]
    taken, blocked = _taken(parcels, protocol.seconds_allowed - spent_on(runs))
    has_all = len(shares) > 1 and {one.kind for one in taken} <= has_slope
    if choice is not None and taken and has_all and shares[choice] >= SETTLED:
        return _Plan(settled=(choice, shares[choice]))
    requests = sorted((one for parcel in taken for one in parcel.requests), key=_in_turn)
    return _Plan(
        parcels=tuple(taken),
        round=tuple(one for order, one in requests if order == requests[0][0]),
        blocked=blocked,
    )


def _has_failed(kind: Kind, runs: Sequence[PilotRun]) -> bool:
    """An arm whose training failed, for any reason but chance, gets no further pilot."""
    return any(one.kind == kind and one.status == "failed" for one in runs)


def _taken(parcels: Sequence[Parcel], left: float) -> tuple[list[Parcel], Parcel | None]:
    """The first parcels that fit into `left` seconds together, and the one after them."""
    taken: list[Parcel] = []
    for parcel in sorted(parcels, key=lambda one: one.priority):  # stable: arms as they are given
        if parcel.seconds > left:
            return taken, parcel
        left -= parcel.seconds
        taken.append(parcel)
    return taken, None


def _in_turn(numbered: tuple[int, PilotRequest]) -> tuple[int, float, int, int, float]:
    order, one = numbered
    return order, one.seconds, KINDS.index(one.kind), one.draw, one.learning_rate or 0.0
