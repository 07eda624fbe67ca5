"""How far a predicted cost may be off: limits around it, from what predictions missed by."""

from __future__ import annotations

import math

from zenml_ftvr.decide.curve import LEVEL
from zenml_ftvr.values import Calibration, CostLimits

__all__ = ["limits_of"]

CALIBRATED_HOURS, CALIBRATED_MEMORY = 0.09, 0.06
ARITHMETIC_HOURS, ARITHMETIC_MEMORY = 0.29, 0.09
"""Root mean square of log(measured / predicted), over the fourteen whole trainings of
benchmarks/results/cost.json: six approaches, 1 to 23 million weights, 32 to 128 tokens, half of
them calibrated at another length; from sizes, with numpy's rate at that moment. On one processor:
for accelerators nobody has measured it, and what the calibration says of them is taken to be as
good."""
UNKNOWN_RATE = 0.5
"""The same of the hours of an accelerator out of the catalogue: a fifth of its peak is a guess, and
small fine-tunings reach 10 to 35 %, which is what 80 % limits then hold. A judgement."""
NORMAL_90 = 1.2815515655446004
"""Quantile of the normal distribution that leaves a tenth on either side, for `LEVEL`."""


def limits_of(
    hours: float, usd_per_hour: float | None, memory_gib: float, calibration: Calibration
) -> CostLimits:
    """Limits at 80 % of hours, dollars and memory, which are log-normal around what is predicted.

    `memory_gib`: with what imports take, which was measured and is not widened.
    """
    hours_sd, memory_sd = CALIBRATED_HOURS, CALIBRATED_MEMORY
    if calibration.basis == "arithmetic":
        on_processor = calibration.hardware.device == "cpu"
        hours_sd = ARITHMETIC_HOURS if on_processor else UNKNOWN_RATE
        memory_sd = ARITHMETIC_MEMORY
    held = 0.0
    if calibration.hardware.device_memory_gib is None:
        held = min(memory_gib, calibration.process_memory_gib)
    low, high = _around(hours, hours_sd)
    least, most = _around(memory_gib - held, memory_sd)
    return CostLimits(
        level=LEVEL,
        hours=(low, high),
        usd=None if usd_per_hour is None else (low * usd_per_hour, high * usd_per_hour),
        peak_memory_gib=(held + least, held + most),
    )


def _around(value: float, log_sd: float) -> tuple[float, float]:
    factor = math.exp(NORMAL_90 * log_sd)
    return value / factor, value * factor
