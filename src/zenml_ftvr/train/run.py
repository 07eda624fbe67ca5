"""Run a plan: from rows to a folder that loads anywhere."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from zenml_ftvr.approaches import most_tokens, refusal
from zenml_ftvr.errors import DataError, FtvrError, TrainingError
from zenml_ftvr.hardware import PeakMemory, installed_versions, peak_memory
from zenml_ftvr.models import (
    ResolvedModel,
    cached_features,
    fit_baseline,
    folder_bytes,
    load_encoder,
    require,
    resolve,
    save_baseline,
    save_head,
    this_device,
)
from zenml_ftvr.report import model_card
from zenml_ftvr.tasks import RowWork, work_for
from zenml_ftvr.train.attempts import Attempt, attempt_at
from zenml_ftvr.train.fingerprint import training_fingerprint
from zenml_ftvr.train.loop import LoopResult
from zenml_ftvr.train.mirror import RemoteFiles
from zenml_ftvr.train.once import Surroundings
from zenml_ftvr.train.progress import Progress, silent
from zenml_ftvr.train.readings import read_once
from zenml_ftvr.train.solved import choose_strength, fit_head
from zenml_ftvr.train.stepped import train_in_steps
from zenml_ftvr.train.team import ALONE, Team
from zenml_ftvr.values import (
    Braking,
    CurvePoint,
    Hardware,
    Ledger,
    LedgerEntry,
    TrackedRun,
    TrainedModel,
    TrainingPlan,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Dataset, Rows

__all__ = ["Log", "no_log", "run_plan"]

Log = Callable[[dict[str, float], int], None]
CARD_FILE = "README.md"  # where the Hugging Face Hub looks for a model card


def no_log(metrics: dict[str, float], step: int) -> None:
    """Records nothing."""


def run_plan(
    plan: TrainingPlan,
    dataset: Dataset,
    folder: Path,
    hardware: Hardware,
    *,
    log: Log = no_log,
    progress: Progress = silent,
    runs: Path | None = None,
    mirror: RemoteFiles | None = None,
    team: Team = ALONE,
    tracked: TrackedRun | None = None,
) -> TrainedModel:
    """Train what `plan` says on the training split, and save it into `folder`.

    The folder appears whole or not at all. What is trained in steps leaves checkpoints below `runs`
    (in the cache folder unless given) while it lasts; the same plan goes on from there after
    whatever ended it, and its limit and ledger count the time that was lost. With a `mirror` it
    also does where this disk is gone. The workers of a `team` share the steps. The run `tracked`,
    where `log` goes, is noted for later attempts (`tracked_before`). Raises `TrainingError` where
    the data is not the plan's, and whatever of ours the approach raises.
    """
    if dataset.fingerprint != plan.data_fingerprint:
        raise DataError(
            f"the plan was made for data {plan.data_fingerprint[:12]}, but this data is "
            f"{dataset.fingerprint[:12]}. Profile, calibrate and recommend again."
        )
    if (reason := refusal(plan.kind, plan.task)) is not None:
        raise TrainingError(reason)
    from safetensors import SafetensorError

    require(plan.approach, this_device())
    started = time.monotonic()
    base = _base_of(plan)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            # What is solved takes no steps, and is done again sooner than it would be saved.
            attempt = (
                stack.enter_context(attempt_at(plan, runs, started, mirror, tracked))
                if plan.max_steps
                else None
            )
            work = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix=".ftvr-", dir=folder.parent))
            )
            failed = () if attempt is None else attempt.failed_seconds
            around = Surroundings(
                work=work,
                hardware=hardware,
                log=log,
                progress=progress,
                started=started - sum(failed),
                team=team,
            )
            with peak_memory() as peak:
                outcome = _train(plan, dataset, base, around, attempt)
            outcome = dataclasses.replace(outcome, notes=(*team.notes, *outcome.notes))
            spent = _Spent(
                seconds=time.monotonic() - started,
                failed=failed,
                peak=peak,
                brakings=() if attempt is None else attempt.brakings,
            )
            model = _trained(plan, folder, hardware, outcome, spent)
            card = model_card(model, installed_versions())
            (work / "model" / CARD_FILE).write_text(card, encoding="utf-8")
            n_bytes = folder_bytes(work / "model")
            if folder.exists():
                shutil.rmtree(folder)
            (work / "model").replace(folder)
    except (RuntimeError, MemoryError, OSError, SafetensorError) as error:
        raise _explained(plan, error) from error
    return dataclasses.replace(model, n_bytes=n_bytes)


def _base_of(plan: TrainingPlan) -> ResolvedModel | None:
    if plan.model is None:
        return None
    base = resolve(plan.model)
    if base.fingerprint != plan.model_fingerprint:
        raise TrainingError(
            f"the base model '{plan.model.name}' now has sha256 {base.fingerprint}; the plan was "
            f"made for {plan.model_fingerprint}. Pin base_model.revision, or recommend again."
        )
    return base


def _explained(plan: TrainingPlan, error: BaseException) -> FtvrError:
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate" in text:
        return TrainingError(
            f"'{plan.kind}' ran out of memory at batch size {plan.batch_size} and "
            f"{most_tokens(plan.task)} tokens ({text:.200}). Lower the approach's batch_size or "
            f"task.max_length."
        )
    if not isinstance(error, RuntimeError):  # the rest are of files, safetensors' own among them
        return TrainingError(
            f"'{plan.kind}' could not write or read its files: {error}. Free disk space or choose "
            f"another folder; nothing half-written was kept."
        )
    return TrainingError(f"training '{plan.kind}' failed: {text:.500}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What one approach's training leaves for the record."""

    loop: LoopResult
    n_params: int
    n_trainable: int
    notes: tuple[str, ...] = ()
    collapsed_seconds: float | None = None
    """Of the first seed's run, where that gave every row one class and another was tried."""
    peak_memory_gib: float | None = None
    """Of the worker that held most; None where this process did the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spent:
    """Seconds of this attempt and of those that failed before it, and what they changed."""

    seconds: float
    failed: tuple[float, ...]
    peak: PeakMemory
    brakings: tuple[Braking, ...]


def _train(
    plan: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel | None,
    around: Surroundings,
    attempt: Attempt | None,
) -> _Outcome:
    if attempt is not None:
        steps = train_in_steps(plan, dataset, base, around, attempt)
        return _Outcome(
            loop=steps.loop,
            n_params=steps.n_params,
            n_trainable=steps.n_trainable,
            notes=steps.notes,
            collapsed_seconds=steps.collapsed_seconds,
            peak_memory_gib=steps.peak_memory_gib,
        )
    work, hardware, log = around.work, around.hardware, around.log
    progress, started = around.progress, around.started
    match plan.kind:
        case "baseline":
            return _train_baseline(plan, dataset, work / "model", log, progress, started)
        case "head":
            if base is None:
                raise TrainingError("approach 'head' needs a base model; set base_model.name.")
            return _train_head(
                plan, dataset, base, work / "model", hardware, log, progress, started
            )
        case "contrastive" | "partial" | "full" | "lora" | "scratch":
            raise TrainingError(
                f"the plan of '{plan.kind}' has max_steps {plan.max_steps}; it takes at least one."
            )


def _solved(curve: tuple[CurvePoint, ...]) -> LoopResult:
    """Of what takes no steps."""
    return LoopResult(steps_done=0, stopped_by="finished", curve=curve)


def _train_baseline(
    plan: TrainingPlan,
    dataset: Dataset,
    folder: Path,
    log: Log,
    progress: Progress,
    started: float,
) -> _Outcome:
    progress("training baseline", 0, 1)
    work = work_for(plan.task, dataset)
    baseline = fit_baseline(work, dataset.train, plan.seed)
    save_baseline(baseline, plan, work, folder)
    progress("training baseline", 1, 1)
    outputs = baseline.outputs(dataset.validation)
    loop = _solved(read_once(work, dataset, outputs, log, started))
    return _Outcome(loop=loop, n_params=baseline.n_params, n_trainable=baseline.n_params)


def _row_work(plan: TrainingPlan, dataset: Dataset) -> RowWork:
    """The work of a plan whose approach puts a linear head on features of whole rows."""
    return cast(RowWork, work_for(plan.task, dataset))


def _train_head(
    plan: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel,
    folder: Path,
    hardware: Hardware,
    log: Log,
    progress: Progress,
    started: float,
) -> _Outcome:
    work = _row_work(plan, dataset)

    def features(rows: Rows, what: str) -> npt.NDArray[np.float32]:
        return cached_features(
            base,
            rows,
            plan.task,
            hardware.device,
            lambda done, total: progress(f"features, {what}", done, total),
        )

    trained_on = features(dataset.train, "train")
    c = choose_strength(work, trained_on, dataset.train, plan.seed)
    head = fit_head(work, trained_on, dataset.train, c, plan.seed)
    encoder = load_encoder(base.folder, plan.task, hardware.device, base.source.allow)
    save_head(encoder, head.weight, head.bias, plan, work, folder)
    outputs = head.logits(features(dataset.validation, "validation"))
    n_trainable = int(head.weight.size + head.bias.size)
    n_params = sum(parameter.numel() for parameter in encoder.model.parameters()) + n_trainable
    return _Outcome(
        loop=_solved(read_once(work, dataset, outputs, log, started)),
        n_params=n_params,
        n_trainable=n_trainable,
    )


def _trained(
    plan: TrainingPlan,
    folder: Path,
    hardware: Hardware,
    outcome: _Outcome,
    spent: _Spent,
) -> TrainedModel:
    predicted = None if plan.predicted_hours is None else plan.predicted_hours * 3600
    collapsed = [] if outcome.collapsed_seconds is None else [outcome.collapsed_seconds]
    entries = [
        LedgerEntry(what="failed attempt", kind=plan.kind, seconds=seconds)
        for seconds in (*spent.failed, *collapsed)
    ]
    own = max(0.0, spent.seconds - sum(collapsed))
    entries.append(
        LedgerEntry(what="training", kind=plan.kind, seconds=own, predicted_seconds=predicted)
    )
    return TrainedModel(
        path=str(folder),
        plan=plan,
        curve=outcome.loop.curve,
        steps_done=outcome.loop.steps_done,
        stopped_by=outcome.loop.stopped_by,
        seconds=spent.seconds + sum(spent.failed),
        peak_memory_gib=spent.peak.gib
        if outcome.peak_memory_gib is None
        else outcome.peak_memory_gib,
        n_params=outcome.n_params,
        n_trainable=outcome.n_trainable,
        notes=outcome.notes,
        n_bytes=0,  # known once the card is written
        brakings=spent.brakings,
        fingerprint=training_fingerprint(plan),
        ledger=Ledger(entries=tuple(entries), usd_per_hour=hardware.usd_per_hour),
    )
