"""One go at a plan's steps: build, take the steps, save. By one process, or by each of several."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from zenml_ftvr.models import ResolvedModel, Trainable, save_trainable
from zenml_ftvr.train.attempts import Attempt
from zenml_ftvr.train.brake import Decisions
from zenml_ftvr.train.faults import is_out_of_memory
from zenml_ftvr.train.frozen import states_folder, without_frozen_part
from zenml_ftvr.train.loop import (
    LoopResult,
    Prepared,
    Trains,
    prepare,
    read_by_a_tokenizer,
    run_loop,
)
from zenml_ftvr.train.pretrain import Pretrained, Watch, pretrained_body
from zenml_ftvr.train.progress import Progress
from zenml_ftvr.train.team import ALONE, Team
from zenml_ftvr.train.worker_group import Group
from zenml_ftvr.train.worker_sharding import whole_model
from zenml_ftvr.values import Hardware, TrainingPlan

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = [
    "Go",
    "OutOfMemory",
    "Stepped",
    "Surroundings",
    "get_ready",
    "states_of",
    "take_steps",
    "train_once",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a plan is trained, by how many, and who looks on."""

    work: Path
    """Goes when the run ends; the trained model is written to `model` in it."""
    hardware: Hardware
    log: Callable[[dict[str, float], int], None]
    progress: Progress
    started: float
    """The `time.monotonic()` from which the plan's wall-clock limit counts."""
    team: Team = ALONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """What is trained in one go, and from where."""

    plan: TrainingPlan
    saved_as: TrainingPlan
    """The plan that was asked for: where a seed collapsed, `plan` has another one."""
    folder: Path
    """Of the checkpoints."""
    part_rows: int
    """Rows that a worker computes at once."""
    decisions: Decisions = field(default_factory=Decisions)
    """What the clock decided before, and where more of it is noted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """What was trained, and what happened on the way."""

    loop: LoopResult
    n_params: int
    n_trainable: int
    notes: tuple[str, ...]
    collapsed_seconds: float | None = None
    """Spent on a seed whose run gave every row the same class; None where there was none."""
    peak_memory_gib: float | None = None
    """Of the worker that held most; None where the process that asks did the work."""


class OutOfMemory(Exception):  # noqa: N818  (as is_out_of_memory has it)
    """Memory did not suffice for the steps; the words of torch."""


def get_ready(
    go: Go, dataset: Dataset, base: ResolvedModel | None, around: Surroundings
) -> tuple[Prepared, list[Pretrained]]:
    """The model and its rows before the first step; what was learnt from unlabelled texts."""
    pretrained: list[Pretrained] = []

    def pretrain(built: Trainable) -> None:
        watch = Watch(log=around.log, progress=around.progress, started=around.started)
        kept = go.folder / "pretraining"
        if (done := pretrained_body(built, go.plan, dataset, base, kept, watch)) is not None:
            pretrained.append(done)

    return prepare(go.plan, dataset, base, pretrain=pretrain), pretrained


def states_of(base: ResolvedModel | None, trainable: Trainable, around: Surroundings) -> Path:
    """Where the states of frozen layers are kept."""
    if base is not None and trainable.n_frozen:
        return states_folder(base, trainable.n_frozen, around.hardware.device)
    return around.work / "states"


def take_steps(
    go: Go,
    prepared: Trains,
    around: Surroundings,
    *,
    attempt: Attempt | None = None,
    group: Group | None = None,
) -> LoopResult:
    """Train what is prepared; raises `OutOfMemory` where memory did not suffice for the steps."""
    try:
        return run_loop(
            go.plan,
            prepared,
            go.folder,
            around.log,
            around.progress,
            around.started,
            attempt=attempt,
            part_rows=go.part_rows,
            group=group,
            decisions=go.decisions,
        )
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(str(error)) from error


def train_once(
    go: Go,
    dataset: Dataset,
    base: ResolvedModel | None,
    around: Surroundings,
    *,
    attempt: Attempt | None = None,
    group: Group | None = None,
) -> Stepped:
    """Take the plan's steps and write the model; of a `group`, its first worker writes it.

    Raises `OutOfMemory` where memory did not suffice for the steps.
    """
    prepared, pretrained = get_ready(go, dataset, base, around)
    trainable = prepared.trainable
    n_params, n_trainable = trainable.n_params, trainable.n_trainable
    device, progress = around.hardware.device, around.progress
    states = states_of(base, trainable, around)
    with without_frozen_part(prepared, states, device, progress) as light:
        loop = take_steps(go, light, around, attempt=attempt, group=group)
    if group is not None and group.sharding == "full":
        inputs = read_by_a_tokenizer(go.plan.task, dataset)
        trainable = whole_model(trainable, go.plan, base, inputs, group)
    if group is None or group.is_first:
        save_trainable(trainable, base, go.saved_as, prepared.work, around.work / "model")
    curve = tuple(point for done in pretrained for point in done.curve)
    return Stepped(
        loop=dataclasses.replace(loop, curve=(*curve, *loop.curve)),
        n_params=n_params,
        n_trainable=n_trainable,
        notes=tuple(said for done in pretrained for said in done.statements),
    )
