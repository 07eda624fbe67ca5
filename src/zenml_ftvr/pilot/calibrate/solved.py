"""Arms that are solved for: the baseline, and the head on frozen features."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from zenml_ftvr.approaches import (
    head,
)
from zenml_ftvr.hardware import peak_memory
from zenml_ftvr.models import (
    ResolvedModel,
    fit_baseline,
    load,
    load_encoder,
    save_baseline,
)
from zenml_ftvr.pilot.calibrate.batches import (
    WARM_UP_BATCHES,
    NotCalibrated,
    by_size_of,
    lengths_of,
    spread,
)
from zenml_ftvr.pilot.latency import (
    answers_in_one_pass,
    median_seconds,
)
from zenml_ftvr.tasks import work_for
from zenml_ftvr.values import (
    ArmCalibration,
    Hardware,
    TrainingPlan,
)

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["calibrate_baseline", "calibrate_head"]


def calibrate_baseline(plan: TrainingPlan, dataset: Dataset) -> ArmCalibration:
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


def calibrate_head(
    plan: TrainingPlan, dataset: Dataset, base: ResolvedModel | None, hardware: Hardware
) -> ArmCalibration:
    if base is None:
        raise NotCalibrated("it needs a base model, and none was given.")
    with peak_memory() as peak:
        load_encoder(base.folder, plan.task, hardware.device, base.source.allow)  # imports, disk
        started = time.monotonic()
        encoder = load_encoder(base.folder, plan.task, hardware.device, base.source.allow)
        setup_seconds = time.monotonic() - started
        by_size = by_size_of(dataset.train)
        batches = spread(len(by_size), head.BATCH_SIZE)
        encoder.features(dataset.train.take(by_size[batches[0]]))  # longest: warm-up and memory
        started = time.monotonic()
        for batch in batches[WARM_UP_BATCHES:]:
            encoder.features(dataset.train.take(by_size[batch]))
        seconds = (time.monotonic() - started) / (len(batches) - WARM_UP_BATCHES)
    n_trainable = max(1, len(dataset.labels)) * (base.architecture.hidden + 1)
    mean_tokens, longest_tokens = lengths_of(plan, encoder, dataset.train)
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
