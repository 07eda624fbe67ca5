"""The optimiser's loop: transformers' Trainer under our plan."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from zenml_ftvr.models import (
    ResolvedModel,
    Trainable,
    build,
    keeps_documents_apart,
    quiet,
    this_device,
    training_precision,
)
from zenml_ftvr.tasks import CausalWork, ClassAnswers, Work, score, work_for
from zenml_ftvr.train.attempts import Attempt
from zenml_ftvr.train.brake import Brake, Clock, Decisions, Schedule
from zenml_ftvr.train.checkpoints import best_known_to, drop_after, last_whole, step_of
from zenml_ftvr.train.faults import Diverged, Interrupted, StopSignal, stop_signal
from zenml_ftvr.train.optimizers import optimizer_for
from zenml_ftvr.train.order import RowOrder, Sampling
from zenml_ftvr.train.progress import Progress
from zenml_ftvr.train.settle import make_ready
from zenml_ftvr.train.trainer import Observations, Stepping, trainer_class
from zenml_ftvr.train.worker_group import Group
from zenml_ftvr.train.worker_sharding import shard_on_any_device, sharding_of
from zenml_ftvr.train.worker_shares import Shares, share_of
from zenml_ftvr.train.worker_trainer import agreement, among_workers
from zenml_ftvr.values import (
    LOWER_IS_BETTER,
    CausalLM,
    CurvePoint,
    Metric,
    Seq2Seq,
    Task,
    TrainingPlan,
)

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = [
    "LOGGED_POINTS",
    "LoopResult",
    "Observations",
    "Prepared",
    "Trains",
    "observer",
    "prepare",
    "read_by_a_tokenizer",
    "run_loop",
    "trainer_for",
]

LOGGED_POINTS = 60  # of the loss curve: a point every few pixels of the report's chart
EVAL_BATCH_SIZE = 32  # no gradients are kept
SAVE_EVERY_SECONDS = 300.0  # where evaluations are rarer: what is lost at most. A judgement
SAVE_SHARE = 0.05  # of the time, for such saves at most. A judgement
ONLY_CLASS = "only_class"  # of what is noted of an evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A model and its encoded rows."""

    work: Work
    trainable: Trainable
    train: Any
    """What the task encodes rows to, or rows that bring more to each batch (train/frozen.py)."""
    validation: Any
    collate: Callable[[list[dict[str, Any]]], Any]
    """Rows to a padded batch."""

    @property
    def rows_looked_at(self) -> float:
        """By an evaluation, in rows of a training step."""
        return len(self.validation)

    def look_every(self, plan: TrainingPlan) -> int | None:
        """Steps between evaluations."""
        return plan.eval_every_steps

    def trainer(
        self, plan: TrainingPlan, work_folder: Path, callbacks: list[Any], stepping: Stepping
    ) -> Any:
        """A transformers Trainer that takes the plan's steps."""
        return trainer_for(plan, self, work_folder, callbacks, stepping=stepping)


class Trains(Protocol):
    """What can be trained in steps: a model and what its batches are made of."""

    @property
    def rows_looked_at(self) -> float:
        """By an evaluation, or after the last step, in rows of a training step."""

    def look_every(self, plan: TrainingPlan) -> int | None:
        """Steps between evaluations; None where there is none."""

    def trainer(
        self, plan: TrainingPlan, work_folder: Path, callbacks: list[Any], stepping: Stepping
    ) -> Any:
        """A transformers Trainer that takes the plan's steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopResult:
    """What a loop did."""

    steps_done: int
    stopped_by: Literal["finished", "budget"]
    curve: tuple[CurvePoint, ...]
    only_class: int | None = None
    """The class that every validation row is given, where the truth has several."""
    went_on_from: int = 0
    """The step of the checkpoint that this loop began with; 0 for none."""


def _as_built(trainable: Trainable) -> None:
    """Changes nothing."""


def read_by_a_tokenizer(task: Task, dataset: Dataset) -> list[Any]:
    """What a tokenizer of the data's own has to cut: inputs, and the texts to be written."""
    match task:
        case Seq2Seq() | CausalLM(form="completion"):
            return [*dataset.train.inputs, *dataset.train.targets]
        case _:
            return dataset.train.inputs


