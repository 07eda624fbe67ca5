"""Lines that say what is going on: which arm, how far, and how long still."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Progress", "bar", "print_progress", "silent"]

WIDTH = 24  # characters of the bar: with the rest it fits a line of 80
LINE_EVERY_SECONDS = 2.0  # often enough to be seen moving, seldom enough for a log


class Progress(Protocol):
    """Told how far a piece of work is; `note` is shown behind the bar."""

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None: ...


def silent(what: str, done: int, total: int, note: str = "") -> None:
    """Shows nothing."""


def bar(what: str, done: int, total: int, seconds: float, note: str = "") -> str:
    """One line: name, bar, counts, seconds gone, seconds left."""
    share = done / total if total else 1.0
    filled = "#" * round(share * WIDTH)
    left = f", about {_clock(seconds / share - seconds)} left" if 0 < share < 1 else ""
    tail = f"  {note}" if note else ""
    return f"{what:<22} [{filled:<{WIDTH}}] {done}/{total}  {_clock(seconds)}{left}{tail}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def print_progress(write: Callable[[str], object] | None = None) -> Progress:
    """A `Progress` that writes whole lines, at most one every two seconds, and the last one.

    Whole lines because a step's output becomes log records: a bar drawn over itself would be one
    endless record.
    """
    started: dict[str, float] = {}
    shown: dict[str, float] = {}

    def show(what: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if what not in started or done == 0:
            started[what] = shown[what] = now
        if done < total and now - shown[what] < LINE_EVERY_SECONDS:
            return
        shown[what] = now
        line = bar(what, done, total, now - started[what], note) + "\n"
        (write or sys.stdout.write)(line)
        if done >= total:
            started.pop(what)

    return show
