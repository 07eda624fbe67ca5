"""How many processes the kernel has ended for want of memory."""

from __future__ import annotations

import contextlib
from pathlib import Path

__all__ = ["kernel_kills", "kill_counters"]

GROUPS = Path("/proc/self/cgroup")  # a line each hierarchy: number, controllers, path
ROOT = Path("/sys/fs/cgroup")
MACHINE = Path("/proc/vmstat")


def kill_counters() -> dict[str, int]:
    """By the file that counts, the narrowest first: this control group, the container, the machine.

    Empty where none counts, as off Linux. A counter only grows while its group or machine lives.
    """
    found: dict[str, int] = {}
    for path in (*_of_own_group(), ROOT / "memory.events", ROOT / "memory/memory.oom_control"):
        if (count := _count(path)) is not None:
            found[str(path)] = count
    if (count := _count(MACHINE)) is not None:
        found[str(MACHINE)] = count
    return found


def kernel_kills() -> int:
    """Of this control group, or the narrowest that is known; 0 where nothing counts."""
    return next(iter(kill_counters().values()), 0)


def _of_own_group() -> list[Path]:
    found = []
    with contextlib.suppress(OSError):
        for line in GROUPS.read_text(encoding="utf-8").splitlines():
            number, controllers, path = line.split(":", 2)
            if "memory" in controllers.split(","):
                found.append(ROOT / "memory" / path.lstrip("/") / "memory.oom_control")
            elif number == "0":
                found.append(ROOT / path.lstrip("/") / "memory.events")
    return found


def _count(path: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text(encoding="utf-8").splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return None
