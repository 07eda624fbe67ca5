"""A process and all that it started, also what left its group: measured and ended together."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable

import psutil

from zenml_ftvr.supervise.record import ProcessId

__all__ = ["Family", "adopt_orphans"]

GIB = 2**30
POLL_SECONDS = 0.05
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def adopt_orphans() -> None:
    """Become the parent of what descendants leave behind, so that it can still be found.

    Linux only. Elsewhere a process is known once it was seen below the child.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Family:
    """The descendants of this process; what was seen once is remembered."""

    def __init__(self) -> None:
        self._me = psutil.Process()
        self._seen: dict[int, ProcessId] = {}

    def living(self) -> list[ProcessId]:
        """Those that run now."""
        for process in self._me.children(recursive=True):
            member = ProcessId.of(process.pid)
            if member is not None:
                self._seen[member.pid] = member
        self._seen = {pid: member for pid, member in self._seen.items() if member.is_alive}
        return list(self._seen.values())

    def memory_gib(self, limit_gib: float | None) -> float:
        """Resident memory of all. Shared pages count once where the sum is near the limit.

        The exact figure (proportional set size) makes the kernel walk every page, so it is only
        asked for when the cheap sum, which counts shared pages each time, is above the limit.
        """
        members = [member.pid for member in self.living()]
        cheap = sum(_resident(pid) for pid in members) / GIB
        if limit_gib is None or cheap <= limit_gib:
            return cheap
        return sum(_proportional(pid) for pid in members) / GIB

    def end(self, grace_seconds: float, reap: Callable[[], None]) -> None:
        """SIGTERM to all, and after the grace period SIGKILL until none is left."""
        if grace_seconds > 0:
            for member in self.living():
                member.send(signal.SIGTERM)
                member.send(signal.SIGCONT)  # a stopped process would not see it
            if self._gone_within(grace_seconds, reap):
                return
        while True:
            for member in self.living():
                member.send(signal.SIGKILL)
            if self._gone_within(1.0, reap):
                return

    def _gone_within(self, seconds: float, reap: Callable[[], None]) -> bool:
        until = time.monotonic() + seconds
        while True:
            reap()
            if not self.living():
                return True
            if time.monotonic() > until:
                return False
            time.sleep(POLL_SECONDS)


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _proportional(pid: int) -> int:
    try:
        memory = psutil.Process(pid).memory_full_info()
    except psutil.Error:
        return _resident(pid)
    return int(getattr(memory, "pss", memory.uss))
