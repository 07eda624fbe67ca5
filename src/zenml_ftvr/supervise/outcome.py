"""How a step's process ended, in words: the number, and the next move."""

from __future__ import annotations

import signal
from pathlib import Path

from zenml_ftvr.supervise.record import ProcessRecord

__all__ = ["describe_failure"]

LAST_LINES = 3  # of its output; a native crash says what it was in one or two


def describe_failure(record: ProcessRecord, raw_output: Path) -> str:
    """One message for a process that ended without a result and without an exception of its own."""
    step, limits = f"step '{record.step}'", record.limits
    match record.ended_by:
        case "memory":
            return (
                f"{step} held {record.peak_memory_gib:.2f} GiB of memory, its limit is "
                f"{limits.memory_gib:g} GiB, and it was ended after {_clock(record.seconds)}. "
                f"Raise the trainer's memory_limit_gib (or ResourceSettings(memory=...)), or train "
                f"a smaller model, on shorter texts, or with less data in memory. A training that "
                f"is tried again computes half as many rows at once."
            )
        case "wall_clock":
            return (
                f"{step} ran for {_clock(record.seconds)}; its limit is wall_hours="
                f"{limits.wall_hours:g}. Raise it, or plan less: a smaller budget, fewer epochs."
            )
        case "request":
            name = signal.Signals(record.signal_asked or signal.SIGTERM).name
            return (
                f"{step} was stopped on request ({name}) after {_clock(record.seconds)}. "
                f"Run the pipeline again to go on."
            )
        case "parent_gone":
            return (
                f"{step} was ended after {_clock(record.seconds)}, because the process that had "
                f"started it was gone. Run the pipeline again."
            )
        case "itself" | None:
            return _from_outside(record, raw_output)


def _from_outside(record: ProcessRecord, raw_output: Path) -> str:
    step, after = f"step '{record.step}'", _clock(record.seconds)
    peak = f"it held {record.peak_memory_gib:.2f} GiB of memory at most"
    if record.exit_code is None:
        return (
            f"{step} was lost after {after}: the process that watched it (number "
            f"{record.supervisor.pid} on {record.host}) was killed, and the step's with it. "
            f"Run the pipeline again."
        )
    if record.for_want_of_memory:
        return (
            f"{step} was ended by the kernel for want of memory after {after}; {peak}. Use less, "
            f"or set the trainer's memory_limit_gib, so that it ends before the machine is full. "
            f"A training that is tried again computes half as many rows at once."
        )
    if record.exit_code == -signal.SIGKILL:
        return (
            f"{step} was ended by SIGKILL after {after}; {peak}. It was killed by hand, or by the "
            f"kernel for want of memory: `dmesg` says which. Run the pipeline again, or use less."
        )
    last = _last_lines(raw_output)
    if record.signal_name is not None:
        return (
            f"{step} was ended by {record.signal_name} after {after}; {peak}. SIGSEGV, SIGBUS and "
            f"SIGABRT come from native code: update the library that the output names.{last}"
        )
    if record.exit_code == 0:
        return (
            f"{step} ended with exit code 0 after {after}, before its result was stored. "
            f"Return from the step instead of ending the process.{last}"
        )
    return (
        f"{step} ended with exit code {record.exit_code} after {after}, without an exception. "
        f"Its output says more.{last}"
    )


def _last_lines(raw_output: Path) -> str:
    try:
        lines = raw_output.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return f" The last of it: {' / '.join(lines[-LAST_LINES:])}" if lines else ""


def _clock(seconds: float) -> str:
    if seconds < 120:  # two minutes: below, seconds say more
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.2f} h"
