"""How a step is to be run, as the trainer resolved it: one variable in the step's environment."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from zenml_ftvr.errors import ConfigurationError

__all__ = ["EXECUTION_VARIABLE", "Execution"]

EXECUTION_VARIABLE = "ZENML_FTVR_TRAINER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What the trainer grants to one step."""

    trainer: str
    """Name of the component."""
    target: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    workers: int = 1
    """Processes that train together."""
    threads: int | None = None
    """For all workers together; None where nothing was asked for."""
    gpu_count: int | None = None
    """For all workers together; None where nothing was asked for."""
    gpus: tuple[str, ...] | None = None
    """Which, as CUDA_VISIBLE_DEVICES names them; None where nothing was asked for, or Ray chooses.
    """
    memory_limit_gib: float | None = None
    wall_hours: float | None = None
    hardware: str | None = None
    """As the user names it; None: it is detected."""
    usd_per_hour: float | None = None

    def to_environment(self) -> dict[str, str]:
        """The variable, to be given to the step's process."""
        return {EXECUTION_VARIABLE: json.dumps(dataclasses.asdict(self))}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Execution | None:
        """What this process was granted; None where no trainer started it."""
        text = (os.environ if environment is None else environment).get(EXECUTION_VARIABLE)
        if text is None:
            return None
        try:
            content = json.loads(text)
            if content["gpus"] is not None:
                content["gpus"] = tuple(content["gpus"])
            return cls(**content)
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigurationError(
                f"{EXECUTION_VARIABLE} is {text!r:.80}, which the trainer did not write ({error}). "
                f"Unset it: it is not for users."
            ) from error
