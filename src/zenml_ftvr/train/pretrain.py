"""Let a model learn the language of unlabelled texts before it is trained on labels."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zenml_ftvr.approaches import WARMUP_SHARE, most_tokens
from zenml_ftvr.approaches.pretraining import PRETRAIN_EPOCHS, pretraining_steps, worth_of_epochs
from zenml_ftvr.data import UnlabelledTexts, read_unlabelled
from zenml_ftvr.errors import DataError, ModelError, TrainingError
from zenml_ftvr.models import (
    ResolvedModel,
    Trainable,
    quiet,
    this_device,
    training_precision,
)
from zenml_ftvr.train.kept_body import keep_body, restore_body
from zenml_ftvr.train.language import (
    IGNORED,
    LanguageRows,
    Objective,
    collator,
    frequency_loss,
    sequences,
    vocabulary_of,
)
from zenml_ftvr.train.loop import EVAL_BATCH_SIZE, LOGGED_POINTS
from zenml_ftvr.train.progress import Progress, silent
from zenml_ftvr.values import CurvePoint, Full, Lora, Scratch, TrainingPlan

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["LanguageModel", "Pretrained", "Watch", "language_model", "pretrained_body"]

HELD_OUT_SHARE, MOST_HELD_OUT = 0.05, 512
"""Sequences that are not trained on, to see what was learnt: of 512, some 5,000 masked tokens at 64
a sequence, whose mean loss is known to about 1 %. A judgement."""
CLOCK_SHARE = 0.5
"""Of the plan's wall-clock limit, what pretraining may take at most: a judgement."""

CLEARLY_BELOW_FREQUENCIES = 0.5
"""Nats below guessing by frequency from which language was learnt: a judgement. Two layers on the
docstrings, then 600 labelled rows, one seed, 92 test rows: accuracy .37 after 647 steps that ended
0.20 below, .58 after 3,234 that ended 0.81 below, and .54 without pretraining."""


