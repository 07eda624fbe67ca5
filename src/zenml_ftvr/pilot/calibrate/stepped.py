"""Arms that the training loop takes steps of."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from zenml_ftvr.hardware import peak_memory
from zenml_ftvr.models import (
    ResolvedModel,
    save_trainable,
)
from zenml_ftvr.pilot.calibrate.batches import (
    WARM_UP_BATCHES,
    NotCalibrated,
    evenly,
    spread,
)
from zenml_ftvr.pilot.calibrate.stopwatch import stopwatch
from zenml_ftvr.pilot.latency import (
    answers_in_one_pass,
    median_forward_seconds,
)
from zenml_ftvr.train import (
    Prepared,
    prepare,
    silent,
    trainer_for,
    without_frozen_part,
)
from zenml_ftvr.values import (
    ArmCalibration,
    Hardware,
    TrainingPlan,
)

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["calibrate_loop"]


def calibrate_loop(
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
            by_length[index] for batch in spread(len(lengths), plan.batch_size) for index in batch
        ]
        n_params, n_trainable = trainable.n_params, trainable.n_trainable
        clock = stopwatch(plan, seconds_limit)
        few = dataclasses.replace(
            prepared,
            train=prepared.train.subset(order),
            validation=evenly(prepared.validation),
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
                raise NotCalibrated(clock.gave_up)
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
