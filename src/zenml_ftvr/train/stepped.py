"""Train a plan's steps, over as many attempts as it takes."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.approaches import most_tokens
from zenml_ftvr.errors import BudgetError, TrainingError
from zenml_ftvr.models import ResolvedModel, cache_folder
from zenml_ftvr.train.attempts import Attempt, Killed, killed_at
from zenml_ftvr.train.checkpoints import last_whole, record_of, step_of, sweep
from zenml_ftvr.train.faults import smaller_part
from zenml_ftvr.train.loop import LoopResult
from zenml_ftvr.train.once import Go, OutOfMemory, Stepped, Surroundings, train_once
from zenml_ftvr.train.once_on_pairs import train_once_on_pairs
from zenml_ftvr.train.team import ALONE, Team
from zenml_ftvr.train.trainer import conditions
from zenml_ftvr.train.workers import train_with_workers
from zenml_ftvr.train.workers_ray import saved_on_ray
from zenml_ftvr.values import Hardware, TrainingPlan

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["Stepped", "Surroundings", "train_in_steps"]

ROUNDING = ("device", "threads", "workers")
"""Conditions that change the order of sums, and so the last digits of a weight, and nothing else: a
machine that takes over from another one may have other cores. (What dropout hides is drawn by each
worker: with more or fewer of them it is another draw.)"""
ANOTHER_SEED = 10_007
"""Added to the seed of a run that collapsed: a prime far from the seeds that plans count up."""


def train_in_steps(
    plan: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel | None,
    around: Surroundings,
    attempt: Attempt,
) -> Stepped:
    """Train `plan` and write the model; goes on from what earlier attempts saved.

    A run that gives every validation row one class, though the truth has several, is retried once
    with another seed before its score counts, where it had an epoch to learn in and its limit
    leaves the time. Raises `BudgetError` where earlier attempts used up the limit and saved
    nothing.
    """
    notes = _said_of_earlier(plan, attempt, around.team)
    collapsed = attempt.journal.lines("collapsed")
    if collapsed:
        done = _with_another_seed(plan, dataset, base, around, attempt, collapsed[-1], notes)
        return dataclasses.replace(done, collapsed_seconds=None)  # in a failed attempt's already
    began = time.monotonic()
    done = _one_seed(plan, plan, dataset, base, around, attempt)
    name = _only_label(plan, done.loop)
    if name is None:
        return dataclasses.replace(done, notes=(*notes, *done.notes))
    took = time.monotonic() - began
    said = f"With seed {plan.seed} it gave every validation row '{name}'"
    if (why := _not_again(plan, dataset, done.loop, around, took)) is not None:
        notes = (*notes, *done.notes, f"{said}: {why}")
        return dataclasses.replace(done, notes=notes)
    fact = {"said": said, "seconds": took}
    attempt.journal.note("collapsed", fact)
    return _with_another_seed(plan, dataset, base, around, attempt, fact, notes)


def _said_of_earlier(plan: TrainingPlan, attempt: Attempt, team: Team = ALONE) -> tuple[str, ...]:
    """What is to be said of attempts that failed; `BudgetError` where they left nothing to do."""
    failed = attempt.failed_seconds
    if not failed:
        return ()
    used_up = plan.wall_seconds is not None and sum(failed) >= plan.wall_seconds
    if used_up and not _have_saved(plan, attempt, team):
        raise BudgetError(
            f"{len(failed)} earlier attempts at this '{plan.kind}' took {sum(failed):.0f} s of its "
            f"{plan.wall_seconds:.0f} s and saved nothing. Raise the budget, or delete "
            f"{attempt.folder} to count from 0."
        )
    return (
        f"{len(failed)} earlier attempt{'s' if len(failed) > 1 else ''} at this plan did not end "
        f"and took {sum(failed):.1f} s, which the ledger counts.",
    )


def _have_saved(plan: TrainingPlan, attempt: Attempt, team: Team) -> bool:
    """Whether earlier attempts left a checkpoint, of either seed."""
    seeds = (plan, _of_another_seed(plan))
    if team.target == "ray":
        return any(saved_on_ray(one, team) for one in seeds)
    return any(any(_seed_folder(one, attempt).glob("checkpoint-*")) for one in seeds)


def _of_another_seed(plan: TrainingPlan) -> TrainingPlan:
    return dataclasses.replace(plan, seed=plan.seed + ANOTHER_SEED)


def _only_label(plan: TrainingPlan, loop: LoopResult) -> str | None:
    return None if loop.only_class is None else plan.labels[loop.only_class]


def _not_again(
    plan: TrainingPlan, dataset: Dataset, loop: LoopResult, around: Surroundings, took: float
) -> str | None:
    """Why a collapsed run is not retried; None where it is."""
    if loop.steps_done * plan.batch_size < len(dataset.train):
        return "it saw less than one epoch, and was not retried."
    if loop.stopped_by == "budget":
        return "its time was up, and it was not retried."
    gone = time.monotonic() - around.started
    if plan.wall_seconds is not None and gone + took > plan.wall_seconds:
        return "its time limit left none to retry it with another seed."
    return None


def _with_another_seed(
    plan: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel | None,
    around: Surroundings,
    attempt: Attempt,
    collapsed: dict[str, Any],
    notes: tuple[str, ...],
) -> Stepped:
    for left in (around.work / "model", _seed_folder(plan, attempt)):
        shutil.rmtree(left, ignore_errors=True)
    other = _of_another_seed(plan)
    done = _one_seed(other, plan, dataset, base, around, attempt)
    name = _only_label(other, done.loop)
    outcome = "which did not" if name is None else f"which gave every one '{name}'"
    said = f"{collapsed['said']}; it was retried with seed {other.seed}, {outcome}."
    return dataclasses.replace(
        done, notes=(*notes, said, *done.notes), collapsed_seconds=float(collapsed["seconds"])
    )


def _one_seed(
    plan: TrainingPlan,
    saved_as: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel | None,
    around: Surroundings,
    attempt: Attempt,
) -> Stepped:
    """Train with parts of a batch that become smaller while memory does not suffice.

    The model is saved as that of `saved_as`, the plan that was asked for: it gives these weights,
    by way of the seed before.
    """
    folder = _seed_folder(plan, attempt)
    share = around.team.share(plan.batch_size)
    key = _memory_key(plan, around.hardware, around.team)
    killed = killed_at(attempt.journal.all(), plan.seed, key)
    if killed and killed[-1].part_rows == 1 and killed[-1].was_last:
        raise _does_not_fit(plan, killed[-1].said)
    part, notes = _where_to_go_on(plan, folder, attempt, key, killed, around.team)
    while True:
        # For whoever finds that this ended in a kill.
        attempt.journal.note("steps", {"part_rows": part, "seed": plan.seed, "key": key})
        done = _try(plan, saved_as, dataset, base, around, attempt, part)
        if isinstance(done, Stepped):
            break
        if part == 1:
            raise _does_not_fit(plan, done)
        part = smaller_part(share, part)
        attempt.journal.note("memory", {"part_rows": part, "seed": plan.seed})
        gc.collect()
    if part < share:
        if part != _remembered(key):
            _remember(key, part)
        notes = (
            *notes,
            f"Memory did not hold a batch of {share} rows: it was computed {part} at a "
            f"time, {share // part} times a step, for the same batch size.",
        )
    return dataclasses.replace(done, notes=(*notes, *done.notes))


def _does_not_fit(plan: TrainingPlan, said: str) -> TrainingError:
    return TrainingError(
        f"'{plan.kind}' ran out of memory at batch size {plan.batch_size} and "
        f"{most_tokens(plan.task)} tokens (even one row at a time: {said:.200}). Lower the "
        f"approach's batch_size or task.max_length, or choose a smaller base model."
    )


def _seed_folder(plan: TrainingPlan, attempt: Attempt) -> Path:
    return attempt.folder / f"seed-{plan.seed}"


def _where_to_go_on(
    plan: TrainingPlan,
    folder: Path,
    attempt: Attempt,
    key: str,
    killed: Sequence[Killed],
    team: Team,
) -> tuple[int, tuple[str, ...]]:
    """The rows to compute at once, and what is to be said of checkpoints in `folder`.

    Half-written ones are removed; whole ones too, where they are not of these versions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    short = [
        int(line["part_rows"])
        for line in attempt.journal.lines("memory")
        if line["seed"] == plan.seed
    ]
    share = team.share(plan.batch_size)
    short += [smaller_part(share, one.part_rows) for one in killed]
    last = last_whole(folder)
    if last is None:
        return min([*short, _remembered(key) or share]), ()
    then = record_of(last)["conditions"]
    now = conditions(then["part_rows"], team.workers, team.threads, team.sharding)
    changed = [
        f"{name} {then.get(name)}, now {now[name]}" for name in now if then.get(name) != now[name]
    ]
    if not changed:
        said = f"It went on from the checkpoint after step {step_of(last)}."
        return min([*short, int(then["part_rows"])]), (said,)
    if all(then.get(name) == now[name] for name in now if name not in ROUNDING):
        said = (
            f"It went on from the checkpoint after step {step_of(last)}, which was made with "
            f"{'; '.join(changed)}: weights can differ in their last digits from those of a run "
            f"that was left alone."
        )
        if then.get("workers") == team.workers:
            return min([*short, int(then["part_rows"])]), (said,)
        return min([*short, _remembered(key) or share]), (said,)  # each has another share now
    shutil.rmtree(folder)
    folder.mkdir()
    said = (
        f"The checkpoint after step {step_of(last)} was made with {'; '.join(changed)}: what is in "
        f"it may mean another thing now, and training began again."
    )
    return min([*short, _remembered(key) or share]), (said,)


