"""What a training tells a tracker, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from zenml_ftvr.values import TrackedRun, TrackingSettings

__all__ = ["NoTracker", "RunDescription", "RunTracker", "open_run"]

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDescription:
    """What a run is, before it begins."""

    name: str
    group: str
    job_type: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    """JSON-able; goes under our own prefix. No text of the user's belongs in it."""


class RunTracker(Protocol):
    """One run."""

    def log(self, metrics: Mapping[str, float], global_step: int) -> None:
        """Readings at an optimiser step."""

    def summarize(self, values: Mapping[str, float | int | str]) -> None:
        """What the run ends with."""

    def attach(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """A table."""

    def tracked(self) -> TrackedRun | None:
        """Where the run can be found; None where nothing is kept."""


class NoTracker:
    """Keeps nothing."""

    def log(self, metrics: Mapping[str, float], global_step: int) -> None:
        """Nothing."""

    def summarize(self, values: Mapping[str, float | int | str]) -> None:
        """Nothing."""

    def attach(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Nothing."""

    def tracked(self) -> TrackedRun | None:
        """Nowhere."""
        return None


def open_run(
    settings: TrackingSettings, description: RunDescription
) -> AbstractContextManager[RunTracker]:
    """A run that ends with the `with` block: as failed when the block raises.

    A run that an experiment tracker of the stack has opened is used, and left open for it.
    """
    if settings.mode == "disabled":
        return nullcontext(NoTracker())
    from zenml_ftvr.tracking.wandb import open_wandb_run

    return open_wandb_run(settings, description)
