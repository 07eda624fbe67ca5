"""A step's output in its log as whole lines, also that of processes which the step started."""

import contextvars
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from zenml.utils.logging_utils import LoggingContext

from zenml_ftvr.supervise import WholeLines
from zenml_ftvr.supervise.start import RAW_OUTPUT

__all__ = ["StepOutput"]

LOOK_EVERY_SECONDS = 0.5
LAST_LOOK_SECONDS = 0.2  # the supervisor may have read a line, and not written it yet


class StepOutput:
    """Between `start` and `stop`, in the step's process: ZenML makes a record of every write."""

    def __init__(self) -> None:
        self._streams: list[tuple[TextIO, Any, WholeLines]] = []
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            write, lines = stream.write, WholeLines()
            self._streams.append((stream, write, lines))
            stream.write = _in_lines(write, lines)  # type: ignore[method-assign]  # as ZenML does
        file = os.environ.get(RAW_OUTPUT)
        if file is not None:
            context = contextvars.copy_context()  # ZenML keeps the step's log there
            self._thread = threading.Thread(
                target=context.run, args=(self._follow, Path(file)), daemon=True, name="ftvr-log"
            )
            self._thread.start()

    def stop(self) -> None:
        """Nothing is held back any more."""
        if self._thread is not None:
            self._done.set()
            self._thread.join()
        for stream, write, lines in self._streams:
            for line in lines.flush():
                write(f"{line}\n")
            stream.write = write  # type: ignore[method-assign]
        self._streams.clear()

    def _follow(self, path: Path) -> None:
        """Put into the log what was written past Python's streams; the terminal has it already."""
        if not path.exists():
            return
        with path.open(encoding="utf-8", errors="replace") as file:
            while not self._done.wait(LOOK_EVERY_SECONDS):
                _to_log(file)
            threading.Event().wait(LAST_LOOK_SECONDS)
            _to_log(file)


def _in_lines(write: Callable[[str], int], lines: WholeLines) -> Callable[[str], int]:
    lock = threading.Lock()

    def write_lines(text: str) -> int:
        with lock:
            complete = lines.feed(text)
        for line in complete:
            write(f"{line}\n")
        return len(text)

    return write_lines


def _to_log(file: TextIO) -> None:
    for line in file:  # the supervisor writes whole lines
        LoggingContext.dispatch(
            logging.LogRecord("output", logging.INFO, "", 0, line, (), None, func="")
        )
