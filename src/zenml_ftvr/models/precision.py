"""How many bits layers compute with, and what else only some devices can do."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal, TypeAlias

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values import Approach, Full, Lora, Partial, Precision, Scratch

__all__ = [
    "Computed",
    "Device",
    "device_refusal",
    "precision_for",
    "require",
    "this_device",
    "training_precision",
]

Computed: TypeAlias = Literal["fp32", "bf16", "fp16"]
"""A precision that a device was found to have."""

INSTALL_BITSANDBYTES = "pip install 'zenml-ftvr[cuda]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What of a device decides how it can train."""

    kind: Literal["cpu", "cuda", "mps"]
    has_bf16: bool
    """Computes with bfloat16 in hardware; on a CPU torch does it in software too."""
    has_bitsandbytes: bool
    """The package with 8-bit optimisers and 4-bit weights is installed."""


def this_device() -> Device:
    """The device that training will use."""
    import torch

    has_bitsandbytes = importlib.util.find_spec("bitsandbytes") is not None
    if torch.cuda.is_available():
        in_hardware = torch.cuda.is_bf16_supported(including_emulation=False)
        return Device(kind="cuda", has_bf16=in_hardware, has_bitsandbytes=has_bitsandbytes)
    if torch.backends.mps.is_available():
        # torch's autocast takes bfloat16 from macOS 14 on.
        newer = torch.backends.mps.is_macos_or_newer(14, 0)
        return Device(kind="mps", has_bf16=newer, has_bitsandbytes=has_bitsandbytes)
    return Device(kind="cpu", has_bf16=True, has_bitsandbytes=has_bitsandbytes)


def precision_for(wanted: Precision, device: Device) -> Computed:
    """The precision to train with; `ConfigurationError` where the device cannot.

    `auto` on CUDA is bf16 where the card has it, whose range needs no loss scaling (Kalamkar et al.
    2019, arXiv 1905.12322), else fp16 with loss scaling (Micikevicius et al. 2018, arXiv
    1710.03740). On a CPU it is fp32: where bf16 was measured, a step took as long and a seventh
    less memory (benchmarks/results/variants.jsonl). On MPS it is fp32 because nothing was measured.
    """
    match wanted:
        case "auto":
            if device.kind != "cuda":
                return "fp32"
            return "bf16" if device.has_bf16 else "fp16"
        case "fp32":
            return "fp32"
        case "bf16":
            if not device.has_bf16:
                raise ConfigurationError(
                    f"precision is 'bf16', which this machine's {device.kind} device does not "
                    f"compute with. Use 'fp16', 'fp32' or 'auto'."
                )
            return "bf16"
        case "fp16":
            if device.kind == "cpu":
                raise ConfigurationError(
                    "precision is 'fp16', but training would run on a CPU, where torch scales no "
                    "losses for it. Use 'bf16', 'fp32' or 'auto'."
                )
            return "fp16"
        case _:
            raise ConfigurationError(
                f"precision is '{wanted}'. Use 'auto', 'fp32', 'bf16' or 'fp16'."
            )


def training_precision(approach: Approach, device: Device) -> Computed:
    """The precision that an approach's steps are taken with on `device`."""
    match approach:
        case Partial() | Full() | Lora() | Scratch():
            return precision_for(approach.precision, device)
        case _:
            return "fp32"


def device_refusal(approach: Approach, device: Device) -> str | None:
    """Why `approach` cannot be trained on `device`, and the next move; None where it can.

    Asked before any work is done: the answer needs neither data nor model.
    """
    try:
        training_precision(approach, device)
    except ConfigurationError as error:
        return error.message
    match approach:
        case Lora(quantise="4bit"):
            knob, otherwise = "Lora.quantise is '4bit'", "quantise: nothing"
        case Full(optimiser="adamw_8bit"):
            knob, otherwise = "Full.optimiser is 'adamw_8bit'", "optimiser: adamw"
        case _:
            return None
    if device.kind != "cuda":
        return (
            f"{knob}, which needs an NVIDIA card; this machine would train on "
            f"'{device.kind}'. Set {otherwise}, or train where there is one."
        )
    if not device.has_bitsandbytes:
        return (
            f"{knob}, which needs the package bitsandbytes, and it is not installed. "
            f"{INSTALL_BITSANDBYTES}, or set {otherwise}."
        )
    return None


def require(approach: Approach, device: Device) -> None:
    """Raise `ConfigurationError` where `approach` cannot be trained on `device`."""
    why = device_refusal(approach, device)
    if why is not None:
        raise ConfigurationError(why)
