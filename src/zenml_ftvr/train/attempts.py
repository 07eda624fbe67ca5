"""The attempts at one plan: what each did and took, and that there is one at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.models import cache_folder
from zenml_ftvr.supervise import ProcessId, ProcessRecord, kill_counters, record_of_this_process
from zenml_ftvr.train.brake import Decisions
from zenml_ftvr.train.fingerprint import training_fingerprint
from zenml_ftvr.train.journal import BEAT, JOURNAL, Journal, lines_of
from zenml_ftvr.train.mirror import RemoteFiles, journal_there, mirrored
from zenml_ftvr.values import Braking, TrackedRun, TrainingPlan

__all__ = [
    "Attempt",
    "Journal",
    "Killed",
    "attempt_at",
    "killed_at",
    "run_folder",
    "tracked_before",
]

MUTEX = "owners.lock"
BEAT_SECONDS = 0.25  # between signs of life: what is not known of the time of a killed attempt
SILENT_SECONDS = 600.0
"""After which an owner on another machine, which cannot be looked for, is taken for gone: far more
than a shared folder's caches hold a sign of life back. A judgement."""
KEPT_SECONDS = 30 * 24 * 3600.0  # of runs that did not end: longer than holidays. A judgement
RUN_NAME = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}")


def run_folder(plan: TrainingPlan, runs: Path | None) -> Path:
    """Where a plan's checkpoints survive: named by all that decides its weights.

    `runs` holds the folders of all plans; by default `runs` in the cache folder.
    """
    name = f"{training_fingerprint(plan)}-{plan.data_fingerprint[:16]}"
    return (runs or cache_folder() / "runs") / name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Owner:
    """A process, named so that another one with its number is not taken for it."""

    pid: int
    started: float
    """As `supervise.ProcessId` has it: on Linux nothing that a change of the clock moves."""
    host: str


def _owner_file(folder: Path) -> Path:
    """Beside the folder: it outlives that by a moment."""
    return folder.with_name(f"{folder.name}.owner")


def _this_process() -> _Owner:
    me = ProcessId.of(os.getpid())
    return _Owner(
        pid=os.getpid(), started=0.0 if me is None else me.started, host=socket.gethostname()
    )


def _is_alive(owner: _Owner, folder: Path) -> bool:
    if owner.host != socket.gethostname():
        signs = [_owner_file(folder), folder / BEAT]
        last = max((path.stat().st_mtime for path in signs if path.exists()), default=0.0)
        return _now_on_disk(folder.parent) - last < SILENT_SECONDS
    return ProcessId(pid=owner.pid, started=owner.started).is_alive


def _now_on_disk(runs: Path) -> float:
    """By the clock that stamps the files there, which may not be this machine's."""
    os.utime(runs / MUTEX)
    return (runs / MUTEX).stat().st_mtime


def _owner_of(folder: Path) -> _Owner | None:
    """None where there is none, or only half a line of one."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return _Owner(**json.loads(_owner_file(folder).read_text(encoding="utf-8")))
    return None


@contextmanager
def _mutex(folder: Path) -> Iterator[None]:
    """Only one process at a time looks at who the owner is; the kernel frees it if that dies."""
    import fcntl

    with (folder.parent / MUTEX).open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _forget_old(runs: Path, but: Path) -> None:
    """Remove what was left of plans that nobody has gone on with for a month.

    What a living process is at stays, though a clock that jumps makes it look old.
    """
    now = _now_on_disk(runs)
    for folder in runs.iterdir():
        if folder == but or not RUN_NAME.fullmatch(folder.name) or not folder.is_dir():
            continue
        last = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
        owner = _owner_of(folder)
        if now - last > KEPT_SECONDS and (owner is None or not _is_alive(owner, folder)):
            shutil.rmtree(folder, ignore_errors=True)
            _owner_file(folder).unlink(missing_ok=True)


def _take(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with _mutex(folder):
        _forget_old(folder.parent, but=folder)
        owner = _owner_of(folder)
        if owner is not None and _is_alive(owner, folder):
            raise TrainingError(
                f"this plan is being trained already, by process {owner.pid} on {owner.host}. "
                f"Wait for it, or stop it; its folder is {folder}."
            )
        _owner_file(folder).write_text(json.dumps(asdict(_this_process())), encoding="utf-8")


def _let_go(folder: Path) -> None:
    with _mutex(folder):
        _owner_file(folder).unlink(missing_ok=True)


class Attempt:
    """One process's go at a plan. What was done before it is in the journal of its folder."""

    def __init__(self, folder: Path, began: float, tracked: TrackedRun | None = None) -> None:
        self.folder = folder
        self.journal = Journal(folder)
        self._began = began
        begun, ended = self.journal.lines("began"), self.journal.lines("ended")
        if len(begun) > len(ended):
            end = {"why": "killed", "seconds": self.journal.last_beat()}
            self.journal.note("ended", end | _want_of_memory(begun[-1]))
        self.journal.beat(0.0)
        record = record_of_this_process()
        began_as = {
            "at": time.time(),
            **asdict(_this_process()),
            "record": None if record is None else str(record),
            "kernel_kills": kill_counters(),
            "tracked": None if tracked is None else asdict(tracked),
        }
        self.journal.note("began", began_as)

    @property
    def failed_seconds(self) -> tuple[float, ...]:
        """What each attempt before this one took."""
        return tuple(float(line["seconds"]) for line in self.journal.lines("ended"))

    @property
    def brakings(self) -> tuple[Braking, ...]:
        """What the clock has changed of the plan, in this attempt or before."""
        return tuple(
            Braking(seed=line["seed"], step=line["step"], cool_steps=line["cool_steps"])
            for line in self.journal.lines("brake")
        )

    def decisions(self, seed: int) -> Decisions:
        """Those of one seed's run, and where more are noted."""

        def note(step: int, cool_steps: int | None) -> None:
            self.brake(Braking(seed=seed, step=step, cool_steps=cool_steps))

        before = {one.step: one.cool_steps for one in self.brakings if one.seed == seed}
        return Decisions(before, note)

    def brake(self, braking: Braking) -> None:
        """Note what the clock changed."""
        self.journal.note("brake", asdict(braking))

    @property
    def seconds(self) -> float:
        """Of this attempt, so far."""
        return time.monotonic() - self._began

    def alive(self) -> None:
        """Show a sign of life."""
        self.journal.beat(self.seconds)

    def fail(self, why: str) -> None:
        """Note an end that was no success."""
        self.journal.note("ended", {"why": why, "seconds": self.seconds})