def _try(
    plan: TrainingPlan,
    saved_as: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel | None,
    around: Surroundings,
    attempt: Attempt,
    part: int,
) -> Stepped | str:
    """Train and write the model; the error's words where memory did not suffice for the steps."""
    go = Go(
        plan=plan,
        saved_as=saved_as,
        folder=_seed_folder(plan, attempt),
        part_rows=part,
        decisions=attempt.decisions(plan.seed),
    )
    try:
        if plan.kind == "contrastive":
            return train_once_on_pairs(go, dataset, base, around, attempt)
        if around.team.is_alone:
            return train_once(go, dataset, base, around, attempt=attempt)
        return train_with_workers(go, dataset, around)
    except OutOfMemory as error:
        return str(error)


def _memory_key(plan: TrainingPlan, hardware: Hardware, team: Team) -> str:
    """All that decides how many rows fit into memory."""
    what = (
        str(plan.approach),
        plan.model_fingerprint,
        most_tokens(plan.task),
        plan.batch_size,
        hardware.device_name,
        round(hardware.training_memory_gib, 1),
        *(() if team.is_alone else (team.workers, team.sharding)),
    )
    return hashlib.sha256(repr(what).encode()).hexdigest()[:32]


def _memory_file(key: str) -> Path:
    return cache_folder() / "memory" / f"{key}.json"


def _remembered(key: str) -> int | None:
    """The rows that fitted at once in an earlier run; None where nothing is known."""
    try:
        return int(json.loads(_memory_file(key).read_text(encoding="utf-8"))["part_rows"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(key: str, part: int) -> None:
    path = _memory_file(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    half.write_text(json.dumps({"part_rows": part}), encoding="utf-8")
    half.replace(path)