def _nothing(metrics: dict[str, float], step: int) -> None:
    """Records nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who looks on: the tracker, the progress lines, and the clock."""

    log: Callable[[dict[str, float], int], None] = _nothing
    progress: Progress = silent
    started: float = field(default_factory=time.monotonic)
    """The `time.monotonic()` from which the plan's wall-clock limit counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """What learning from unlabelled texts did."""

    texts_fingerprint: str
    objective: Objective
    steps_done: int
    stopped_by: Literal["finished", "budget"]
    loss_before: float
    """Mean negative log-likelihood of a held-out hidden token, in nats."""
    loss_after: float
    loss_of_frequencies: float
    """The same of guessing by how frequent each token is: only below it is language learnt."""
    seconds: float
    curve: tuple[CurvePoint, ...]
    statements: tuple[str, ...]
    """What was read, left out and learnt, each a sentence."""

    @classmethod
    def from_record(cls, fields: Mapping[str, Any]) -> Pretrained:
        """What `dataclasses.asdict` and JSON made of one."""
        curve = tuple(CurvePoint(**point) for point in fields["curve"])
        lists = {"curve": curve, "statements": tuple(fields["statements"])}
        return cls(**{**fields, **lists})


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """A model with a language head on the body of another: training it trains that body."""

    model: Any
    objective: Objective


def pretrained_body(
    trainable: Trainable,
    plan: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel | None,
    work_folder: Path,
    watch: Watch | None = None,
) -> Pretrained | None:
    """Train the body of `trainable` in place on the texts that the plan's approach names.

    Its head for the labels stays as it was built; of `lora` the adapters learn, and what they are
    added to stays, so that they still belong to their base. What was learnt is kept in
    `work_folder`, and taken from there where the same plan and texts come again: a run that goes on
    does not pretrain twice. None where no texts are named. Raises
    `DataError` for texts that cannot be used, `ModelError` for a model without a language head,
    `TrainingError` where the loss is lost.
    """
    watch = watch or Watch()
    match plan.approach:
        case Full() | Lora() | Scratch() as approach if approach.pretrain_on is not None:
            texts = read_unlabelled(approach.pretrain_on, dataset)
            epochs = approach.pretrain_epochs or PRETRAIN_EPOCHS
        case _:
            return None
    key = _key(plan, texts)
    if (kept := restore_body(work_folder, key, trainable)) is not None:
        return Pretrained.from_record(kept)
    began = time.monotonic()
    language = language_model(trainable, base)
    tokenizer, objective = trainable.tokenizer, language.objective
    ids = sequences(tokenizer, texts.texts, most_tokens(plan.task), objective)
    learnt_from, held_out = _held_out(ids, texts)
    vocabulary = vocabulary_of(tokenizer)
    train = LanguageRows(
        learnt_from, vocabulary, objective, plan.seed, epochs=epochs, batch_size=plan.batch_size
    )
    seen = LanguageRows(held_out, vocabulary, objective, plan.seed)
    steps = pretraining_steps(len(learnt_from), epochs, plan.batch_size)
    notes = _Notes(plan, watch, steps)
    with quiet():
        trainer = _trainer(language.model, train, vocabulary, plan, steps, work_folder, notes)
        before = _loss(trainer.model, seen, vocabulary, objective)
        trainer.train()
        after = _loss(trainer.model, seen, vocabulary, objective)
    by_frequency = frequency_loss(learnt_from, seen)
    outcome = Pretrained(
        texts_fingerprint=texts.fingerprint,
        objective=objective,
        steps_done=trainer.state.global_step,
        stopped_by=notes.stopped_by,
        loss_before=before,
        loss_after=after,
        loss_of_frequencies=by_frequency,
        seconds=time.monotonic() - began,
        curve=tuple(notes.points),
        statements=(
            texts.statement,
            f"{trainer.state.global_step:,} of {steps:,} steps over {len(learnt_from):,} sequences "
            f"of at most {most_tokens(plan.task)} tokens, {epochs:.3g} epochs: worth "
            f"{worth_of_epochs(epochs):.3g} of fresh text (Muennighoff et al. 2023, eq. 5).",
            _learnt(objective, before, after, by_frequency, len(held_out)),
        ),
    )
    keep_body(work_folder, key, trainable, language.model, outcome)
    return outcome


def _key(plan: TrainingPlan, texts: UnlabelledTexts) -> str:
    """All that decides what is learnt: bit for bit on one device and number of threads."""
    import torch

    where = this_device().kind
    return f"{plan.fingerprint} {texts.fingerprint} {where} {torch.get_num_threads()}"


def _learnt(
    objective: Objective, before: float, after: float, by_frequency: float, n_held_out: int
) -> str:
    what = {"masked": "masked", "causal": "next", "denoising": "restored"}[objective]
    went = (
        f"The loss of a {what} token went from {before:.3f} to {after:.3f} nats on "
        f"{n_held_out:,} sequences held out; guessing by frequency alone has {by_frequency:.3f}"
    )
    if after < by_frequency - CLEARLY_BELOW_FREQUENCIES:
        return f"{went}."
    return (
        f"{went}: how tokens follow from each other was hardly learnt, and such a start can be "
        f"worse than none. Name more text or raise pretrain_epochs, or leave pretrain_on out."
    )


def language_model(trainable: Trainable, base: ResolvedModel | None) -> LanguageModel:
    """The language model that shares the body of `trainable`.

    A base model's own language head is used where its folder has one; else the head is new.
    """
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_MASKED_LM_MAPPING,
    )

    model = trainable.model
    inner = model.get_base_model() if hasattr(model, "peft_config") else model
    config = inner.config
    has_mask = trainable.tokenizer.mask_token_id is not None
    if getattr(config, "is_encoder_decoder", False):
        if inner.get_output_embeddings() is None or not has_mask:
            raise _no_language(inner, "writes no text, or its tokenizer has no mask")
        return LanguageModel(model=inner, objective="denoising")
    if type(config) in MODEL_FOR_MASKED_LM_MAPPING and has_mask:
        return LanguageModel(
            model=_on_body_of(inner, AutoModelForMaskedLM, base), objective="masked"
        )
    if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING:
        return LanguageModel(
            model=_on_body_of(inner, AutoModelForCausalLM, base), objective="causal"
        )
    raise _no_language(inner, "has no head for language in transformers")


def _no_language(inner: Any, why: str) -> ModelError:
    return ModelError(
        f"{type(inner).__name__} cannot be pretrained on text: it {why}. Leave pretrain_on out."
    )


def _on_body_of(inner: Any, auto_class: Any, base: ResolvedModel | None) -> Any:
    import torch

    if type(inner) in auto_class._model_mapping.values():
        return inner
    prefix = inner.base_model_prefix
    with quiet():
        if base is None:
            model = auto_class.from_config(inner.config)
        else:
            model = auto_class.from_pretrained(base.folder, dtype=torch.float32)
    if model.base_model_prefix != prefix or not hasattr(inner, prefix):
        raise _no_language(inner, f"keeps its body elsewhere than {type(model).__name__} does")
    setattr(model, prefix, getattr(inner, prefix))
    model.tie_weights()
    return model


def _held_out(
    ids: Sequence[list[int]], texts: UnlabelledTexts
) -> tuple[list[list[int]], list[list[int]]]:
    """The sequences that are learnt from, and those, evenly over them, that are not."""
    n_held = min(MOST_HELD_OUT, max(1, round(HELD_OUT_SHARE * len(ids))))
    if len(ids) < 2:
        raise DataError(
            f"pretrain_on '{texts.name}' gives {len(ids)} sequence of tokens; at least two are "
            f"needed. Name more text, or leave pretrain_on out."
        )
    step = len(ids) // n_held
    held = set(range(step - 1, len(ids), step)[:n_held])
    learnt = [one for place, one in enumerate(ids) if place not in held]
    return learnt, [ids[place] for place in sorted(held)]


class _Notes:
    """What the loop's callback saw."""

    def __init__(self, plan: TrainingPlan, watch: Watch, steps: int) -> None:
        self.plan, self.watch, self.steps = plan, watch, steps
        self.points: list[CurvePoint] = []
        self.stopped_by: Literal["finished", "budget"] = "finished"
        self.last_loss = math.nan

    def read(self, loss: float, step: int) -> None:
        """Note the mean loss since the last reading; `TrainingError` where it is no number."""
        self.last_loss = loss
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss of pretraining '{self.plan.kind}' became {loss} by step {step}. Lower "
                f"its learning_rate (now {self.plan.learning_rate:g})."
            )
        seconds = time.monotonic() - self.watch.started
        self.points.append(
            CurvePoint(step=step, metric="pretrain/loss", value=loss, seconds=seconds)
        )
        self.watch.log({"pretrain/loss": loss}, step)

    def out_of_time(self, step: int) -> bool:
        """Whether pretraining has had its share of the clock before its last step."""
        limit = self.plan.wall_seconds
        if limit is None or step >= self.steps:
            return False
        if time.monotonic() - self.watch.started <= CLOCK_SHARE * limit:
            return False
        self.stopped_by = "budget"
        return True


