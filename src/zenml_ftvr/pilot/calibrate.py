"""A few real steps of each approach on the hardware that trains."""

from __future__ import annotations

import dataclasses
import gc
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.approaches import (
    NEEDS_BASE_MODEL,
    head,
    memory_bytes,
    most_tokens,
    refusal,
    scratch,
)
from zenml_ftvr.decide import PlanBasis, make_plan
from zenml_ftvr.errors import FtvrError
from zenml_ftvr.hardware import peak_memory, process_memory_gib
from zenml_ftvr.models import (
    Encoder,
    ResolvedModel,
    device_refusal,
    fit_baseline,
    load,
    load_encoder,
    save_baseline,
    save_trainable,
    this_device,
)
from zenml_ftvr.pilot.latency import (
    answers_in_one_pass,
    median_forward_seconds,
    median_seconds,
    synchronise,
)
from zenml_ftvr.pilot.padding import grouped_share
from zenml_ftvr.tasks import EncodedRows, work_for
from zenml_ftvr.tasks.text_classification import token_ids
from zenml_ftvr.train import (
    Prepared,
    Progress,
    make_pairs,
    prepare,
    settled,
    silent,
    train_on_pairs,
    trainer_for,
    without_frozen_part,
)
from zenml_ftvr.values import (
    Approach,
    ArmCalibration,
    Calibration,
    CausalLM,
    Hardware,
    ImageClassification,
    Kind,
    ModelSource,
    Seq2Seq,
    TokenClassification,
    TrainingPlan,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Dataset, Rows

__all__ = ["calibrate"]

TIMED_BATCHES = 5
"""One at the middle of each fifth of the lengths, so that their mean is the mean over all batches
even though time does not grow in proportion to length."""
WARM_UP_BATCHES = 2  # the longest rows (peak memory), and one more: the first step allocates
GIB = 2**30


def calibrate(
    dataset: Dataset,
    base: ResolvedModel | None,
    basis: PlanBasis,
    approaches: Sequence[Approach],
    hardware: Hardware,
    *,
    seconds_per_arm: float | None = None,
    progress: Progress = silent,
) -> Calibration:
    """Time every approach; what cannot be calibrated is listed with the reason.

    An arm whose arithmetic says that it needs more than the machine's memory is not tried, and one
    that has used up `seconds_per_arm` in its first steps is given up.
    """
    from safetensors import SafetensorError

    started = time.monotonic()
    process_gib = process_memory_gib()
    arms: list[ArmCalibration] = []
    skipped: list[tuple[Kind, str]] = []
    progress("calibrating", 0, len(approaches))
    for done, approach in enumerate(approaches, start=1):
        plan = make_plan(approach, basis, max_steps=WARM_UP_BATCHES + TIMED_BATCHES)
        try:
            arms.append(_calibrate_arm(plan, dataset, base, hardware, seconds_per_arm))
        except _NotCalibrated as reason:
            skipped.append((approach.kind, str(reason)))
        except (FtvrError, RuntimeError, MemoryError, OSError, SafetensorError) as error:
            skipped.append((approach.kind, f"its first steps failed: {error}"))
        gc.collect()
        progress("calibrating", done, len(approaches), approach.kind)
    return Calibration(
        hardware=hardware,
        model=ModelSource() if basis.source is None else basis.source,
        data_fingerprint=dataset.fingerprint,
        arms=tuple(arms),
        process_memory_gib=process_gib,
        seconds=time.monotonic() - started,
        skipped=tuple(skipped),
        max_length=basis.max_length,
        mean_tokens=basis.facts.mean_tokens,
        longest_tokens=basis.facts.longest_tokens,
    )


class _NotCalibrated(Exception):  # noqa: N818  (a reason, not an error)
    """Why an arm was not calibrated."""


def _calibrate_arm(
    plan: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel | None,
    hardware: Hardware,
    seconds_limit: float | None,
) -> ArmCalibration:
    if (reason := refusal(plan.kind, plan.task)) is not None:
        raise _NotCalibrated(reason)
    if plan.kind in NEEDS_BASE_MODEL and base is None:
        raise _NotCalibrated("it needs a base model, and none was given.")
    if (why := device_refusal(plan.approach, this_device())) is not None:
        raise _NotCalibrated(why)
    architecture, longest = None if base is None else base.architecture, _longest(plan, dataset)
    approach = settled(plan.approach, architecture, longest, hardware)
    form = scratch.form_of(plan.task)
    device = hardware.device
    needed = memory_bytes(approach, architecture, longest, device=device, form=form) / GIB
    if needed > hardware.training_memory_gib:
        raise _NotCalibrated(
            f"it needs about {needed:.1f} GiB by arithmetic; the machine has "
            f"{hardware.training_memory_gib:.1f} GiB."
        )
    match plan.kind:
        case "baseline":
            return _calibrate_baseline(plan, dataset)
        case "head":
            return _calibrate_head(plan, dataset, base, hardware)
        case "contrastive":
            return _calibrate_contrastive(plan, dataset, base, hardware, seconds_limit)
        case "partial" | "full" | "lora" | "scratch":
            return _calibrate_loop(plan, dataset, base, hardware, seconds_limit)


def _longest(plan: TrainingPlan, dataset: Dataset) -> int:
    """Tokens of the longest row, at most the task's; a token has at least one byte."""
    import pyarrow.compute as pc

    most = most_tokens(plan.task)
    if isinstance(plan.task, TokenClassification) or dataset.train.table.num_rows == 0:
        return most
    if isinstance(plan.task, CausalLM | Seq2Seq):  # packed rows are full; a target may be longer
        return most
    column = dataset.train.table.column("text")
    if _is_list(column) or isinstance(plan.task, ImageClassification):
        return most
    return min(most, int(pc.max(pc.binary_length(column)).as_py()) + 2)


def _calibrate_baseline(plan: TrainingPlan, dataset: Dataset) -> ArmCalibration:
    work = work_for(plan.task, dataset)
    with tempfile.TemporaryDirectory(prefix="ftvr-") as name, peak_memory() as peak:
        folder = Path(name) / "model"
        started = time.monotonic()
        baseline = fit_baseline(work, dataset.train, plan.seed)
        fit_seconds = time.monotonic() - started
        started = time.monotonic()
        save_baseline(baseline, plan, work, folder)
        save_seconds = time.monotonic() - started
        started = time.monotonic()
        loaded = load(folder)
        load_seconds = time.monotonic() - started
        started = time.monotonic()
        loaded.outputs(dataset.validation)
        eval_seconds = time.monotonic() - started
    latency = None
    if answers_in_one_pass(plan.task):
        latency = median_seconds(dataset.validation, loaded.outputs)
    n_params = baseline.n_params
    return ArmCalibration(
        kind="baseline",
        seconds_per_step=fit_seconds,
        batch_size=len(dataset.train),
        n_steps_timed=1,
        seconds_per_eval_row=eval_seconds / len(dataset.validation),
        setup_seconds=load_seconds,
        save_seconds=save_seconds,
        peak_memory_gib=peak.gib,
        n_params=n_params,
        n_trainable=n_params,
        latency_seconds=latency,
    )


def _calibrate_head(
    plan: TrainingPlan, dataset: Dataset, base: ResolvedModel | None, hardware: Hardware
) -> ArmCalibration:
    if base is None:
        raise _NotCalibrated("it needs a base model, and none was given.")
    with peak_memory() as peak:
        load_encoder(base.folder, plan.task, hardware.device, base.source.allow)  # imports, disk
        started = time.monotonic()
        encoder = load_encoder(base.folder, plan.task, hardware.device, base.source.allow)
        setup_seconds = time.monotonic() - started
        by_size = _by_size(dataset.train)
        batches = _spread(len(by_size), head.BATCH_SIZE)
        encoder.features(dataset.train.take(by_size[batches[0]]))  # longest: warm-up and memory
        started = time.monotonic()
        for batch in batches[WARM_UP_BATCHES:]:
            encoder.features(dataset.train.take(by_size[batch]))
        seconds = (time.monotonic() - started) / (len(batches) - WARM_UP_BATCHES)
    n_trainable = max(1, len(dataset.labels)) * (base.architecture.hidden + 1)
    mean_tokens, longest_tokens = _lengths(plan, encoder, dataset.train)
    rows = min(head.BATCH_SIZE, len(by_size))
    return ArmCalibration(
        kind="head",
        seconds_per_step=seconds,
        batch_size=rows,
        n_steps_timed=len(batches) - WARM_UP_BATCHES,
        seconds_per_eval_row=seconds / rows,
        setup_seconds=2 * setup_seconds,  # once for the features, once to save the encoder
        save_seconds=0.0,
        peak_memory_gib=peak.gib,
        n_params=base.architecture.n_params + n_trainable,
        n_trainable=n_trainable,
        mean_tokens=mean_tokens,
        longest_tokens=longest_tokens,
        latency_seconds=median_seconds(dataset.validation, encoder.features),
    )


def _lengths(
    plan: TrainingPlan, encoder: Encoder, rows: Rows
) -> tuple[float, int] | tuple[None, None]:
    """Tokens of the mean and of the longest row; none of images."""
    if isinstance(plan.task, ImageClassification):
        return None, None
    lengths = [len(ids) for ids in token_ids(encoder.tokenizer, rows, most_tokens(plan.task))]
    return sum(lengths) / len(lengths), max(lengths)


def _by_size(rows: Rows) -> npt.NDArray[np.int64]:
    """Places of rows from the shortest to the longest, by characters or bytes."""
    import numpy as np
    import pyarrow.compute as pc

    column = rows.table.column("text")
    sizes = pc.list_value_length(column) if _is_list(column) else pc.binary_length(column)
    return np.argsort(sizes.to_numpy(), kind="stable")


def _is_list(column: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(column.type))


def _spread(n_rows: int, batch_size: int) -> list[list[int]]:
    """Batches of indices into rows sorted by length: warm-up first, then one a fifth.

    The first batch has the longest rows.
    """
    size = min(batch_size, n_rows)
    last = n_rows - size
    middles = [(2 * index + 1) / (2 * TIMED_BATCHES) for index in range(TIMED_BATCHES)]
    starts = [last, last // 2]
    starts += [min(last, max(0, int(middle * n_rows - size / 2))) for middle in middles]
    return [list(range(start, start + size)) for start in starts]


def _calibrate_loop(
    plan: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel | None,
    hardware: Hardware,
    seconds_limit: float | None,
) -> ArmCalibration:
    with tempfile.TemporaryDirectory(prefix="ftvr-") as name, peak_memory() as peak:
        work = Path(name)
        started = time.monotonic()
        prepared = prepare(plan, dataset, base)
        trainable = prepared.trainable
        lengths = prepared.train.lengths
        by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
        order = [
            by_length[index] for batch in _spread(len(lengths), plan.batch_size) for index in batch
        ]
        n_params, n_trainable = trainable.n_params, trainable.n_trainable
        clock = _stopwatch(plan, seconds_limit)
        few = dataclasses.replace(
            prepared,
            train=prepared.train.subset(order),
            validation=_evenly(prepared.validation),
        )
        setup_seconds = time.monotonic() - started
        frozen_seconds = 0.0  # a token
        started = time.monotonic()
        with without_frozen_part(few, work / "states", hardware.device, silent) as light:
            if light is not few:
                frozen_seconds = (time.monotonic() - started) / _tokens(few)
            trainer = trainer_for(
                plan, light, work / "steps", [clock], sampling="sequential", evaluates=False
            )
            trainer.train()
            if clock.gave_up is not None:
                raise _NotCalibrated(clock.gave_up)
            started = time.monotonic()
            trainer.evaluate()
            eval_seconds = (time.monotonic() - started) / len(trainer.eval_dataset)
        started = time.monotonic()
        save_trainable(trainable, base, plan, prepared.work, work / "model")
        save_seconds = time.monotonic() - started
    latency = None
    if answers_in_one_pass(plan.task):
        latency = median_forward_seconds(prepared)
    timed = clock.seconds[WARM_UP_BATCHES:]
    return ArmCalibration(
        kind=plan.kind,
        seconds_per_step=sum(timed) / len(timed),
        batch_size=plan.batch_size,
        n_steps_timed=len(timed),
        seconds_per_eval_row=eval_seconds,
        setup_seconds=setup_seconds,
        save_seconds=save_seconds,
        peak_memory_gib=peak.gib,
        n_params=n_params,
        n_trainable=n_trainable,
        seconds_per_frozen_row=frozen_seconds * sum(lengths) / len(lengths),
        update_seconds=clock.update_seconds(),
        mean_tokens=sum(lengths) / len(lengths),
        longest_tokens=max(lengths),
        latency_seconds=latency,
    )


def _tokens(prepared: Prepared) -> int:
    """Tokens of the distinct rows: the frozen layers see each once."""
    distinct = {tuple(ids) for ids in (*prepared.train.input_ids, *prepared.validation.input_ids)}
    return sum(map(len, distinct))


def _calibrate_contrastive(
    plan: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel | None,
    hardware: Hardware,
    seconds_limit: float | None,
) -> ArmCalibration:
    if base is None:
        raise _NotCalibrated("it needs a base model, and none was given.")
    texts, label_ids = dataset.train.texts, dataset.label_ids(dataset.train)
    n_pairs = plan.max_steps * plan.batch_size
    pairs = make_pairs(label_ids, dataset.train.row_ids, n_pairs, plan.seed)
    clock = _stopwatch(plan, seconds_limit)
    with tempfile.TemporaryDirectory(prefix="ftvr-") as name, peak_memory() as peak:
        started = time.monotonic()
        encoder = load_encoder(base.folder, plan.task, hardware.device, base.source.allow)
        setup_seconds = time.monotonic() - started
        train_on_pairs(
            encoder.model,
            encoder.tokenizer,
            texts,
            pairs,
            max_length=most_tokens(plan.task),
            max_steps=plan.max_steps,
            batch_size=plan.batch_size,
            learning_rate=plan.learning_rate or 0.0,
            warmup_steps=plan.warmup_steps,
            seed=plan.seed,
            work_folder=Path(name) / "steps",
            callbacks=[clock],
            logging_steps=plan.max_steps,
        )
        if clock.gave_up is not None:
            raise _NotCalibrated(clock.gave_up)
        some = _by_size(dataset.validation)
        some = some[:: max(1, math.ceil(len(some) / EVALUATED_ROWS))]
        started = time.monotonic()
        encoder.features(dataset.validation.take(some))
        eval_seconds = (time.monotonic() - started) / len(some)
        started = time.monotonic()
        encoder.model.save_pretrained(Path(name) / "model")
        save_seconds = time.monotonic() - started
    timed = clock.seconds[WARM_UP_BATCHES:]
    mean_tokens, longest_tokens = _lengths(plan, encoder, dataset.train)
    share = _grouped(plan, encoder, dataset, pairs)
    update_seconds = clock.update_seconds()
    step_seconds = update_seconds + (sum(timed) / len(timed) - update_seconds) * share
    n_params = base.architecture.n_params + len(dataset.labels) * (base.architecture.hidden + 1)
    return ArmCalibration(
        kind="contrastive",
        seconds_per_step=step_seconds,
        batch_size=plan.batch_size,
        n_steps_timed=len(timed),
        seconds_per_eval_row=eval_seconds,
        setup_seconds=setup_seconds,
        save_seconds=save_seconds,
        peak_memory_gib=peak.gib,
        n_params=n_params,
        n_trainable=n_params,
        update_seconds=update_seconds,
        mean_tokens=mean_tokens,
        longest_tokens=longest_tokens,
        latency_seconds=median_seconds(dataset.validation, encoder.features),
    )


def _grouped(
    plan: TrainingPlan,
    encoder: Encoder,
    dataset: Dataset,
    pairs: Sequence[tuple[int, int, float]],
) -> float:
    """How many tokens a step of all pairs has, as a share of those of the few that were timed."""
    rows, limit = dataset.train, most_tokens(plan.task)
    lengths = [len(ids) for ids in token_ids(encoder.tokenizer, rows, limit)]
    wanted = getattr(plan.approach, "pairs", None) or len(pairs)
    every = make_pairs(dataset.label_ids(rows), rows.row_ids, max(wanted, len(pairs)), plan.seed)
    few, many = (
        [(lengths[first], lengths[second]) for first, second, _ in some] for some in (pairs, every)
    )
    return grouped_share(few, many, plan.batch_size, plan.seed)


EVALUATED_ROWS = 64  # two batches: enough to time, a few per cent of an evaluation


def _evenly(rows: EncodedRows) -> EncodedRows:
    """At most 64 rows, evenly over the lengths, in the order of the split: an evaluation does not
    sort them, and pads accordingly."""
    by_length = sorted(range(len(rows)), key=rows.lengths.__getitem__)
    step = max(1, math.ceil(len(rows) / EVALUATED_ROWS))
    return rows.subset(sorted(by_length[::step]))


def _stopwatch(plan: TrainingPlan, seconds_limit: float | None) -> Any:
    from transformers import TrainerCallback

    class Stopwatch(TrainerCallback):
        def __init__(self) -> None:
            self.seconds: list[float] = []
            self.updates: list[float] = []
            self.gave_up: str | None = None
            self._began = self._step_began = self._update_began = 0.0

        def update_seconds(self) -> float:
            """Of the timed steps, what the optimiser's update took on average."""
            timed = self.updates[WARM_UP_BATCHES:]
            return sum(timed) / len(timed) if timed else 0.0

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self._began = time.monotonic()

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self._step_began = time.monotonic()

        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            synchronise()
            self._update_began = time.monotonic()

        def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            synchronise()
            self.updates.append(time.monotonic() - self._update_began)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            synchronise()
            now = time.monotonic()
            self.seconds.append(now - self._step_began)
            gone, steps = now - self._began, len(self.seconds)
            if seconds_limit is not None and gone > seconds_limit and steps < plan.max_steps:
                self.gave_up = (
                    f"{steps} of {plan.max_steps} calibration steps took {gone:.0f} s, more than "
                    f"the {seconds_limit:.0f} s that the budget leaves for calibrating one arm."
                )
                control.should_training_stop = True
            return control

    return Stopwatch()
