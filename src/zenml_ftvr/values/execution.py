"""How a step is to be run, as the trainer resolved it: one variable in the step's environment."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from zenml_ftvr.errors import ConfigurationError

__all__ = ["EXECUTION_VARIABLE", "Execution", "Sharding"]

EXECUTION_VARIABLE = "ZENML_FTVR_TRAINER"

Sharding: TypeAlias = Literal["none", "full"]
"""Whether each worker holds the whole model, or a part of its weights, gradients and moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What the trainer grants to one step."""

    trainer: str
    """Name of the component."""
    target: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    ray_storage: str | None = None
    """Where workers on several machines keep what must outlive them: a folder that all of them see,
    or the URI of one in an object store."""
    workers: int = 1
    """Processes that train together; on Ray, the most."""
    least_workers: int | None = None
    """On Ray: with how many a training goes on; None: with all of them only."""
    sharding: Sharding = "none"
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
