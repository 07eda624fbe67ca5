"""What an arm costs from here on, and how many steps a budget buys."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from zenml_ftvr.approaches import min_epochs
from zenml_ftvr.approaches.pretraining import pretraining_steps
from zenml_ftvr.decide.cost_error import limits_of
from zenml_ftvr.decide.flops import flops_per_token
from zenml_ftvr.decide.plan import EVALUATIONS, PlanBasis, ample_steps, make_plan
from zenml_ftvr.decide.shapes import ModelShape
from zenml_ftvr.decide.transfer import model_of, training_peak_gib, transferred
from zenml_ftvr.errors import BudgetError
from zenml_ftvr.values import (
    Approach,
    ArmCalibration,
    Budget,
    Calibration,
    CostEstimate,
    Full,
    Hardware,
    Ledger,
    Limits,
    Lora,
    Scratch,
    TrainingPlan,
)
from zenml_ftvr.values.words import duration

__all__ = ["PricedArm", "ample_seconds", "beyond_limits", "hours_left", "price_arm"]

PLANNED_SHARE = 0.9
"""Of the time left, what a shortened plan may fill. Trainings by labels took .94 and 1.04 of what
was predicted (benchmarks/results/predictions.jsonl); the clock is the last resort."""


SAVE_EVERY_SECONDS = 300.0
"""Between checkpoints at most, and at most `SAVE_SHARE` of the time: as `train.loop` keeps them."""
SAVE_SHARE = 0.05

TOKENS_PER_WORD = 1.3
"""Of English in WordPiece: the built-in docstrings have 1.7 in MiniLM's, plain prose less; used
only where nothing was counted. A judgement."""


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
    if arm is not None:
        arm = transferred(arm, approach, basis, calibration)
    if arm is None:
        reasons = [why for kind, why in calibration.skipped if kind == approach.kind]
        why = reasons[0] if reasons else "it was not calibrated."
        return PricedArm(approach=approach, cost=None, plan=None, problems=(f"Not tried: {why}",))
    left = seconds_left - (0.0 if approach.kind == "baseline" else baseline_seconds)
    pretraining = pretraining_seconds(arm, approach, basis)
    steps, shortened = _affordable_steps(plan, basis, arm, left - pretraining)
    training = pretraining + _training_seconds(arm, basis, steps)
    total = training + _evaluation_seconds(arm, basis)
    price, peak = calibration.hardware.usd_per_hour, _peak_gib(arm, approach, basis, calibration)
    cost = CostEstimate(
        hours=total / 3600,
        usd=None if price is None else total / 3600 * price,
        peak_memory_gib=peak,
        basis=calibration.basis,
        limits=limits_of(total / 3600, price, peak, calibration),
    )
    problems = (
        *_problems(approach, basis, cost, calibration.hardware, steps, total, left),
        *beyond_limits(arm, cost, basis.limits),
    )
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
    plan = make_plan(approach, basis)
    arm = transferred(arm, plan.approach, basis, calibration)
    steps = math.ceil(share * plan.max_steps)
    pretraining = pretraining_seconds(arm, plan.approach, basis)
    return pretraining + _training_seconds(arm, basis, steps) + _evaluation_seconds(arm, basis)


def _peak_gib(
    arm: ArmCalibration, approach: Approach, basis: PlanBasis, calibration: Calibration
) -> float:
    on_host = calibration.hardware.device_memory_gib is None
    peak = training_peak_gib(arm, approach, basis, calibration.hardware)
    return peak + (calibration.process_memory_gib if on_host else 0.0)


def beyond_limits(arm: ArmCalibration, cost: CostEstimate, limits: Limits) -> tuple[str, ...]:
    """What the user's limits on memory, size and latency rule out, each with its numbers."""
    problems = []
    if limits.memory_gib is not None and cost.peak_memory_gib > limits.memory_gib:
        problems.append(
            f"Needs about {cost.peak_memory_gib:.1f} GiB of memory; limits.memory_gib allows "
            f"{limits.memory_gib:g} GiB. A smaller batch_size needs less."
        )
    if limits.parameters is not None and arm.n_params > limits.parameters:
        problems.append(
            f"Its model has {arm.n_params:,} parameters; limits.parameters allows "
            f"{limits.parameters:,}. A smaller base model has fewer."
        )
    if limits.latency_ms is None:
        return tuple(problems)
    if arm.latency_seconds is None:
        problems.append(
            f"How long one prediction takes was not measured, and limits.latency_ms allows "
            f"{limits.latency_ms:g} ms. Calibrate again."
        )
    elif 1000 * arm.latency_seconds > limits.latency_ms:
        problems.append(
            f"One prediction takes about {1000 * arm.latency_seconds:.3g} ms (median of single "
            f"rows on this machine); limits.latency_ms allows {limits.latency_ms:g} ms."
        )
    return tuple(problems)