def _want_of_memory(began: dict[str, Any]) -> dict[str, Any]:
    """The memory that a killed attempt held, in GiB, where it was killed for want of it; else {}.

    The trainer's supervisor knows; without one, the kernel's counters on this machine say whether
    it has ended a process since that attempt began.
    """
    if began["host"] != socket.gethostname():
        return {}
    record = ProcessRecord.read(Path(began["record"])) if began.get("record") else None
    if record is not None and record.for_want_of_memory:
        return {
            "memory": {"held_gib": record.peak_memory_gib, "limit_gib": record.limits.memory_gib}
        }
    if record is not None and record.exit_code is not None:
        return {}  # it saw the end, and it was another
    before, now = began.get("kernel_kills", {}), kill_counters()
    for counter in before:
        if counter in now:  # the narrowest: of the control group, where it is still there
            more = now[counter] > before[counter]
            return {"memory": {"held_gib": None, "limit_gib": None}} if more else {}
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """Steps in whose midst a process was ended for want of memory."""

    part_rows: int
    """Of a batch, how many rows were computed at once."""
    said: str
    """The memory, in numbers where they are known."""
    was_last: bool
    """Whether no attempt has ended in another way since."""


def killed_at(lines: Sequence[dict[str, Any]], seed: int, key: str) -> list[Killed]:
    """The kills of one seed's steps that a journal tells of, under the same memory (`key`)."""
    found: list[Killed] = []
    steps: dict[str, Any] | None = None
    for line in lines:
        match line.get("event"):
            case "began":
                steps = None
            case "steps":
                steps = line
            case "ended":
                found = [dataclasses.replace(one, was_last=False) for one in found]
                if steps and "memory" in line and (steps["seed"], steps["key"]) == (seed, key):
                    part, said = int(steps["part_rows"]), _in_numbers(line["memory"])
                    found.append(Killed(part_rows=part, said=said, was_last=True))
    return found


def _in_numbers(memory: dict[str, Any]) -> str:
    held, limit = memory["held_gib"], memory["limit_gib"]
    if limit is not None:
        return f"the process held {held:.2f} GiB, its limit is {limit:g} GiB, and it was ended"
    known = "" if held is None else f", when it held {held:.2f} GiB"
    return f"the kernel ended the process{known}"


@contextmanager
def _signs_of_life(attempt: Attempt) -> Iterator[None]:
    """While the body runs, whatever it does, the attempt shows signs of life."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            with contextlib.suppress(OSError):  # a full disk is the training's to report
                attempt.alive()

    thread = threading.Thread(target=beat, name="ftvr-signs-of-life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def tracked_before(
    plan: TrainingPlan, mirror: RemoteFiles | None = None, runs: Path | None = None
) -> TrackedRun | None:
    """The run that readings of the last attempt at `plan` went to; None where there is none to go
    on from, where it was not tracked, and while its process lives."""
    if not plan.max_steps:
        return None
    folder = run_folder(plan, runs)
    lines: list[dict[str, Any]] = []
    if folder.exists():
        with _mutex(folder):
            owner = _owner_of(folder)
            if owner is not None and _is_alive(owner, folder):
                return None
        lines = lines_of(folder / JOURNAL)
    if not lines and mirror is not None:
        with contextlib.suppress(Exception):  # what a store raises is for the attempt to tell
            lines = journal_there(mirror, folder.name)
    begun = [line for line in lines if line.get("event") == "began"]
    tracked = begun[-1].get("tracked") if begun else None
    return None if tracked is None else TrackedRun(**tracked)


@contextmanager
def attempt_at(
    plan: TrainingPlan,
    runs: Path | None,
    began: float,
    mirror: RemoteFiles | None = None,
    tracked: TrackedRun | None = None,
) -> Iterator[Attempt]:
    """The only attempt at `plan` while the body runs; `began` is its `time.monotonic()`.

    Its readings go to the run `tracked`. Whatever the body raises, what it saved stays for the next
    one, here and in the mirror; when it ends, that goes. Raises `TrainingError` where another
    process is at it, and where the mirror cannot be read.
    """
    folder = run_folder(plan, runs)
    _take(folder)
    try:
        with mirrored(mirror, folder):
            attempt = Attempt(folder, began, tracked)
            try:
                with _signs_of_life(attempt):
                    yield attempt
            except BaseException as error:
                with contextlib.suppress(OSError):  # a full disk: the last sign of life then counts
                    attempt.fail(f"{type(error).__name__}: {error}"[:500])
                raise
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        _let_go(folder)
