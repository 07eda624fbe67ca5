"""What a training tells a tracker, whichever it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from zenml_ftvr.tracking.contents import ReportContent
from zenml_ftvr.values import TrackedRun, TrackingSettings

__all__ = [
    "WANDB_REPORT_FILE",
    "Cell",
    "EndedBy",
    "JobType",
    "NoTracker",
    "RunDescription",
    "RunTracker",
    "TrackedArtifact",
    "open_run",
]

Cell = str | int | float | bool | None
EndedBy = Literal["block", "tracker", "another", "nobody"]
"""`block`: the `with` block that opened it. `tracker`: our tracker in the stack. `another`: whoever
else opened it."""
WANDB_REPORT_FILE = "wandb_report.json"  # where a report waits for `zenml-ftvr publish`
NAME_LENGTH = 128  # of an artifact's name in W&B
JobType = Literal["data", "pilot", "train", "eval", "decide", "report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDescription:
    """What a run is, before it begins."""

    name: str
    group: str
    """The experiment."""
    job_type: JobType
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    """JSON-able; goes under our own prefix. No text of the user's belongs in it."""
    run_id: str | None = None
    """A run of this id that is there already is continued; None for a new one."""
    continues: TrackedRun | None = None
    """The run of an earlier attempt at the same work, which is gone on in instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedArtifact:
    """A data set or a model as lineage shows it: what it is, not what is in it."""

    name: str
    kind: Literal["dataset", "model"]
    fingerprint: str
    """Tells versions apart."""
    metadata: Mapping[str, Any]

    @property
    def wandb_name(self) -> str:
        """The name with only what W&B takes in one, and no longer than it takes."""
        return re.sub(r"[^A-Za-z0-9_.]+", "-", self.name)[:NAME_LENGTH]


class RunTracker(Protocol):
    """One run."""

    @property
    def ended_by(self) -> EndedBy:
        """Who ends it."""

    def log(self, metrics: Mapping[str, float], global_step: int) -> None:
        """Readings at an optimiser step."""

    def summarize(self, values: Mapping[str, float | int | str]) -> None:
        """What the run ends with."""

    def attach(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """A table."""

    def uses(self, artifact: TrackedArtifact) -> None:
        """What the run was given."""

    def makes(self, artifact: TrackedArtifact) -> None:
        """What came out of the run."""

    def register(self, artifact: TrackedArtifact, registry: str) -> None:
        """Put a model that a run made into a registry, where there is one to reach."""

    def publish(self, content: ReportContent, file: Path) -> str | None:
        """Write the report into `file`, and show it where it can be read; its address, if so."""

    def tracked(self) -> TrackedRun | None:
        """Where the run can be found; None where nothing is kept."""


class NoTracker:
    """Keeps nothing."""

    ended_by: EndedBy = "nobody"

    def log(self, metrics: Mapping[str, float], global_step: int) -> None:
        """Nothing."""

    def summarize(self, values: Mapping[str, float | int | str]) -> None:
        """Nothing."""

    def attach(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Nothing."""

    def uses(self, artifact: TrackedArtifact) -> None:
        """Nothing."""

    def makes(self, artifact: TrackedArtifact) -> None:
        """Nothing."""

    def register(self, artifact: TrackedArtifact, registry: str) -> None:
        """Nothing."""

    def publish(self, content: ReportContent, file: Path) -> str | None:
        """Nowhere."""
        return None

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
