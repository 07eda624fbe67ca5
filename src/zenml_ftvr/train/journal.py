"""What happened to a run, a line each; and how long its attempt has lasted."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from pathlib import Path
from typing import Any

__all__ = ["BEAT", "JOURNAL", "Journal", "lines_of"]

JOURNAL, BEAT = "attempts.jsonl", "seconds"


def lines_of(journal: Path) -> list[dict[str, Any]]:
    """The lines of a journal, without any that was cut short; none where there is no file."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for text in journal.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(text))
    return found


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
        return [line for line in self.all() if line.get("event") == event]

    def all(self) -> list[dict[str, Any]]:
        """Whatever was noted, the first first."""
        return lines_of(self._path)

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
