"""What the command is asked, and what it answers."""

from __future__ import annotations

import dataclasses

from zenml_ftvr.decide import PlanBasis
from zenml_ftvr.decide.estimate import EstimatedArm
from zenml_ftvr.models.described import DescribedModel
from zenml_ftvr.values import (
    Calibration,
    DataProfile,
    Limits,
)

__all__ = ["Answer", "Asked"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command's arguments and options."""

    model: str
    rows: int | None = None
    tokens: float | None = None
    classes: int = 2
    data: str | None = None
    text_column: str = "text"
    label_column: str = "label"
    max_length: int = 128
    accelerator: str | None = None
    devices: int = 1
    utilisation: float | None = None
    usd_per_hour: float | None = None
    hours: float | None = None
    usd: float | None = None
    calibration: str | None = None
    limits: Limits = dataclasses.field(default_factory=Limits)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was worked out, and from what."""

    model: DescribedModel
    profile: DataProfile
    calibration: Calibration
    arms: tuple[EstimatedArm, ...]
    basis: PlanBasis
    said: tuple[str, ...]
    """What the numbers rest on, each a sentence."""
