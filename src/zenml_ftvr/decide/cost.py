"""What an arm costs from here on, and how many steps a budget buys."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zenml_ftvr.approaches import min_epochs
from zenml_ftvr.decide.plan import EVALUATIONS, PlanBasis, ample_steps, make_plan
from zenml_ftvr.errors import BudgetError
from zenml_ftvr.values import (
    Approach,
    ArmCalibration,
    Budget,
    Calibration,
    CostEstimate,
    Hardware,
    Ledger,
    TrainingPlan,
)
from zenml_ftvr.values.words import duration

__all__ = ["PricedArm", "ample_seconds", "hours_left", "price_arm"]

PLANNED_SHARE = 0.9
"""Of the time left, what a shortened plan may fill. Trainings by labels took .94 and 1.04 of what
was predicted (benchmarks/results/predictions.jsonl); the clock is the last resort."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedArm:
    """An arm with its cost, and a plan where it is feasible."""

    approach: Approach
    cost: CostEstimate | None
    plan: TrainingPlan | None
    problems: tuple[str, ...]
    """Why it is infeasible, with numbers; empty where it is feasible."""


def hours_left(budget: Budget, hardware: Hardware, spent: Ledger) -> float:
    """Hours of this machine that the budget still buys.

    Raises `BudgetError` for dollars without a price, and where nothing is left.
    """
    limits = [] if budget.hours is None else [budget.hours]
    if budget.usd is not None:
        if hardware.usd_per_hour is None:
            raise BudgetError(
                f"the budget is ${budget.usd:g}, but the machine has no price. Set usd_per_hour "
                f"to what an hour of it costs you, or give the budget in hours."
            )
        limits.append(budget.usd / hardware.usd_per_hour)
    left = min(limits) - spent.hours
    if left <= 0:
        raise BudgetError(
            f"measuring alone took {duration(spent.hours * 3600)}, and the budget is "
            f"{duration(min(limits) * 3600)}. Raise it, or offer fewer approaches."
        )
    return left


def price_arm(
    approach: Approach,
    basis: PlanBasis,
    calibration: Calibration,
    seconds_left: float,
    baseline_seconds: float,
) -> PricedArm:
    """Predict hours, dollars and memory of one arm, and plan it within `seconds_left`.

    `baseline_seconds` is what the reference takes, which is always trained beside it.
    """
    plan = make_plan(approach, basis)
    approach = plan.approach
    arm = calibration.arm(approach.kind)
    if arm is None:
        reasons = [why for kind, why in calibration.skipped if kind == approach.kind]
        why = reasons[0] if reasons else "it was not calibrated."
        return PricedArm(approach=approach, cost=None, plan=None, problems=(f"Not tried: {why}",))
    left = seconds_left - (0.0 if approach.kind == "baseline" else baseline_seconds)
    steps, shortened = _affordable_steps(plan, basis, arm, left)
    training = _training_seconds(arm, basis, steps)
    total = training + _evaluation_seconds(arm, basis)
    price = calibration.hardware.usd_per_hour
    cost = CostEstimate(
        hours=total / 3600,
        usd=None if price is None else total / 3600 * price,
        peak_memory_gib=_peak_gib(arm, calibration),
        basis="calibrated",
    )
    problems = _problems(approach, basis, cost, calibration.hardware, steps, total, left)
    if problems:
        return PricedArm(approach=approach, cost=cost, plan=None, problems=problems)
    plan = make_plan(
        approach,
        basis,
        max_steps=steps if steps else None,
        wall_seconds=left - _evaluation_seconds(arm, basis) - arm.save_seconds,
        predicted_hours=training / 3600,
        notes=(*plan.reasons, *((shortened,) if shortened else ())),
    )
    return PricedArm(approach=approach, cost=cost, plan=plan, problems=())


