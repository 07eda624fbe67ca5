"""A worker: trains what a folder says, alone or as one of several, and knows no ZenML.

    python -m zenml_ftvr.train.worker FOLDER [get-ready]
    torchrun --nproc-per-node 2 -m zenml_ftvr.train.worker FOLDER

`train/worker_job.py` says what is in the folder, before and after. torchrun's variables say which
of how many this one is. `get-ready` stops before the first step: what is kept for every worker is
then there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from zenml_ftvr.data import Dataset
from zenml_ftvr.hardware import peak_memory
from zenml_ftvr.models import ResolvedModel, resolve, this_device
from zenml_ftvr.train.brake import Decisions
from zenml_ftvr.train.faults import Interrupted
from zenml_ftvr.train.frozen import without_frozen_part
from zenml_ftvr.train.once import Go, Surroundings, get_ready, states_of, train_once
from zenml_ftvr.train.worker_group import Group
from zenml_ftvr.train.worker_job import (
    Job,
    Tell,
    read_job,
    teller,
    why_it_failed,
    write_done,
    write_failure,
)

__all__ = ["GET_READY", "LEASH", "main", "work_on"]

GET_READY = "get-ready"

LEASH = "ZENML_FTVR_LEASH"
"""Set where standard input is a pipe that stays open as long as the process that waits lives."""
LONGEST_WAIT = timedelta(hours=2)
"""For another worker: one that writes a model, or looks at a large validation split, keeps the
others waiting. A judgement; one that is gone is noticed by its closed connection."""


@contextmanager
def _joined(sharding: Any) -> Iterator[Group]:
    """Among the workers that torchrun started, while the body runs; alone where it did not."""
    import torch
    import torch.distributed as dist

    # What torchrun sets; a process that was started alone is the only worker.
    alone = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}
    for name, value in (alone | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}).items():
        os.environ.setdefault(name, value)
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    on_cuda = this_device().kind == "cuda"
    if on_cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if on_cuda else "gloo", timeout=LONGEST_WAIT)
    try:
        yield Group(rank=rank, size=size, sharding=sharding)
        dist.barrier()  # the first one may still write
    finally:
        dist.destroy_process_group()


def _end_with_whoever_waits() -> None:
    """Its pipe closes when that process ends, however it ends; then nobody wants this work."""

    def watch() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="ftvr-leash").start()


def _surroundings(job: Job, tell: Tell, is_first: bool) -> Surroundings:
    def log(metrics: dict[str, float], step: int) -> None:
        if is_first:
            tell({"metrics": metrics, "step": step})

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        if is_first:
            tell({"what": what, "done": done, "total": total, "note": note})

    return Surroundings(
        work=Path(job.model).parent,
        hardware=job.hardware,
        log=log,
        progress=progress,
        started=job.started,
    )


def _go(job: Job, tell: Tell, is_first: bool) -> Go:
    def note(step: int, cool_steps: int | None) -> None:
        if is_first:
            tell({"braked_at": step, "cool_steps": cool_steps})

    return Go(
        plan=job.plan,
        saved_as=job.saved_as,
        folder=Path(job.checkpoints),
        part_rows=job.part_rows,
        decisions=Decisions(job.decided, note),
    )


def _base(job: Job) -> ResolvedModel | None:
    return None if job.plan.model is None else resolve(job.plan.model)


def _get_ready(job: Job, dataset: Dataset, tell: Tell) -> None:
    around, go, base = _surroundings(job, tell, True), _go(job, tell, True), _base(job)
    prepared, _ = get_ready(go, dataset, base, around)
    states = states_of(base, prepared.trainable, around)
    with without_frozen_part(prepared, states, around.hardware.device, around.progress):
        pass  # the states are kept now


def work_on(job: Job, dataset: Dataset, group: Group, tell: Tell, folder: Path) -> None:
    """Train the job among `group`; what came of it is written to `folder`."""
    around = _surroundings(job, tell, group.is_first)
    go = _go(job, tell, group.is_first)
    with peak_memory() as peak:
        done = train_once(go, dataset, _base(job), around, group=group)
    peaks = group.gather(peak.gib)
    if group.is_first:
        write_done(dataclasses.replace(done, peak_memory_gib=max(peaks)), folder)


def main() -> None:
    """Work on the folder that is named; exit code 75 where it was told to stop and saved."""
    folder = Path(sys.argv[1])
    if LEASH in os.environ:
        _end_with_whoever_waits()
    rank = int(os.environ.get("RANK", "0"))
    try:
        job, dataset = read_job(folder)
        if GET_READY in sys.argv[2:]:
            _get_ready(job, dataset, teller(folder))
            return
        with _joined(job.sharding) as group:
            work_on(job, dataset, group, teller(folder), folder)
    except BaseException as error:
        with contextlib.suppress(OSError):  # a full disk
            write_failure(why_it_failed(error), rank, folder)
        if isinstance(error, Interrupted):
            sys.exit(Interrupted.exit_code)
        raise


if __name__ == "__main__":
    main()
