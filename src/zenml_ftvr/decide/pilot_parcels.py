"""What pilots of an arm there could be, in parcels that are taken whole, each with its price."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from zenml_ftvr.values import Kind, Metric, PilotRun

__all__ = [
    "CHEAP",
    "LEAST_ROWS",
    "RERUN_SEED",
    "SEEDS_OF_CHEAP",
    "SIZES_OF_A_FORECAST",
    "Parcel",
    "PilotArm",
    "PilotProtocol",
    "PilotRequest",
    "expected_seconds",
    "parcels_of",
    "pilot_sizes",
    "spent_on",
    "still_wanted",
]

CHEAP: frozenset[Kind] = frozenset({"baseline", "head"})
"""Arms that are solved in seconds: they get the seeds, and the full size."""

SEEDS_OF_CHEAP = 5
"""Draws of the rows, which is what chance there is: variance over seeds is known to a third by four
degrees of freedom a size, and pooled over sizes and arms. A judgement."""

GROWTH = 2
"""From one size to the next: learning curves are near straight in log size (Rosenfeld et al. 2020,
arXiv 1909.12673), and all sizes below the largest together cost what that costs. A judgement."""
MOST_SIZES = 6
"""Down to a 64th of the rows: far from the target, small sizes say little for what they cost. A
judgement."""
LEAST_ROWS = 32
"""Below, scores are mostly luck: eight a class of four. A judgement."""
SIZES_OF_A_FORECAST = 2
"""An arm with fewer sizes shows no slope. Two are the least that decide/curve.py can back-test."""

BREADTH = 4.0
"""How many times as dear an arm's first two sizes may be as a further size of another arm, and
still come first: that an arm has a forecast at all is worth more than a better one of another. A
judgement."""

RERUN_SEED = 10_007
"""Added to the seed of a pilot that is run again: what `train.stepped` adds."""

SLOWEST, FASTEST = 4.0, 0.5
"""Bounds of what measured pilots do to the prediction of an arm's next one. A judgement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotArm:
    """What the protocol knows of an arm before its pilots."""

    kind: Kind
    training_seconds: float
    """Predicted, of the training to be decided on and of its evaluation."""
    seconds_at: Mapping[int, float]
    """Predicted, of one pilot at each size, judging included."""
    once_seconds: float = 0.0
    """Predicted, of what its pilots share and the first one pays, such as features of all rows."""
    learning_rates: tuple[float, ...] = ()
    """The default first, then what else may be tried; empty where the arm has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotProtocol:
    """All that decides which pilots are run, beside what they score."""

    arms: tuple[PilotArm, ...]
    sizes: tuple[int, ...]
    """Training rows of pilots, ascending (`pilot_sizes`)."""
    n_pool: int
    """Rows that pilots can be trained on: the largest size of arms that cost seconds."""
    n_train: int
    """Rows of the training to be decided on."""
    seconds_allowed: float
    tolerance: float
    """As in the decision, in units of the pilots' score."""
    metric: Metric
    n_select: int
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotRequest:
    """One pilot to be run."""

    kind: Kind
    n_train: int
    draw: int
    """Which nested order of the training rows it takes the first `n_train` of; from 0."""
    seed: int
    learning_rate: float | None
    """None where the arm has none."""
    seconds: float
    """Predicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Pilots that are taken together or not at all."""

    kind: Kind
    content: Literal["first sizes", "a size", "learning rates"]
    priority: float
    """Lower is taken first."""
    requests: tuple[tuple[int, PilotRequest], ...]
    """Each with the number of its round."""
    seconds: float
    """Predicted, of all of them."""


def pilot_sizes(n_pool: int, least: int = LEAST_ROWS) -> tuple[int, ...]:
    """Sizes up to half of `n_pool` rows, each half of the next, none below `least`; ascending."""
    sizes: list[int] = []
    size = n_pool // GROWTH
    while size >= max(2, least) and len(sizes) < MOST_SIZES:
        sizes.append(size)
        size //= GROWTH
    return tuple(reversed(sizes))


def still_wanted(protocol: PilotProtocol, arm: PilotArm, runs: Sequence[PilotRun]) -> list[Parcel]:
    """An arm's parcels with what is still to be run of each."""
    wanted = []
    slower = _slower(arm, runs)
    for parcel in parcels_of(protocol, arm, runs):
        again = parcel.content != "learning rates"
        requests = tuple(
            (order, dataclasses.replace(one, seconds=one.seconds * slower))
            for order, request in parcel.requests
            if (one := _still_to_run(request, runs, again)) is not None
        )
        if requests:
            seconds = math.fsum(one.seconds for _, one in requests)
            wanted.append(dataclasses.replace(parcel, requests=requests, seconds=seconds))
    return wanted