def _trainer(
    model: Any,
    rows: LanguageRows,
    vocabulary: Any,
    plan: TrainingPlan,
    steps: int,
    work_folder: Path,
    notes: _Notes,
) -> Any:
    from transformers import Trainer, TrainerCallback, TrainingArguments
    from transformers.trainer_callback import PrinterCallback

    device = this_device()
    precision = training_precision(plan.approach, device)
    arguments = TrainingArguments(
        output_dir=str(work_folder),
        max_steps=steps,
        per_device_train_batch_size=plan.batch_size,
        learning_rate=plan.learning_rate or 0.0,
        lr_scheduler_type="linear",
        warmup_steps=round(WARMUP_SHARE * steps),
        weight_decay=plan.weight_decay,
        eval_strategy="no",
        save_strategy="no",
        logging_steps=max(1, steps // LOGGED_POINTS),
        logging_nan_inf_filter=False,  # it would hide a diverged loss
        train_sampling_strategy="sequential",  # the rows are in the order of all epochs
        seed=plan.seed,
        data_seed=plan.seed,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=device.kind == "cpu",
        remove_unused_columns=False,
    )

    class Observer(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" in (logs or {}):
                notes.read(float(logs["loss"]), state.global_step)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            detail = f"loss {notes.last_loss:.3f}"
            notes.watch.progress(f"pretraining {plan.kind}", state.global_step, steps, detail)
            control.should_training_stop |= notes.out_of_time(state.global_step)
            return control

    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=collator(vocabulary),
        callbacks=[Observer()],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _loss(model: Any, rows: LanguageRows, vocabulary: Any, objective: Objective) -> float:
    """Mean negative log-likelihood of a token that the objective asks for, in nats."""
    import torch

    together = collator(vocabulary)
    was_training, total, n_tokens = model.training, 0.0, 0
    model.eval()
    for start in range(0, len(rows), EVAL_BATCH_SIZE):
        some = range(start, min(start + EVAL_BATCH_SIZE, len(rows)))
        batch = together([rows[index] for index in some])
        asked = batch["labels"][:, 1:] if objective == "causal" else batch["labels"]
        count = int((asked != IGNORED).sum())
        with torch.no_grad():
            moved = {name: tensor.to(model.device) for name, tensor in batch.items()}
            total += float(model(**moved).loss) * count
        n_tokens += count
    model.train(was_training)
    return total / n_tokens