def ample_seconds(
    approach: Approach, basis: PlanBasis, calibration: Calibration, share: float = 1.0
) -> float | None:
    """Seconds of a training with `share` of its epochs and of its evaluation; None if not
    calibrated.

    At other sizes than the data's: with `PlanBasis.resized`.
    """
    arm = calibration.arm(approach.kind)
    if arm is None:
        return None
    steps = math.ceil(share * make_plan(approach, basis).max_steps)
    return _training_seconds(arm, basis, steps) + _evaluation_seconds(arm, basis)


def _peak_gib(arm: ArmCalibration, calibration: Calibration) -> float:
    on_host = calibration.hardware.device_memory_gib is None
    return arm.peak_memory_gib + (calibration.process_memory_gib if on_host else 0.0)


def _epochs(steps: int, plan: TrainingPlan, basis: PlanBasis) -> float:
    return steps * plan.batch_size / basis.facts.n_train


def _affordable_steps(
    plan: TrainingPlan, basis: PlanBasis, arm: ArmCalibration, left: float
) -> tuple[int, str | None]:
    """All the plan's steps where they fit; else what fits, but not below the least epochs."""
    wanted = plan.max_steps
    rest = _evaluation_seconds(arm, basis)
    if wanted == 0 or _training_seconds(arm, basis, wanted) + rest <= left:
        return wanted, None
    fixed = _training_seconds(arm, basis, 0)
    fitting = math.floor((PLANNED_SHARE * left - rest - fixed) / arm.seconds_per_step)
    least = math.ceil(wanted * min(1.0, min_epochs(plan.approach) / _epochs(wanted, plan, basis)))
    steps = max(least, min(wanted, fitting))
    if steps == wanted:
        return wanted, None
    return steps, (
        f"{steps} of {wanted} steps ({_epochs(steps, plan, basis):.1f} of "
        f"{_epochs(wanted, plan, basis):.1f} epochs): what the budget buys."
    )


def _training_seconds(arm: ArmCalibration, basis: PlanBasis, steps: int) -> float:
    facts = basis.facts
    match arm.kind:
        case "baseline":
            return arm.seconds_per_step + arm.save_seconds
        case "head":
            n_rows = facts.n_train - basis.n_encoded + facts.n_validation
            batches = n_rows / arm.batch_size
            return arm.setup_seconds + batches * arm.seconds_per_step
        case "contrastive":
            features = (facts.n_train + facts.n_validation) * arm.seconds_per_eval_row
            steps_seconds = steps * arm.seconds_per_step
            return arm.setup_seconds + steps_seconds + features + arm.save_seconds
        case "partial" | "full" | "lora" | "scratch":
            # What is frozen passes once over all rows.
            frozen = (facts.n_train + facts.n_validation) * arm.seconds_per_frozen_row
            # Looks at the validation split, each with a checkpoint at worst, and the last save.
            looks = EVALUATIONS * (facts.n_validation * arm.seconds_per_eval_row + arm.save_seconds)
            steps_seconds = steps * arm.seconds_per_step
            return arm.setup_seconds + frozen + steps_seconds + looks + arm.save_seconds


def _evaluation_seconds(arm: ArmCalibration, basis: PlanBasis) -> float:
    seconds_per_row = arm.seconds_per_eval_row + arm.seconds_per_frozen_row
    return arm.setup_seconds + basis.facts.n_test * seconds_per_row


def _problems(
    approach: Approach,
    basis: PlanBasis,
    cost: CostEstimate,
    hardware: Hardware,
    steps: int,
    total: float,
    left: float,
) -> tuple[str, ...]:
    problems = []
    if total > left:
        wanted = ample_steps(approach, basis.facts.n_train)
        least = f" even at {min_epochs(approach):g} epochs" if steps < wanted else ""
        problems.append(
            f"Needs about {duration(total)}{least}; the budget leaves {duration(left)}."
        )
    if cost.peak_memory_gib > hardware.training_memory_gib:
        problems.append(
            f"Needs about {cost.peak_memory_gib:.1f} GiB of memory; the machine has "
            f"{hardware.training_memory_gib:.1f} GiB. A smaller batch_size needs less."
        )
    return tuple(problems)
