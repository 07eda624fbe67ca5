"""Start a supervised process, and stop it, also from another process than the one that started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.supervise.record import RECORD_VARIABLE, Limits, ProcessId, ProcessRecord

__all__ = [
    "RAW_OUTPUT",
    "TERMINAL",
    "Order",
    "end_what_a_lost_supervisor_left",
    "start",
    "stop",
]

RAW_OUTPUT = "ZENML_FTVR_RAW_OUTPUT"
"""Names, for the child, the file with what it and its children wrote past Python's own streams."""

TERMINAL = "ZENML_FTVR_TERMINAL"
"""Names, for the child, the descriptors that lead to the terminal: output, errors."""

POLL_SECONDS = 0.05
MARGIN_SECONDS = 10.0  # beyond the grace period, for what the child leaves behind; a judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a supervisor is to run, and how far."""

    step: str
    command: tuple[str, ...]
    limits: Limits
    record: Path
    gpus: tuple[str, ...] = ()

    @property
    def raw_output(self) -> Path:
        return self.record.with_suffix(".out")


def start(order: Order, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a supervisor, in a session of its own, which starts the command in a group of its own.

    Secrets stay in the environment: neither the record nor a command line shows them.
    """
    order.record.parent.mkdir(parents=True, exist_ok=True)
    supervisor = subprocess.Popen(
        # -P: a file in the working folder must not take the place of a module.
        [sys.executable, "-P", "-m", "zenml_ftvr.supervise.supervisor"],
        env={
            **environment,
            RAW_OUTPUT: str(order.raw_output),
            RECORD_VARIABLE: str(order.record.absolute()),
        },
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    identity = ProcessId.of(supervisor.pid)
    if identity is None or supervisor.stdin is None:
        raise TrainingError(
            f"the process that was to watch step '{order.step}' ended at once, with exit code "
            f"{supervisor.wait()}. Run the step again; its output says what is wrong."
        )
    record = ProcessRecord(
        step=order.step,
        host=socket.gethostname(),
        supervisor=identity,
        limits=order.limits,
        gpus=order.gpus,
    )
    record.write(order.record)  # before the supervisor does: from here on it can be stopped
    message = json.dumps(
        {"command": order.command, "parent": os.getpid(), "record": str(order.record)}
    )
    with contextlib.suppress(BrokenPipeError), supervisor.stdin as stream:  # its record says it
        stream.write(message.encode())
    return supervisor


def stop(path: Path) -> ProcessRecord | None:
    """End the process of this record, and all that it started; wait until nothing is left.

    Returns the record as it is then. Works from any process of the same machine and user.
    """
    record = ProcessRecord.read(path)
    if record is None:
        return None
    if record.host != socket.gethostname():
        raise TrainingError(
            f"step '{record.step}' runs on '{record.host}', and this is '{socket.gethostname()}'. "
            f"Stop it there: kill {record.supervisor.pid}."
        )
    record.supervisor.send(signal.SIGTERM)
    until = time.monotonic() + record.limits.grace_seconds + MARGIN_SECONDS
    while record.supervisor.is_alive and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    record = ProcessRecord.read(path) or record
    end_what_a_lost_supervisor_left(record)
    return record


def end_what_a_lost_supervisor_left(record: ProcessRecord) -> None:
    """The child ends by itself when its supervisor is gone; make sure."""
    if record.exit_code is None:
        record.supervisor.send(signal.SIGKILL)
        if record.child is not None:
            record.child.send_group(signal.SIGKILL)
