"""The process between ZenML's and the step's: it enforces the limits and leaves nothing behind.

A process of its own, because ZenML's may be killed at any time, and the step's may hang in native
code. It ends the step's process, and all that this one started, when ZenML's process is gone, when
a limit is passed, and on SIGTERM, SIGINT and SIGHUP; then it writes down how it came.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import TextIO

from zenml_ftvr.supervise.family import Family, adopt_orphans
from zenml_ftvr.supervise.kernel import kernel_kills
from zenml_ftvr.supervise.lines import WholeLines
from zenml_ftvr.supervise.record import Ending, ProcessId, ProcessRecord
from zenml_ftvr.supervise.start import RAW_OUTPUT, TERMINAL

__all__ = ["main"]

TICK_SECONDS = 0.05
MEMORY_EVERY_SECONDS = 0.1  # a process fills memory at some GiB a second; see also MEMORY_SHARE
MEMORY_SHARE = 20  # looking takes at most a twentieth of a core: it costs more where more runs
RECORD_EVERY_SECONDS = 5.0
AFTER_THE_CHILD_SECONDS = 5.0  # for what it started and did not wait for; a judgement
COULD_NOT_START = 127  # as a shell says it
OUTPUT_SECONDS = 2.0  # for the last output to be written, once nothing is left that writes


class Supervisor:
    """One child from start to end."""

    def __init__(self, record: ProcessRecord, path: Path, parent: int) -> None:
        self._record = record
        self._path = path
        self._parent = parent
        self._family = Family()
        self._started = time.monotonic()
        self._memory_due = 0.0
        self._record_due = 0.0
        self._kills_before = kernel_kills()
        self._asked: int | None = None
        self._exit_code: int | None = None

    def take_signals(self) -> None:
        """Note them; the loop acts."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._asked = number

    def run(self, command: list[str]) -> None:
        """Until nothing of the child is left; the record says how it ended."""
        adopt_orphans()
        output = _Output()
        try:
            child = subprocess.Popen(  # noqa: S603  (what ZenML's process ordered)
                command,
                env={**os.environ, TERMINAL: ",".join(map(str, output.terminal))},
                stdin=subprocess.DEVNULL,
                stdout=output.writer,
                stderr=output.writer,
                process_group=0,
                pass_fds=output.terminal,
            )
        except OSError as error:
            output.path.write_text(
                f"{command[0]} could not be started: {error}\n", encoding="utf-8"
            )
            self._note(exit_code=COULD_NOT_START, ended_by="itself")
            return
        output.forward()
        self._note(child=ProcessId.of(child.pid))
        reason = self._watch(child.pid)
        if reason in ("request", "parent_gone", "wall_clock"):
            self._ask_to_end(child.pid)
        # What holds too much memory must not be given the time to take more.
        patience = min(AFTER_THE_CHILD_SECONDS, self._record.limits.grace_seconds)
        grace = 0.0 if reason == "memory" else patience
        self._family.end(grace, lambda: self._reap(child.pid))
        while self._exit_code is None:  # it may have ended since it was last asked for
            self._reap(child.pid)
            time.sleep(TICK_SECONDS)
        child.returncode = self._exit_code  # reaped here, among the orphans
        output.finish()
        self._note(
            exit_code=self._exit_code,
            ended_by=reason,
            signal_asked=self._asked if reason == "request" else None,
            kernel_kills=kernel_kills() - self._kills_before,
        )

    def _watch(self, child: int) -> Ending:
        """What is the first to end it."""
        while True:
            self._reap(child)
            if self._exit_code is not None:
                return "itself"
            if self._asked is not None:
                return "request"
            if os.getppid() != self._parent:
                return "parent_gone"
            now = time.monotonic()
            hours = self._record.limits.wall_hours
            if hours is not None and now - self._started > hours * 3600:
                return "wall_clock"
            if now >= self._memory_due and self._is_above_memory():
                return "memory"
            if now >= self._record_due:
                self._record_due = now + RECORD_EVERY_SECONDS
                self._note()
            time.sleep(TICK_SECONDS)

    def _ask_to_end(self, child: int) -> None:
        """SIGTERM to the child alone: what trains saves, and ends its own workers in order."""
        until = time.monotonic() + self._record.limits.grace_seconds
        os.kill(child, signal.SIGTERM)  # not reaped yet, so that the number is still its own
        os.kill(child, signal.SIGCONT)  # a stopped process would not see it
        while self._exit_code is None and time.monotonic() < until:
            self._reap(child)
            time.sleep(TICK_SECONDS)

    def _is_above_memory(self) -> bool:
        limit = self._record.limits.memory_gib
        before = time.monotonic()
        gib = self._family.memory_gib(limit)
        now = time.monotonic()
        self._memory_due = now + max(MEMORY_EVERY_SECONDS, MEMORY_SHARE * (now - before))
        if gib > self._record.peak_memory_gib:
            self._record = dataclasses.replace(self._record, peak_memory_gib=gib)
        return limit is not None and gib > limit

    def _reap(self, child: int) -> None:
        """Take exit codes, also of orphans that were adopted: else they stay as zombies."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == child:
                    self._exit_code = os.waitstatus_to_exitcode(status)

    def _note(
        self,
        *,
        child: ProcessId | None = None,
        exit_code: int | None = None,
        ended_by: Ending | None = None,
        signal_asked: int | None = None,
        kernel_kills: int = 0,
    ) -> None:
        self._record = dataclasses.replace(
            self._record,
            child=child or self._record.child,
            seconds=time.monotonic() - self._started,
            exit_code=exit_code,
            ended_by=ended_by,
            signal_asked=signal_asked,
            kernel_kills=kernel_kills,
        )
        self._record.write(self._path)


class _Output:
    """What the child and its children write past Python's streams: to the terminal, and a file.

    The child's own Python streams go straight to the terminal (`step_main`): ZenML has read them
    by then. The file lets the child put the rest into its step's log.
    """

    def __init__(self) -> None:
        self.terminal = (os.dup(1), os.dup(2))
        self._reader, self.writer = os.pipe()
        self.path = Path(os.environ[RAW_OUTPUT])
        self._thread = threading.Thread(target=self._copy, daemon=True, name="ftvr-output")

    def forward(self) -> None:
        """Start, once the child has its end of the pipe."""
        os.close(self.writer)
        self._thread.start()

    def _copy(self) -> None:
        lines = WholeLines()
        with self.path.open("w", encoding="utf-8", buffering=1) as file:
            while piece := os.read(self._reader, 65536):
                self._show(lines.feed(piece.decode(errors="replace")), file)
            self._show(lines.flush(), file)

    @staticmethod
    def _show(lines: list[str], file: TextIO) -> None:
        for line in lines:
            file.write(f"{line}\n")
            with contextlib.suppress(OSError):  # the terminal may be gone; the child goes on
                os.write(1, f"{line}\n".encode())

    def finish(self) -> None:
        """Wait for the last line."""
        self._thread.join(OUTPUT_SECONDS)


def main() -> None:
    """Take the order from standard input, which ZenML's process writes."""
    message = sys.stdin.read()
    if not message:
        return  # that process ended before it had said what to run
    order = json.loads(message)
    path = Path(order["record"])
    record = ProcessRecord.read(path)
    if record is None:
        return  # cleaned up already
    supervisor = Supervisor(record, path, order["parent"])
    supervisor.take_signals()
    supervisor.run(order["command"])


if __name__ == "__main__":
    main()