def prepare(
    plan: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel | None,
    *,
    pretrain: Callable[[Trainable], None] = _as_built,
) -> Prepared:
    """Build the plan's model and encode the training and validation rows for it.

    `pretrain` is called before a head is solved for, which must see the features that are trained.
    """
    work = work_for(plan.task, dataset)
    trainable = build(plan, base, read_by_a_tokenizer(plan.task, dataset))
    if isinstance(work, CausalWork):
        shares = keeps_documents_apart(trainable.model)
        work = dataclasses.replace(work, shares_blocks=shares)
    train = work.encode(trainable.tokenizer, dataset.train)
    pretrain(trainable)
    make_ready(plan, work, trainable, base, train)
    return Prepared(
        work=work,
        trainable=trainable,
        train=train,
        validation=work.encode(trainable.tokenizer, dataset.validation),
        collate=work.collator(trainable.tokenizer, trainable.model),
    )


def _sampling(rows: Any) -> Sampling:
    """Rows of like length share a batch, where lengths differ: less is padded."""
    return "grouped" if len(set(rows.lengths)) > 1 else "random"


def trainer_for(
    plan: TrainingPlan,
    prepared: Prepared,
    work_folder: Path,
    callbacks: list[Any],
    *,
    sampling: Literal["sequential"] | None = None,
    evaluates: bool = True,
    stepping: Stepping | None = None,
) -> Any:
    """A transformers Trainer that takes `plan.max_steps` steps.

    With `evaluates` it keeps, in `work_folder`, the checkpoint with the best validation metric and
    the last one, and ends with the best.
    """
    from transformers import TrainingArguments

    work = prepared.work
    device = this_device()
    precision = training_precision(plan.approach, device)
    stepping = stepping or Stepping(brake=Brake(None, time.monotonic()), part_rows=plan.batch_size)
    group = stepping.group
    share = plan.batch_size if group is None else share_of(plan.batch_size, group.size)
    rows_at_once = EVAL_BATCH_SIZE
    if stepping.part_rows < share:  # memory is short
        rows_at_once = min(rows_at_once, stepping.part_rows)
    sharded = group is not None and group.sharding == "full"
    arguments = TrainingArguments(
        output_dir=str(work_folder),
        max_steps=plan.max_steps,
        per_device_train_batch_size=stepping.part_rows,
        gradient_accumulation_steps=share_of(share, stepping.part_rows),
        per_device_eval_batch_size=min(rows_at_once, _eval_batch_size(plan, work)),
        learning_rate=plan.learning_rate or 0.0,
        weight_decay=plan.weight_decay,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=plan.eval_every_steps,
        save_strategy="steps" if evaluates else "no",
        save_steps=plan.eval_every_steps,
        load_best_model_at_end=evaluates,
        metric_for_best_model=f"eval_{work.selects_by}",
        greater_is_better=work.selects_by not in ("loss", *LOWER_IS_BETTER),
        logging_steps=max(1, plan.max_steps // LOGGED_POINTS),
        logging_nan_inf_filter=False,  # it would hide a diverged loss
        seed=plan.seed,
        data_seed=plan.seed,
        label_names=["labels"],
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=device.kind == "cpu",
        remove_unused_columns=False,  # rows hold what their batches need, and no more
        fsdp=sharded or None,
        fsdp_config=sharding_of(prepared.trainable.model) if sharded else None,
    )
    if sharded:
        shard_on_any_device()
    # Else transformers would put `part_rows` rows on each card that it sees: another batch size.
    arguments._n_gpu = min(1, arguments.n_gpu)

    def compute_metrics(seen: Any) -> dict[str, float]:
        rows = getattr(trainer.eval_dataset, "rows", trainer.eval_dataset)  # without kept states
        answers = work.answers_in_training(seen.predictions, seen.label_ids, rows)
        scores: dict[str, float] = {one: score(answers, one) for one in work.in_training}
        return {**scores, ONLY_CLASS: only_class(answers)}

    def step() -> int:
        return int(trainer.state.global_step)

    sampled = RowOrder(
        prepared.train.lengths,
        plan.batch_size,
        plan.seed,
        sampling or _sampling(prepared.train),
        step,
    )
    planned = trainer_class(plan, sampled, stepping)
    if group is not None:
        shares = Shares(
            order=sampled, rank=group.rank, workers=group.size, part_rows=stepping.part_rows
        )
        planned = among_workers(planned, plan, shares, group)
    trainer = planned(
        model=prepared.trainable.model,
        args=arguments,
        train_dataset=prepared.train,
        eval_dataset=prepared.validation,
        data_collator=prepared.collate,
        compute_metrics=compute_metrics,
        preprocess_logits_for_metrics=work.reduced,
        callbacks=callbacks,
        optimizers=(None if sharded else optimizer_for(plan, prepared.trainable.model), None),
    )
    # The curve and the progress lines show what these would print.
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    return trainer


def _eval_batch_size(plan: TrainingPlan, work: Work) -> int:
    """As many rows as a training step takes where each of their tokens has a whole vocabulary of
    logits: gigabytes at 32 rows."""
    if work.head in ("causal-lm", "seq2seq"):
        return min(EVAL_BATCH_SIZE, plan.batch_size)
    return EVAL_BATCH_SIZE


def only_class(answers: Any) -> float:
    """The class that every row is given though the truth has several; -1 where there is none."""
    if not isinstance(answers, ClassAnswers):
        return -1.0
    given = set(answers.predicted.tolist())
    collapsed = len(given) == 1 and len(set(answers.truth.tolist())) > 1
    return float(given.pop()) if collapsed else -1.0


NAMES = {
    "loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "grad_norm": "train/grad_norm",
    "eval_loss": "eval/loss",
    **{f"eval_{metric}": f"eval/{metric}" for metric in get_args(Metric)},
}
"""transformers' names of what it logs, and ours."""


def observer(
    plan: TrainingPlan,
    seen: Observations,
    log: Callable[[dict[str, float], int], None],
    progress: Progress,
    started: float,
    *,
    brake: Brake | None = None,
) -> Any:
    """A callback that records, shows progress, stops for the clock, and ends on a lost loss."""
    from transformers import TrainerCallback

    watched = brake or Brake(plan.wall_seconds, started)
    planned = Schedule(plan.warmup_steps, plan.max_steps)

    class Observer(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress(f"training {plan.kind}", state.global_step, plan.max_steps)
            watched.step_begins()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            metrics = {NAMES[name]: float(logs[name]) for name in NAMES if name in (logs or {})}
            for name, value in metrics.items():
                seen.points.append(
                    CurvePoint(
                        step=state.global_step, metric=name, value=value, seconds=watched.gone
                    )
                )
            if metrics:
                log(metrics, state.global_step)
            if "train/loss" in metrics:
                seen.last_loss = metrics["train/loss"]
                if not math.isfinite(seen.last_loss):
                    raise Diverged(
                        f"the loss of '{plan.kind}' became {seen.last_loss} by step "
                        f"{state.global_step}. Lower its learning_rate (now "
                        f"{plan.learning_rate:g})."
                    )

        def on_step_end(
            self, args: Any, state: Any, control: Any, lr_scheduler: Any = None, **_: Any
        ) -> Any:
            progress(
                f"training {plan.kind}",
                state.global_step,
                plan.max_steps,
                "" if math.isnan(seen.last_loss) else f"loss {seen.last_loss:.3f}",  # none was read
            )
            watched.step_ends()
            # Another trainer's schedule cannot be bent; it is stopped as late all the same.
            laid_out = getattr(lr_scheduler, "lr_lambdas", [planned])[0]
            schedule = laid_out if isinstance(laid_out, Schedule) else planned
            if watched.after(state.global_step, schedule) == "stop":
                seen.stopped_by = "budget"
                control.should_evaluate = args.eval_strategy != "no"
                control.should_save = args.save_strategy != "no"
                control.should_training_stop = True
            watched.step_begins()
            return control

    return Observer()


def keeper(told: StopSignal, brake: Brake) -> Any:
    """A callback that saves where the clock or a signal says so."""
    from transformers import TrainerCallback

    class Keeper(TrainerCallback):
        saved_at = brake.clock()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            wait = max(SAVE_EVERY_SECONDS, brake.save_seconds / SAVE_SHARE)
            if told.came or brake.clock() - self.saved_at > wait:
                control.should_save = True
            if told.came:
                control.should_training_stop = True
            return control

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.saved_at = brake.clock()

    return Keeper()


def restorer(checkpoint: Path) -> Any:
    """A callback that brings back what transformers leaves out of a checkpoint."""
    from transformers import TrainerCallback

    class Restorer(TrainerCallback):
        trainer: Any = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            best = best_known_to(checkpoint)
            # By the path on this machine: it may have been written on another.
            state.best_model_checkpoint = None if best is None else str(best)
            self.trainer.restore_loop(checkpoint)

    return Restorer()


def run_loop(
    plan: TrainingPlan,
    prepared: Trains,
    work_folder: Path,
    log: Callable[[dict[str, float], int], None],
    progress: Progress,
    started: float,
    *,
    attempt: Attempt | None = None,
    part_rows: int | None = None,
    group: Group | None = None,
    decisions: Decisions | None = None,
    clock: Clock = time.monotonic,
) -> LoopResult:
    """Take the plan's steps; the model in `prepared` ends with its best validation weights, or,
    where no evaluation looks at it, with its last ones.

    `log(metrics, step)` gets every reading. `started` is the reading of `clock` from which the
    plan's wall-clock limit counts. With an `attempt` it goes on from the last whole checkpoint in
    `work_folder`, and raises `Interrupted` once it has saved after SIGTERM; so does every worker of
    a `group`, which takes each step together. `part_rows` divides what one worker computes of a
    batch into parts that are computed one after another. `decisions` are of the clock, where they
    are not the attempt's.
    """
    brake = Brake(
        plan.wall_seconds,
        started,
        eval_rows_per_step=prepared.rows_looked_at / plan.batch_size,
        eval_every_steps=prepared.look_every(plan),
        clock=clock,
        decisions=decisions or (None if attempt is None else attempt.decisions(plan.seed)),
    )
    share = plan.batch_size if group is None else share_of(plan.batch_size, group.size)
    stepping = Stepping(brake=brake, part_rows=part_rows or share, group=group)
    seen = stepping.seen
    goes_on = attempt is not None or group is not None
    checkpoint = last_whole(work_folder) if goes_on else None
    if group is not None:
        group.wait()  # all have looked
    if group is None or group.is_first or group.own_folders:
        drop_after(work_folder, 0 if checkpoint is None else step_of(checkpoint))
    with stop_signal() if goes_on else nullcontext(StopSignal()) as told:
        callbacks = [observer(plan, seen, log, progress, started, brake=brake)]
        if goes_on:
            callbacks.append(keeper(told, brake))
        if group is not None:
            callbacks.append(agreement(told, seen, group))
        if checkpoint is not None:
            callbacks.append(restorer(checkpoint))
        trainer = prepared.trainer(plan, work_folder, callbacks, stepping)
        if checkpoint is not None:
            callbacks[-1].trainer = trainer
        if group is not None:
            trainer.draw_apart()
        with quiet():
            trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    state = trainer.state
    if told.came:  # after the last step too: whoever goes on has the model to write, and no step
        raise Interrupted(
            f"'{plan.kind}' was told to stop (SIGTERM) and saved after step {state.global_step} of "
            f"{plan.max_steps}, in {work_folder}. Run the same plan again to go on from there."
        )
    return LoopResult(
        steps_done=state.global_step,
        stopped_by=seen.stopped_by,
        curve=tuple(seen.points),
        only_class=_only_class_of(state),
        went_on_from=0 if checkpoint is None else step_of(checkpoint),
    )


def _only_class_of(state: Any) -> int | None:
    """What the best checkpoint answered to every validation row, where that was one class."""
    for line in state.log_history:
        if line["step"] == state.best_global_step and f"eval_{ONLY_CLASS}" in line:
            found = int(line[f"eval_{ONLY_CLASS}"])
            return None if found < 0 else found
    return None
