"""What pilots of real arms take, and the protocol that follows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from zenml_ftvr.approaches import resolve
from zenml_ftvr.decide.cost import PricedArm, ample_seconds
from zenml_ftvr.decide.pilot_parcels import (
    CHEAP,
    LEAST_ROWS,
    SEEDS_OF_CHEAP,
    PilotArm,
    PilotRequest,
    pilot_sizes,
)
from zenml_ftvr.decide.plan import PlanBasis, ample_steps, make_plan
from zenml_ftvr.values import (
    Approach,
    ArmCalibration,
    Baseline,
    Calibration,
    ClassCount,
    Full,
    Head,
    Kind,
    Lora,
    Scratch,
    TrainingPlan,
)

__all__ = [
    "PilotRowCounts",
    "judging_seconds",
    "least_pilot_rows",
    "pilot_arms",
    "pilot_basis",
    "plan_of_pilot",
]

RATE_FACTORS = (1.0, 0.5, 2.0)
"""Of the default learning rate, the default first: what benchmarks/results/learning_rates.jsonl
measured on either side. At a tenth or at ten times nothing was learnt there."""

LEAST_TUNE = 100  # rows that a checkpoint is picked by: scores to five points. A judgement
TUNE_SHARE = 0.2
"""Of a pilot's rows, of those that it is stopped by: about what the default split has, so that a
pilot spends no larger share of its time on looks than the training will. A judgement."""

LEAST_OF_CLASS = 3.0
"""Rows of a class in the smallest pilot: one in each fold by which a head's strength is chosen."""
COVERED = 0.95
"""Share of the rows whose classes must be in the smallest pilot so; rarer ones need not. A
judgement."""

FIT_SECONDS_PER_ROW = 1.0e-3
"""Of the head on features of width 384 and ten classes, choosing its strength included: 0.3 to 0.6
milliseconds on one core from 300 rows on, rounded up. Pilots that were run correct it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotRowCounts:
    """How many rows pilots have, as the data counts them."""

    n_train: int
    """Of the whole training split."""
    n_pool: int
    """Of it, those that pilots are trained on."""
    n_tune: int
    n_select: int

    def tune_of(self, n: int) -> int:
        """Rows that a pilot on `n` rows is stopped by."""
        return min(self.n_tune, max(LEAST_TUNE, math.ceil(TUNE_SHARE * n)))


def least_pilot_rows(classes: Sequence[ClassCount], n_train: int) -> int:
    """The smallest pilot of data with these classes: three rows of all but the rarest."""
    gathered, least = 0, LEAST_ROWS
    for one in sorted(classes, key=lambda one: -one.train):
        if gathered >= COVERED * n_train:
            break
        gathered += one.train
        least = max(least, math.ceil(LEAST_OF_CLASS * n_train / max(1, one.train)))
    return least


def pilot_arms(
    offered: Sequence[Approach],
    priced: Sequence[PricedArm],
    basis: PlanBasis,
    calibration: Calibration,
    rows: PilotRowCounts,
    least: int,
) -> tuple[tuple[PilotArm, ...], tuple[tuple[Kind, str], ...]]:
    """The feasible arms with what their pilots take; those left out, each with the reason.

    `offered` and `priced` are of the same arms: as the user gave them, and as they are planned.
    """
    arms, skipped = [], []
    sizes = pilot_sizes(rows.n_pool, least)
    for approach, whole in zip(offered, priced, strict=True):
        kind = approach.kind
        calibrated = calibration.arm(kind)
        if whole.problems or whole.cost is None or calibrated is None:
            why = whole.problems[0] if whole.problems else "Its cost is not known."
            skipped.append((kind, f"not feasible. {why}"))
            continue
        match approach:
            case Full() | Lora() | Scratch() if approach.pretrain_on is not None:
                skipped.append((kind, "every pilot would pretrain on the unlabelled texts anew."))
                continue
        share = _share_of_steps(whole, basis)
        ladder = (*sizes, rows.n_pool)
        seconds_at = (
            _head_seconds(calibrated, ladder)
            if isinstance(approach, Head)
            else {
                size: _seconds(approach, basis, calibration, rows, size, share) for size in ladder
            }
        )
        arms.append(
            PilotArm(
                kind=kind,
                training_seconds=whole.cost.hours * 3600,
                seconds_at=seconds_at,
                once_seconds=_once(approach, calibrated, rows),
                learning_rates=_rates(approach, basis),
            )
        )
    return tuple(arms), tuple(skipped)


def pilot_basis(basis: PlanBasis, rows: PilotRowCounts, n: int) -> PlanBasis:
    """The basis of a pilot on `n` rows; rows of a language model become blocks as the data's do."""
    packing = basis.facts.n_train / rows.n_train
    return basis.resized(
        max(1, math.ceil(packing * n)),
        max(1, math.ceil(packing * rows.tune_of(n))),
        max(1, math.ceil(packing * rows.n_select)),
    )


