"""Whole lines out of pieces of output."""

from __future__ import annotations

import time

__all__ = ["WholeLines"]

REDRAWN_EVERY_SECONDS = 2.0
"""A bar that is drawn over itself becomes a line this often, as ours do (`train/progress.py`)."""


class WholeLines:
    """Collects pieces of text, and gives lines back when they are complete."""

    def __init__(self) -> None:
        self._rest = ""
        self._shown = 0.0

    def feed(self, text: str) -> list[str]:
        """The lines that this piece completes, without their ends and without empty ones.

        Text before a carriage return will be drawn over: it is given back every two seconds.
        """
        self._rest += text.replace("\r\n", "\n")
        *complete, self._rest = self._rest.split("\n")
        lines = [line for part in complete if (line := part.rsplit("\r", 1)[-1]).strip()]
        drawn = [part for part in self._rest.split("\r") if part.strip()]
        if "\r" in self._rest and drawn and time.monotonic() - self._shown > REDRAWN_EVERY_SECONDS:
            self._shown = time.monotonic()
            lines.append(drawn[-1])
            self._rest = ""
        elif "\r" in self._rest:
            self._rest = "\r".join(self._rest.split("\r")[-2:])  # a redrawn bar does not pile up
        return lines

    def flush(self) -> list[str]:
        """What is left, though its line has no end."""
        rest, self._rest = self._rest.strip("\r").rsplit("\r", 1)[-1], ""
        return [rest] if rest.strip() else []
