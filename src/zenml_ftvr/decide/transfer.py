"""What was measured at one length, told for another: a measurement times a ratio of arithmetic.

Where data and length are those of the calibration, nothing changes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from zenml_ftvr.approaches import Architecture, scratch
from zenml_ftvr.approaches.facts import FULL_PRECISION_BYTES, GIB
from zenml_ftvr.approaches.memory import memory_settings, training_memory
from zenml_ftvr.decide.flops import flops_per_token, forward_flops_per_token
from zenml_ftvr.decide.plan import PlanBasis
from zenml_ftvr.decide.shapes import ModelShape
from zenml_ftvr.values import (
    Approach,
    ArmCalibration,
    Calibration,
    Hardware,
    Partial,
    Scratch,
    TrainingMemory,
)

__all__ = ["Lengths", "model_of", "training_peak_gib", "transferred"]

FIRST_CALLS_GIB = 20 / 1024
"""Of a measured peak on a CPU, what does not grow with the length of rows: code that is touched,
kernels that are made ready, rows and the loop's own records. With adapters in a model of 17 MiB the
peak is 104 MiB at 64 tokens and 165 at 128, where activations alone would say 86 and 165, which 34
MiB explain; with a model from nothing 8 do (benchmarks/results/cost.jsonl)."""
GROWN_GIB = 20 / 1024
"""What a whole training holds more than its first steps, on a CPU: batches of ever other lengths
leave ever more freed blocks between those in use. 10 to 40 MiB where both were measured at one
length (the same), and a copy of the weights finds place among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Tokens of the mean and of the longest row."""

    mean: float
    longest: int


def model_of(approach: Approach, basis: PlanBasis, max_length: int) -> Architecture | None:
    """The sizes of what a resolved approach trains; None where they are not known."""
    if not isinstance(approach, Scratch):
        return basis.facts.architecture
    depth = approach.depth or scratch.MIN_DEPTH
    pieces = approach.vocabulary_size or scratch.MIN_VOCABULARY
    return scratch.architecture(depth, pieces, max_length, basis.facts.form)


def transferred(
    arm: ArmCalibration, approach: Approach, basis: PlanBasis, calibration: Calibration
) -> ArmCalibration:
    """The calibration as it would have been made on the plan's own rows.

    Of a step, the optimiser's update stays, and the rest goes with the operations; so do rows that
    are only read. Evaluations pad to the longest row of a batch, so that the longest counts there.
    Latency of a single row stays: so little is mostly calls. Memory: see `training_peak_gib`.
    """
    there = _measured_at(arm)
    here = None if there is None else _planned_at(arm, there, basis, calibration)
    base = None if here is None else model_of(approach, basis, here.longest)
    if there is None or here is None or base is None or there == here:
        return arm
    shape = ModelShape(
        model_type="", architecture=base, attended_share=0.5 if base.form == "decoder" else 1.0
    )

    def trained(length: float) -> float:
        return flops_per_token(approach, shape, max(1, round(length))) * length

    def read(length: float) -> float:
        return forward_flops_per_token(shape, max(1, round(length))) * length

    steps = trained(here.mean) / trained(there.mean) if trained(there.mean) else 1.0
    rows = read(here.mean) / read(there.mean)
    pads = arm.kind not in ("head", "contrastive")  # those sort all rows by length first
    padded = read(here.longest) / read(there.longest) if pads else rows
    return dataclasses.replace(
        arm,
        seconds_per_step=arm.update_seconds + (arm.seconds_per_step - arm.update_seconds) * steps,
        seconds_per_eval_row=arm.seconds_per_eval_row * padded,
        seconds_per_frozen_row=arm.seconds_per_frozen_row * rows,
        peak_memory_gib=_peak_at(arm, approach, base, there, here, calibration.hardware),
        mean_tokens=here.mean,
        longest_tokens=here.longest,
    )


def _measured_at(arm: ArmCalibration) -> Lengths | None:
    if arm.mean_tokens is None or arm.longest_tokens is None:
        return None
    return Lengths(mean=arm.mean_tokens, longest=arm.longest_tokens)


def _planned_at(
    arm: ArmCalibration, there: Lengths, basis: PlanBasis, calibration: Calibration
) -> Lengths | None:
    """Of the plan's rows; in pieces of its own tokenizer as much longer as in the base model's."""
    facts = basis.facts
    same_data = calibration.data_fingerprint == basis.data_fingerprint
    if facts.mean_tokens is None or facts.longest_tokens is None:
        return there
    if same_data and calibration.max_length == basis.max_length:
        return there
    if arm.kind != "scratch":
        return Lengths(mean=facts.mean_tokens, longest=facts.longest_tokens)
    if calibration.mean_tokens is None or calibration.longest_tokens is None:
        return None
    longer = facts.longest_tokens / calibration.longest_tokens
    longest = min(basis.max_length, max(1, round(there.longest * longer)))
    mean = there.mean * facts.mean_tokens / calibration.mean_tokens
    return Lengths(mean=min(mean, longest), longest=longest)


def _peak_at(
    arm: ArmCalibration,
    approach: Approach,
    base: Architecture,
    there: Lengths,
    here: Lengths,
    hardware: Hardware,
) -> float:
    """What was measured beyond weights, gradients, moments and first calls grows as activations do.

    That keeps what the allocator holds in proportion, which no arithmetic gives.
    """
    before, after = (
        _memory(approach, base, lengths.longest, hardware) for lengths in (there, here)
    )
    first = FIRST_CALLS_GIB if hardware.device_memory_gib is None else 0.0
    held = min(arm.peak_memory_gib, before.held / GIB + first)
    growth = after.moving / max(1, before.moving)
    return held + (arm.peak_memory_gib - held) * growth


def _memory(
    approach: Approach, base: Architecture, length: int, hardware: Hardware
) -> TrainingMemory:
    settings = dataclasses.replace(memory_settings(approach, base, length), device=hardware.device)
    return training_memory(approach, base, settings)


def training_peak_gib(
    arm: ArmCalibration, approach: Approach, basis: PlanBasis, hardware: Hardware
) -> float:
    """The measured peak, and what a whole training holds that a few steps do not.

    On a CPU: weights are copied while they are written, beside what the allocator keeps of the
    steps before (of `lora` only adapters are), or among what that has grown by; of `partial` the
    states that frozen layers make of all rows are mapped into memory.
    """
    if hardware.device_memory_gib is not None:
        return arm.peak_memory_gib
    facts, base = basis.facts, basis.facts.architecture
    beside = 0.0 if arm.kind == "baseline" else GROWN_GIB * GIB
    if arm.kind in ("head", "partial", "full", "scratch"):
        beside = max(beside, FULL_PRECISION_BYTES * float(arm.n_params))
    if base is not None and isinstance(approach, Partial) and arm.seconds_per_frozen_row > 0:
        tokens = (facts.n_train + facts.n_validation) * (arm.mean_tokens or 0.0)
        beside += FULL_PRECISION_BYTES * base.hidden * tokens
    return arm.peak_memory_gib + beside / GIB