def pretraining_seconds(arm: ArmCalibration, approach: Approach, basis: PlanBasis) -> float:
    """What learning from unlabelled texts takes before the labels; 0 where none are named.

    Steps over rows of full length, as many operations a token as a step over labels has, and the
    scores of all pieces at each position. Of another text's words as many tokens are made as of the
    training split's.
    """
    match approach:
        case Full() | Lora() | Scratch() if approach.pretrain_on is not None:
            n_words = dict(basis.unlabelled_words).get(approach.pretrain_on)
        case _:
            return 0.0
    length, facts = basis.max_length, basis.facts
    base = model_of(approach, basis, length)
    if n_words is None or base is None:
        return 0.0
    mean = arm.mean_tokens or TOKENS_PER_WORD * facts.n_words / facts.n_train
    per_word = mean * facts.n_train / max(1, facts.n_words)
    n_sequences = max(1, math.ceil(n_words * per_word / length))
    steps = pretraining_steps(n_sequences, approach.pretrain_epochs or 1.0, arm.batch_size)
    shape = ModelShape(
        model_type="", architecture=base, shared_output_params=base.vocabulary_size * base.hidden
    )
    plain = dataclasses.replace(shape, shared_output_params=0)
    measured = flops_per_token(approach, plain, max(1, round(mean))) * mean
    ratio = flops_per_token(approach, shape, length) * length / measured
    each = arm.update_seconds + (arm.seconds_per_step - arm.update_seconds) * ratio
    return steps * each


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
            saves = _saves_between(arm, steps_seconds) * _checkpoint_seconds(arm)
            return arm.setup_seconds + steps_seconds + saves + features + arm.save_seconds
        case "partial" | "full" | "lora" | "scratch":
            # What is frozen passes once over all rows.
            frozen = (facts.n_train + facts.n_validation) * arm.seconds_per_frozen_row
            looks = EVALUATIONS * facts.n_validation * arm.seconds_per_eval_row
            steps_seconds = steps * arm.seconds_per_step
            saves = _checkpoints(arm, steps_seconds) * _checkpoint_seconds(arm)
            before = arm.setup_seconds + frozen
            return before + steps_seconds + looks + saves + arm.save_seconds


def _checkpoint_seconds(arm: ArmCalibration) -> float:
    """Of one checkpoint: what the model's own saving takes, and the moments of what is trained, two
    numbers a weight, at the same rate."""
    written = arm.n_trainable if arm.kind == "lora" else arm.n_params
    return arm.save_seconds * (1 + 2 * arm.n_trainable / max(1, written))


def _checkpoints(arm: ArmCalibration, steps_seconds: float) -> int:
    """One at every look, and between two as many as the clock asks for."""
    return EVALUATIONS * (1 + _saves_between(arm, steps_seconds / EVALUATIONS))


def _saves_between(arm: ArmCalibration, seconds: float) -> int:
    """As many as the clock asks for in so long a time without a look."""
    wait = max(SAVE_EVERY_SECONDS, _checkpoint_seconds(arm) / SAVE_SHARE)
    return math.floor(seconds / wait)


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
