"""Several workers share a plan's steps: started, followed, and ended with this process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.supervise.kernel import kernel_kills
from zenml_ftvr.train.faults import Interrupted, stop_signal
from zenml_ftvr.train.once import Go, OutOfMemory, Stepped, Surroundings
from zenml_ftvr.train.team import comes_first
from zenml_ftvr.train.worker import GET_READY, LEASH
from zenml_ftvr.train.worker_job import Heard, done_in, failures_in, hear, write_job
from zenml_ftvr.train.workers_agent import ENDED, SAVE_SECONDS

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["WorkerKilled", "run_to_its_end", "train_with_workers", "why_they_ended"]

LOOK_EVERY_SECONDS = 0.1  # at what the workers say, and at whether they still run
OUTPUT = "output.log"
LAST_LINES = 5  # of the workers' output, in an error that has nothing better to say
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"


class WorkerKilled(TrainingError):  # noqa: N818  (what happened)
    """A worker was ended by SIGKILL."""


def train_with_workers(go: Go, dataset: Dataset, around: Surroundings) -> Stepped:
    """Train with the team of `around`; the model is in its `work` folder afterwards.

    Raises what the workers raised, `OutOfMemory` among it.
    """
    if around.team.target == "ray":
        from zenml_ftvr.train.workers_ray import train_on_ray

        return train_on_ray(go, dataset, around)
    return _train_here(go, dataset, around)


def _train_here(go: Go, dataset: Dataset, around: Surroundings) -> Stepped:
    folder = around.work / "workers"
    write_job(go, dataset, around, folder)
    (folder / ENDED).unlink(missing_ok=True)
    heard = Heard(folder)
    if comes_first(go.plan):
        run_to_its_end(go, ("zenml_ftvr.train.worker", str(folder), GET_READY), heard, around)
    workers = str(around.team.workers)
    run_to_its_end(go, ("zenml_ftvr.train.workers_agent", str(folder), workers), heard, around)
    done = done_in(folder)
    if done is None:
        raise why_they_ended(folder, around.team.workers, 0)
    return done


def run_to_its_end(go: Go, module: tuple[str, ...], heard: Heard, around: Surroundings) -> None:
    """Run one of our modules to its end, passing on what its workers say, and SIGTERM to it."""
    kills_before = kernel_kills()
    with stop_signal() as told, _process(module, heard.folder, around) as process:
        passed_on = False
        while process.poll() is None:
            for message in heard.new():
                hear(message, go, around)
            if told.came and not passed_on:
                process.send_signal(signal.SIGTERM)
                passed_on = True
            time.sleep(LOOK_EVERY_SECONDS)
    for message in heard.new():
        hear(message, go, around)
    if told.came and not failures_in(heard.folder):
        raise Interrupted(
            f"'{go.plan.kind}' was told to stop (SIGTERM) while its workers took no steps: before "
            f"the first, or after the last. Run the same plan again to go on from what was saved."
        )
    if process.returncode != 0:
        error = why_they_ended(heard.folder, around.team.workers, process.returncode)
        if isinstance(error, WorkerKilled) and kernel_kills() > kills_before:
            raise OutOfMemory(f"the kernel ended a worker: {error}")
        raise error


@contextmanager
def _process(
    module: tuple[str, ...], folder: Path, around: Surroundings
) -> Iterator[subprocess.Popen[bytes]]:
    """A module's process while the body runs. When this process ends, however that happens, a pipe
    closes, by which the workers know.
    """
    with (folder / OUTPUT).open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  (this Python, and modules of ours)
            [sys.executable, "-P", "-m", *module],
            env=_environment(around),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(SAVE_SECONDS)
        process.kill()
        process.wait()


def _environment(around: Surroundings) -> Mapping[str, str]:
    threads = str(around.team.threads or 1)
    own = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, LEASH: "1"}
    # gloo looks for the machine's own name otherwise, which need not lead to it.
    own["GLOO_SOCKET_IFNAME"] = os.environ.get("GLOO_SOCKET_IFNAME", LOOPBACK)
    return {**os.environ, **own}


def why_they_ended(folder: Path, workers: int, exit_code: int) -> Exception:
    """What ended the workers; where one could not say it, its signal or the last lines."""
    failures = failures_in(folder)
    for failure in failures.values():
        if failure.kind in ("ours", "memory"):
            return failure.as_error()
    ended: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        ended = json.loads((folder / ENDED).read_text(encoding="utf-8"))
    for rank, code in ended.items():
        if code < 0 and int(rank) not in failures and -code != signal.SIGTERM:
            return _lost(int(rank), workers, -code)
    for failure in failures.values():
        return failure.as_error()
    text = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace")
    last = " | ".join(line for line in text.splitlines()[-LAST_LINES:] if line.strip())
    return TrainingError(
        f"the {workers} workers did not end their work: exit code {exit_code}. The last lines of "
        f"their output: {last or 'none'}"
    )


def _lost(rank: int, workers: int, number: int) -> Exception:
    name = signal.Signals(number).name
    kind: type[TrainingError] = TrainingError
    hint = ""
    if number == signal.SIGKILL:
        kind, hint = WorkerKilled, "; the kernel does that where memory runs out"
    return kind(
        f"worker {rank + 1} of {workers} was ended by {name}{hint}. Run the same plan again to go "
        f"on from the last checkpoint, with fewer workers or a smaller batch_size if it was memory."
    )
