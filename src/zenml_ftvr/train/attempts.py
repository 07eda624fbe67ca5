"""The attempts at one plan: what each did and took, and that there is one at a time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.models import cache_folder
from zenml_ftvr.values import TrainingPlan

__all__ = ["Attempt", "Journal", "attempt_at", "run_folder"]

MUTEX, JOURNAL, BEAT = "owners.lock", "attempts.jsonl", "seconds"
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
    return (runs or cache_folder() / "runs") / f"{plan.fingerprint}-{plan.data_fingerprint[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Owner:
    """A process, named so that another one with its number is not taken for it."""

    pid: int
    started: float
    """Seconds since 1970."""
    host: str


def _owner_file(folder: Path) -> Path:
    """Beside the folder: it outlives that by a moment."""
    return folder.with_name(f"{folder.name}.owner")


def _this_process() -> _Owner:
    import psutil

    return _Owner(
        pid=os.getpid(), started=psutil.Process().create_time(), host=socket.gethostname()
    )


def _is_alive(owner: _Owner, folder: Path) -> bool:
    import psutil

    if owner.host != socket.gethostname():
        signs = [_owner_file(folder), folder / BEAT]
        last = max((path.stat().st_mtime for path in signs if path.exists()), default=0.0)
        return time.time() - last < SILENT_SECONDS
    try:
        process = psutil.Process(owner.pid)
        gone = process.status() == psutil.STATUS_ZOMBIE
        return not gone and abs(process.create_time() - owner.started) < 1.0
    except psutil.NoSuchProcess:
        return False


@contextmanager
def _mutex(folder: Path) -> Iterator[None]:
    """Only one process at a time looks at who the owner is; the kernel frees it if that dies."""
    import fcntl

    with (folder.parent / MUTEX).open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _forget_old(runs: Path, but: Path) -> None:
    """Remove what was left of plans that nobody has gone on with for a month."""
    for folder in runs.iterdir():
        if folder == but or not RUN_NAME.fullmatch(folder.name) or not folder.is_dir():
            continue
        last = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
        if time.time() - last > KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
            _owner_file(folder).unlink(missing_ok=True)


def _take(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with _mutex(folder):
        _forget_old(folder.parent, but=folder)
        path = _owner_file(folder)
        with contextlib.suppress(OSError, ValueError, TypeError):  # none, or half a line of one
            owner = _Owner(**json.loads(path.read_text(encoding="utf-8")))
            if _is_alive(owner, folder):
                raise TrainingError(
                    f"this plan is being trained already, by process {owner.pid} on "
                    f"{owner.host}. Wait for it, or stop it; its folder is {folder}."
                )
        path.write_text(json.dumps(asdict(_this_process())), encoding="utf-8")


def _let_go(folder: Path) -> None:
    with _mutex(folder):
        _owner_file(folder).unlink(missing_ok=True)


class Journal:
    """A line for each thing that a later attempt must know; a line cut short is left out.

    How long an attempt has run is written over and over into a file of eight bytes, so that it is
    known of one that was killed.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL
        self._beat = folder / BEAT

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What was noted of one kind of event, the first first."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for text in self._path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError):
                    found.append(json.loads(text))
        return [line for line in found if line.get("event") == event]

    def note(self, event: str, fields: dict[str, Any]) -> None:
        """Put a line down, on disk when this returns."""
        with self._path.open("a", encoding="utf-8") as stream:
            # A line of its own, whatever a killed process left unfinished before it.
            stream.write("\n" + json.dumps({"event": event, **fields}) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def beat(self, seconds: float) -> None:
        """The attempt has run so long; it survives the process, not the machine."""
        descriptor = os.open(self._beat, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(descriptor, struct.pack("d", seconds), 0)
        finally:
            os.close(descriptor)

    def last_beat(self) -> float:
        """Seconds of the last sign of life; 0 where there was none."""
        try:
            (seconds,) = struct.unpack("d", self._beat.read_bytes())
        except (FileNotFoundError, struct.error):
            return 0.0
        return float(seconds)


class Attempt:
    """One process's go at a plan. What was done before it is in the journal of its folder."""

    def __init__(self, folder: Path, began: float) -> None:
        self.folder = folder
        self.journal = Journal(folder)
        self._began = began
        begun, ended = self.journal.lines("began"), self.journal.lines("ended")
        if len(begun) > len(ended):
            self.journal.note("ended", {"why": "killed", "seconds": self.journal.last_beat()})
        self.journal.beat(0.0)
        self.journal.note("began", {"at": time.time(), **asdict(_this_process())})

    @property
    def failed_seconds(self) -> tuple[float, ...]:
        """What each attempt before this one took."""
        return tuple(float(line["seconds"]) for line in self.journal.lines("ended"))

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


@contextmanager
def attempt_at(plan: TrainingPlan, runs: Path | None, began: float) -> Iterator[Attempt]:
    """The only attempt at `plan` while the body runs; `began` is its `time.monotonic()`.

    Whatever the body raises, what it saved stays for the next one; when it ends, that goes. Raises
    `TrainingError` where another process is at it.
    """
    folder = run_folder(plan, runs)
    _take(folder)
    try:
        attempt = Attempt(folder, began)
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
