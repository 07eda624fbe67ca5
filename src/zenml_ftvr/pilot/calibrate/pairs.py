"""The arm that is trained on pairs."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zenml_ftvr.approaches import (
    most_tokens,
)
from zenml_ftvr.hardware import peak_memory
from zenml_ftvr.models import (
    Encoder,
    ResolvedModel,
    load_encoder,
)
from zenml_ftvr.pilot.calibrate.batches import (
    EVALUATED_ROWS,
    WARM_UP_BATCHES,
    NotCalibrated,
    by_size_of,
    lengths_of,
)
from zenml_ftvr.pilot.calibrate.stopwatch import stopwatch
from zenml_ftvr.pilot.latency import (
    median_seconds,
)
from zenml_ftvr.pilot.padding import grouped_share
from zenml_ftvr.tasks.text_classification import token_ids
from zenml_ftvr.train import (
    PreparedPairs,
    make_pairs,
    train_on_pairs,
)
from zenml_ftvr.values import (
    ArmCalibration,
    Hardware,
    TrainingPlan,
)

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["calibrate_contrastive"]


def calibrate_contrastive(
    plan: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel | None,
    hardware: Hardware,
    seconds_limit: float | None,
) -> ArmCalibration:
    if base is None:
        raise NotCalibrated("it needs a base model, and none was given.")
    texts, label_ids = dataset.train.texts, dataset.label_ids(dataset.train)
    n_pairs = plan.max_steps * plan.batch_size
    pairs = make_pairs(label_ids, dataset.train.row_ids, n_pairs, plan.seed)
    clock = stopwatch(plan, seconds_limit)
    with tempfile.TemporaryDirectory(prefix="ftvr-") as name, peak_memory() as peak:
        started = time.monotonic()
        encoder = load_encoder(base.folder, plan.task, hardware.device, base.source.allow)
        setup_seconds = time.monotonic() - started
        prepared = PreparedPairs(encoder=encoder, texts=texts, pairs=pairs)
        train_on_pairs(prepared, plan, Path(name) / "steps", [clock])
        if clock.gave_up is not None:
            raise NotCalibrated(clock.gave_up)
        some = by_size_of(dataset.validation)
        some = some[:: max(1, math.ceil(len(some) / EVALUATED_ROWS))]
        started = time.monotonic()
        encoder.features(dataset.validation.take(some))
        eval_seconds = (time.monotonic() - started) / len(some)
        started = time.monotonic()
        encoder.model.save_pretrained(Path(name) / "model")
        save_seconds = time.monotonic() - started
    timed = clock.seconds[WARM_UP_BATCHES:]
    mean_tokens, longest_tokens = lengths_of(plan, encoder, dataset.train)
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
