"""What it would run on: a stored calibration, an accelerator by its name, or this machine."""

from __future__ import annotations

import dataclasses
import json

from pydantic import TypeAdapter, ValidationError

from zenml_ftvr.cli.estimate.asked import Asked
from zenml_ftvr.decide.accelerators import ACCELERATORS, accelerator_named
from zenml_ftvr.decide.estimate import (
    ACCELERATOR_UTILISATION,
    PROCESSOR_UTILISATION,
    Rate,
)
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.hardware import detect_without_torch, matrix_flops_per_second
from zenml_ftvr.values import (
    Accelerator,
    Approach,
    Calibration,
    Full,
    Hardware,
    Lora,
    Partial,
    Scratch,
)
from zenml_ftvr.values.written import name_or_guess, user_path

__all__ = ["machine", "rounded", "stored"]


def stored(asked: Asked) -> Calibration:
    """A calibration as the pipelines' artifact, or as plain JSON of its fields."""
    path = user_path(str(asked.calibration))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        fields = content.get("value", content)
        found = TypeAdapter(Calibration).validate_python(fields)
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(
            f"--calibration {path} holds no calibration ({reason}). Give value.json of the "
            f"artifact that the step calibrate stored."
        ) from error
    price = asked.usd_per_hour or found.hardware.usd_per_hour
    hardware = dataclasses.replace(found.hardware, usd_per_hour=price)
    return dataclasses.replace(found, hardware=hardware, seconds=0.0)


def machine(asked: Asked) -> tuple[Hardware, Rate]:
    """The accelerator that was named, or this machine."""
    if asked.accelerator is not None:
        named = _named(asked.accelerator)
        return _with(named, asked), _rate_of(named, asked)
    here = detect_without_torch(asked.usd_per_hour)
    if here.device == "cuda":
        found = accelerator_named(here.device_name)
        if found is None:
            raise ConfigurationError(
                f"this machine has a {here.device_name}, which the catalogue does not list. Name "
                f"one like it with --accelerator. Known: {_names()}."
            )
        return here, _rate_of(found, asked)
    share = asked.utilisation or PROCESSOR_UTILISATION
    measured = matrix_flops_per_second()
    return here, Rate(
        flops_per_second=measured * share,
        why=(
            f"{here.device_name}, {here.cores} cores: {measured / 1e9:,.0f} GFLOP/s in products of "
            f"matrices just now, of which training reaches {share:.0%}."
        ),
    )


def _names() -> str:
    return ", ".join(one.name for one in ACCELERATORS)


def _named(name: str) -> Accelerator:
    for one in ACCELERATORS:
        if one.name.lower() == name.strip().lower():
            return one
    if (reported := accelerator_named(name)) is not None:
        return reported
    raise ConfigurationError(
        f"--accelerator '{name}' is unknown.{name_or_guess(name, [x.name for x in ACCELERATORS])}"
    )


def _with(found: Accelerator, asked: Asked) -> Hardware:
    return Hardware(
        device="cuda",
        device_name=found.name,
        n_devices=asked.devices,
        cores=1,
        memory_gib=found.memory_gib,
        device_memory_gib=found.memory_gib,
        usd_per_hour=asked.usd_per_hour,
    )


def _rate_of(found: Accelerator, asked: Asked) -> Rate:
    share = asked.utilisation or ACCELERATOR_UTILISATION
    precision, peak = ("bf16", found.peak("bf16")) if found.peak("bf16") else ("fp32", None)
    peak = peak or found.peak("fp32") or 0.0
    several = f"{asked.devices} x " if asked.devices > 1 else ""
    return Rate(
        flops_per_second=peak * share * asked.devices,
        why=(
            f"{several}{found.name}: {peak / 1e12:,.0f} TFLOP/s in {precision} ({found.source}), "
            f"of which training is taken to reach {share:.0%}"
            f"{'' if asked.utilisation else ', a guess (small fine-tunings: 10 to 35 %)'}."
        ),
    )


def rounded(approach: Approach, hardware: Hardware) -> Approach:
    """The approach in what an accelerator with a fast 16-bit path computes in."""
    found = accelerator_named(hardware.device_name) or next(
        (one for one in ACCELERATORS if one.name == hardware.device_name), None
    )
    if found is None or found.peak("bf16") is None:
        return approach
    match approach:
        case Partial() | Full() | Lora() | Scratch() if approach.precision == "auto":
            return dataclasses.replace(approach, precision="bf16")
        case _:
            return approach
