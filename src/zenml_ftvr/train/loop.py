"""The optimiser's loop: transformers' Trainer under our plan."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.models import (
    ResolvedModel,
    Trainable,
    build,
    keeps_documents_apart,
    quiet,
    this_device,
    training_precision,
)
from zenml_ftvr.tasks import CausalWork, Work, score, work_for
from zenml_ftvr.train.optimizers import optimizer_for
from zenml_ftvr.train.progress import Progress
from zenml_ftvr.train.settle import make_ready
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
    "observer",
    "prepare",
    "run_loop",
    "trainer_for",
]

LOGGED_POINTS = 60  # of the loss curve: a point every few pixels of the report's chart
EVAL_BATCH_SIZE = 32  # no gradients are kept


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopResult:
    """What a loop did."""

    steps_done: int
    stopped_by: Literal["finished", "budget"]
    curve: tuple[CurvePoint, ...]


def _as_built(trainable: Trainable) -> None:
    """Changes nothing."""


def _read_by_a_tokenizer(task: Task, dataset: Dataset) -> list[Any]:
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
    trainable = build(plan, base, _read_by_a_tokenizer(plan.task, dataset))
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


def _sampling(rows: Any) -> Literal["group_by_length", "random"]:
    """Rows of like length share a batch, where lengths differ: less is padded."""
    return "group_by_length" if len(set(rows.lengths)) > 1 else "random"


def trainer_for(
    plan: TrainingPlan,
    prepared: Prepared,
    work_folder: Path,
    callbacks: list[Any],
    *,
    sampling: Literal["sequential"] | None = None,
    evaluates: bool = True,
) -> Any:
    """A transformers Trainer that takes `plan.max_steps` steps.

    With `evaluates` it keeps the checkpoint with the best validation metric and ends with it.
    """
    from transformers import Trainer, TrainingArguments

    work = prepared.work
    device = this_device()
    precision = training_precision(plan.approach, device)
    arguments = TrainingArguments(
        output_dir=str(work_folder),
        max_steps=plan.max_steps,
        per_device_train_batch_size=plan.batch_size,
        per_device_eval_batch_size=_eval_batch_size(plan, work),
        learning_rate=plan.learning_rate or 0.0,
        lr_scheduler_type="linear",
        warmup_steps=plan.warmup_steps,
        weight_decay=plan.weight_decay,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=plan.eval_every_steps,
        save_strategy="best" if evaluates else "no",
        save_only_model=True,
        save_total_limit=1,
        load_best_model_at_end=evaluates,
        metric_for_best_model=f"eval_{work.selects_by}",
        greater_is_better=work.selects_by not in ("loss", *LOWER_IS_BETTER),
        logging_steps=max(1, plan.max_steps // LOGGED_POINTS),
        logging_nan_inf_filter=False,  # it would hide a diverged loss
        train_sampling_strategy=sampling or _sampling(prepared.train),
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
    )

    def compute_metrics(seen: Any) -> dict[str, float]:
        rows = getattr(trainer.eval_dataset, "rows", trainer.eval_dataset)  # without kept states
        answers = work.answers_in_training(seen.predictions, seen.label_ids, rows)
        return {metric: score(answers, metric) for metric in work.in_training}

    trainer = Trainer(
        model=prepared.trainable.model,
        args=arguments,
        train_dataset=prepared.train,
        eval_dataset=prepared.validation,
        data_collator=prepared.collate,
        compute_metrics=compute_metrics,
        preprocess_logits_for_metrics=work.reduced,
        callbacks=callbacks,
        optimizers=(optimizer_for(plan, prepared.trainable.model), None),
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


@dataclass(slots=True)
class Observations:
    """What the callback of one loop saw."""

    points: list[CurvePoint] = field(default_factory=list)
    stopped_by: Literal["finished", "budget"] = "finished"
    last_loss: float = math.nan


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
) -> Any:
    """A callback that records, shows progress, stops for the clock, and ends on a lost loss."""
    from transformers import TrainerCallback

    class Observer(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress(f"training {plan.kind}", 0, plan.max_steps)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            seconds = time.monotonic() - started
            metrics = {NAMES[name]: float(logs[name]) for name in NAMES if name in (logs or {})}
            for name, value in metrics.items():
                seen.points.append(
                    CurvePoint(step=state.global_step, metric=name, value=value, seconds=seconds)
                )
            if metrics:
                log(metrics, state.global_step)
            if "train/loss" in metrics:
                seen.last_loss = metrics["train/loss"]
                if not math.isfinite(seen.last_loss):
                    raise TrainingError(
                        f"the loss of '{plan.kind}' became {seen.last_loss} by step "
                        f"{state.global_step}. Lower its learning_rate (now "
                        f"{plan.learning_rate:g})."
                    )

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            progress(
                f"training {plan.kind}",
                state.global_step,
                plan.max_steps,
                f"loss {seen.last_loss:.3f}",
            )
            gone = time.monotonic() - started
            limit = plan.wall_seconds
            if limit is not None and gone > limit and state.global_step < plan.max_steps:
                seen.stopped_by = "budget"
                control.should_evaluate = args.eval_strategy != "no"
                control.should_training_stop = True
            return control

    return Observer()


def run_loop(
    plan: TrainingPlan,
    prepared: Prepared,
    work_folder: Path,
    log: Callable[[dict[str, float], int], None],
    progress: Progress,
    started: float,
) -> LoopResult:
    """Take the plan's steps; the model in `prepared` ends with its best validation weights.

    `log(metrics, step)` gets every reading. `started` is the `time.monotonic()` from which the
    plan's wall-clock limit counts.
    """
    seen = Observations()
    trainer = trainer_for(
        plan,
        prepared,
        work_folder,
        [observer(plan, seen, log, progress, started)],
    )
    with quiet():
        trainer.train()
    return LoopResult(
        steps_done=trainer.state.global_step,
        stopped_by=seen.stopped_by,
        curve=tuple(seen.points),
    )