def _still_to_run(
    request: PilotRequest, runs: Sequence[PilotRun], again: bool
) -> PilotRequest | None:
    """The request, or its second try where the first collapsed or diverged; None where it is done.

    Other learning rates have no second try: one at which training breaks is not the best.
    """
    seeds = (request.seed, request.seed + RERUN_SEED)
    tries = [
        one
        for one in runs
        if (one.kind, one.n_train) == (request.kind, request.n_train)
        and one.learning_rate == request.learning_rate
        and one.seed in seeds
    ]
    if not tries:
        return request
    if any(one.status == "scored" for one in tries) or len(tries) > 1 or not again:
        return None
    return dataclasses.replace(request, seed=seeds[1])


def parcels_of(protocol: PilotProtocol, arm: PilotArm, runs: Sequence[PilotRun]) -> list[Parcel]:
    """Everything an arm could be given, in its order; none where it has too few sizes."""
    cheap = arm.kind in CHEAP
    sizes = (*protocol.sizes, protocol.n_pool) if cheap else protocol.sizes
    if len(sizes) < SIZES_OF_A_FORECAST:
        return []
    rate = _rate(arm, sizes[0], runs)
    by_size = []
    for place, size in enumerate(sizes):
        # The full size holds the same rows in every draw.
        draws = range(SEEDS_OF_CHEAP if cheap and size < protocol.n_pool else 1)
        first = arm.learning_rates[0] if arm.learning_rates and place == 0 else rate
        seconds = arm.seconds_at[size]
        # Other learning rates at the smallest size come before the next size.
        order = 0 if place == 0 else place + 1
        by_size.append(
            [(order, _request(protocol, arm, size, draw, first, seconds)) for draw in draws]
        )
    if not any(one.kind == arm.kind for one in runs):
        order, one = by_size[0][0]
        by_size[0][0] = (order, dataclasses.replace(one, seconds=one.seconds + arm.once_seconds))
    start = [one for requests in by_size[:SIZES_OF_A_FORECAST] for one in requests]
    parcels = [_parcel(arm, "first sizes", start, BREADTH, 0.0)]
    for requests in by_size[SIZES_OF_A_FORECAST:]:
        parcels.append(_parcel(arm, "a size", requests, 1.0, parcels[-1].priority))
    others = arm.learning_rates[1:]
    if others and not any(one.kind == arm.kind and one.n_train > sizes[0] for one in runs):
        seconds = arm.seconds_at[sizes[0]]
        tried = [(1, _request(protocol, arm, sizes[0], 0, one, seconds)) for one in others]
        # A third size lets forms be fitted, which says more than a learning rate does.
        after = parcels[min(1, len(parcels) - 1)].priority
        parcels.append(_parcel(arm, "learning rates", tried, 1.0, after))
    return parcels


def _request(
    protocol: PilotProtocol,
    arm: PilotArm,
    size: int,
    draw: int,
    rate: float | None,
    seconds: float,
) -> PilotRequest:
    return PilotRequest(
        kind=arm.kind,
        n_train=size,
        draw=draw,
        seed=protocol.seed + draw,
        learning_rate=rate,
        seconds=seconds,
    )


def _parcel(
    arm: PilotArm,
    content: Literal["first sizes", "a size", "learning rates"],
    requests: Sequence[tuple[int, PilotRequest]],
    favour: float,
    least: float,
) -> Parcel:
    """`favour` divides the price that it is ordered by; `least` keeps an arm's own order."""
    seconds = math.fsum(one.seconds for _, one in requests)
    return Parcel(
        kind=arm.kind,
        content=content,
        priority=max(seconds / favour, least),
        requests=tuple(requests),
        seconds=seconds,
    )


def _rate(arm: PilotArm, smallest: int, runs: Sequence[PilotRun]) -> float | None:
    """The learning rate of sizes above the smallest: the best there, else the default."""
    if not arm.learning_rates:
        return None
    scores = {
        one.learning_rate: one.score
        for one in runs
        if one.kind == arm.kind and one.n_train == smallest and one.score is not None
    }
    tried = [rate for rate in arm.learning_rates if rate in scores]
    return max(tried, key=lambda rate: scores[rate] or 0.0, default=arm.learning_rates[0])


def spent_on(runs: Sequence[PilotRun]) -> float:
    return math.fsum(one.seconds for one in runs)


def _slower(arm: PilotArm, runs: Sequence[PilotRun]) -> float:
    """What the arm's pilots took, over what was predicted for them; 1 before the first."""
    mine = [one for one in runs if one.kind == arm.kind]
    predicted = math.fsum(arm.seconds_at[one.n_train] for one in mine)
    if not mine or predicted <= 0:
        return 1.0
    ratio = spent_on(mine) / (predicted + arm.once_seconds)
    return min(SLOWEST, max(FASTEST, ratio))


def expected_seconds(
    protocol: PilotProtocol, request: PilotRequest, runs: Sequence[PilotRun]
) -> float:
    """Seconds of a request, by what the arm's pilots took so far."""
    arm = next(one for one in protocol.arms if one.kind == request.kind)
    mine = [one for one in runs if one.kind == arm.kind]
    once = 0.0 if mine else arm.once_seconds
    return arm.seconds_at[request.n_train] * _slower(arm, runs) + once
