"""What a step's process runs first: `python -m zenml_ftvr.supervise.step_main MODULE ARGUMENTS`.

It ends itself, and all that it started, when its supervisor is gone, and keeps apart what Python
writes (ZenML reads that) from what native code and other processes write (the supervisor does).
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from typing import TextIO

from zenml_ftvr.supervise.start import TERMINAL

__all__ = ["main"]

LOOK_EVERY_SECONDS = 0.5


def _end_with(supervisor: int) -> None:
    """Never be left alone: the supervisor may be killed too, and cannot say so then."""

    def look() -> None:
        while os.getppid() == supervisor:
            time.sleep(LOOK_EVERY_SECONDS)
        import psutil

        for process in psutil.Process().children(recursive=True):
            process.kill()
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=look, daemon=True, name="ftvr-guard").start()


def _terminal(descriptor: int) -> TextIO:
    os.set_inheritable(descriptor, False)
    return open(
        descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def main() -> None:
    """Run a module as `python -m` would."""
    _end_with(os.getppid())
    output, errors = (int(number) for number in os.environ.pop(TERMINAL).split(","))
    sys.stdout, sys.stderr = _terminal(output), _terminal(errors)
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