def plan_of_pilot(
    approach: Approach,
    whole: PricedArm,
    basis: PlanBasis,
    rows: PilotRowCounts,
    request: PilotRequest,
) -> TrainingPlan:
    """The plan of a pilot: the arm's defaults at its size, shortened as the budget shortens the
    whole training, at the request's learning rate."""
    own = pilot_basis(basis, rows, request.n_train)
    with_rate = _at_rate(approach, request.learning_rate)
    plan = make_plan(with_rate, own)
    steps = math.ceil(_share_of_steps(whole, basis) * plan.max_steps)
    if steps < plan.max_steps:
        plan = make_plan(with_rate, own, max_steps=steps)
    return dataclasses.replace(plan, seed=request.seed)


def judging_seconds(
    kind: Kind, basis: PlanBasis, calibration: Calibration, rows: PilotRowCounts
) -> float:
    """Predicted, of saving a pilot's model, loading it, and answering the rows it is judged on."""
    arm = calibration.arm(kind)
    if arm is None:
        return 0.0
    n_rows = rows.n_select * basis.facts.n_train / rows.n_train
    each = arm.seconds_per_eval_row + arm.seconds_per_frozen_row
    return arm.save_seconds + arm.setup_seconds + n_rows * each


def _share_of_steps(whole: PricedArm, basis: PlanBasis) -> float:
    """Of the steps of all epochs, those that the budget leaves the whole training."""
    if whole.plan is None or whole.plan.max_steps == 0:
        return 1.0
    return min(1.0, whole.plan.max_steps / ample_steps(whole.plan.approach, basis.facts.n_train))


def _seconds(
    approach: Approach,
    basis: PlanBasis,
    calibration: Calibration,
    rows: PilotRowCounts,
    n: int,
    share: float,
) -> float:
    arm = calibration.arm(approach.kind)
    if arm is None:
        return math.inf
    match approach:
        case Baseline():
            judging = rows.n_select * arm.seconds_per_eval_row
            return arm.seconds_per_step * n / rows.n_train + judging
        case _:
            own = pilot_basis(basis, rows, n)
            return ample_seconds(approach, own, calibration, share) or math.inf


def _head_seconds(arm: ArmCalibration, ladder: Sequence[int]) -> dict[int, float]:
    """Fits at each size, and a share of the features that smaller sizes have not asked for.

    The draws of a size take the same rows in part: of N rows, k draws of n hold N (1 - (1 - n/N)^k)
    on average.
    """
    n_pool, known = ladder[-1], 0.0
    seconds = {}
    for size in ladder:
        asked = n_pool * (1 - (1 - size / n_pool) ** SEEDS_OF_CHEAP)
        shared = arm.setup_seconds + (asked - known) * arm.seconds_per_step / arm.batch_size
        draws = SEEDS_OF_CHEAP if size < n_pool else 1
        seconds[size] = FIT_SECONDS_PER_ROW * size + shared / draws
        known = asked
    return seconds


def _once(approach: Approach, arm: ArmCalibration, rows: PilotRowCounts) -> float:
    """Features of the rows that are judged on; all pilots share them."""
    if not isinstance(approach, Head):
        return 0.0
    return arm.setup_seconds + rows.n_select * arm.seconds_per_step / arm.batch_size


def _rates(approach: Approach, basis: PlanBasis) -> tuple[float, ...]:
    """The user's learning rate alone, or those about the default."""
    if approach.kind in CHEAP:
        return ()
    given = getattr(approach, "learning_rate", None)
    if given is not None:
        return (float(given),)
    resolved, _ = resolve(approach, basis.facts)
    default = float(getattr(resolved, "learning_rate", None) or 0.0)
    return tuple(factor * default for factor in RATE_FACTORS)


def _at_rate(approach: Approach, rate: float | None) -> Approach:
    match approach:
        case Baseline() | Head():
            return approach
        case _:
            return approach if rate is None else dataclasses.replace(approach, learning_rate=rate)
