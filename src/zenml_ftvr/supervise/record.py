"""What is known of a step's process, in a file that every process of this machine can read."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "RECORD_VARIABLE",
    "Ending",
    "Limits",
    "ProcessId",
    "ProcessRecord",
    "record_of_this_process",
]

RECORD_VARIABLE = "ZENML_FTVR_PROCESS_RECORD"
"""Names, for the child, the file with its record: a later process asks it how the child ended."""

Ending = Literal["itself", "memory", "wall_clock", "request", "parent_gone"]
"""`itself` covers whatever came from outside of the supervisor too, such as the kernel."""

START_TOLERANCE_SECONDS = 1.0  # off Linux, where a start time is a rounded clock time


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """A process, told from a later one that was given the same number."""

    pid: int
    started: float
    """On Linux clock ticks since boot, which no change of the clock moves; else seconds (Unix)."""

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The process that has this number now; None where there is none, or only its zombie."""
        started = _started(pid)
        return None if started is None else cls(pid=pid, started=started)

    @property
    def is_alive(self) -> bool:
        started = _started(self.pid)
        tolerance = 0.0 if sys.platform == "linux" else START_TOLERANCE_SECONDS
        return started is not None and abs(started - self.started) <= tolerance

    def send(self, number: int) -> None:
        """Signal it, if it is still this process."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def send_group(self, number: int) -> None:
        """Signal the group that it leads, if it is still this process."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)


def _started(pid: int) -> float | None:
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
        state, started = fields[0], fields[19]  # fields 3 and 22 of proc(5)
        return None if state in "ZX" else float(started)
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What ends a process."""

    memory_gib: float | None = None
    """Resident memory of the process and of all that it started, together."""
    wall_hours: float | None = None
    grace_seconds: float = 10.0
    """Between SIGTERM and SIGKILL: a training saves a checkpoint in well under a second, and a
    large model may take some; ten is a judgement, and less than a pod's default of 30."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """A step's process as its supervisor last wrote it down."""

    step: str
    host: str
    supervisor: ProcessId
    limits: Limits
    gpus: tuple[str, ...] = ()
    """The devices that it was given, where it asked for any."""
    child: ProcessId | None = None
    seconds: float = 0.0
    peak_memory_gib: float = 0.0
    kernel_kills: int = 0
    """Processes that the kernel ended for want of memory in this control group, meanwhile."""
    exit_code: int | None = None
    """None while it runs; minus the signal where one ended it."""
    ended_by: Ending | None = None
    signal_asked: int | None = None
    """What the supervisor was sent, where a request ended it."""

    @property
    def is_running(self) -> bool:
        """Neither ended nor lost."""
        return self.exit_code is None and self.supervisor.is_alive

    @property
    def for_want_of_memory(self) -> bool:
        """Whether the limit ended it, or the kernel did, as its control group counts."""
        by_kernel = self.exit_code == -signal.SIGKILL and self.kernel_kills > 0
        return self.ended_by == "memory" or by_kernel

    @property
    def signal_name(self) -> str | None:
        if self.exit_code is None or self.exit_code >= 0:
            return None
        with contextlib.suppress(ValueError):
            return signal.Signals(-self.exit_code).name
        return f"signal {-self.exit_code}"

    def write(self, path: Path) -> None:
        """Whole or not at all: a reader never sees half a record."""
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> ProcessRecord | None:
        """None where there is no record. What another version wrote beyond this is left out."""
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        content["supervisor"] = ProcessId(**content["supervisor"])
        content["limits"] = Limits(**content["limits"])
        content["gpus"] = tuple(content["gpus"])
        if content["child"] is not None:
            content["child"] = ProcessId(**content["child"])
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in content.items() if name in known})


def record_of_this_process() -> Path | None:
    """The record's file of the supervised process that this is, or is below; None for no such."""
    path = os.environ.get(RECORD_VARIABLE)
    return None if path is None else Path(path)
