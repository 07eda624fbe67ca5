"""A few real steps of each approach on the hardware that trains."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zenml_ftvr.approaches import (
    NEEDS_BASE_MODEL,
    memory_bytes,
    most_tokens,
    refusal,
    scratch,
)
from zenml_ftvr.decide import PlanBasis, make_plan
from zenml_ftvr.errors import FtvrError
from zenml_ftvr.hardware import process_memory_gib
from zenml_ftvr.models import (
    ResolvedModel,
    device_refusal,
    this_device,
)
from zenml_ftvr.pilot.calibrate.batches import (
    TIMED_BATCHES,
    WARM_UP_BATCHES,
    NotCalibrated,
    is_list,
)
from zenml_ftvr.pilot.calibrate.pairs import calibrate_contrastive
from zenml_ftvr.pilot.calibrate.solved import calibrate_baseline, calibrate_head
from zenml_ftvr.pilot.calibrate.stepped import calibrate_loop
from zenml_ftvr.train import (
    Progress,
    settled,
    silent,
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
    from zenml_ftvr.data import Dataset

__all__ = ["calibrate", "calibrate_arm"]

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
            arms.append(calibrate_arm(plan, dataset, base, hardware, seconds_per_arm))
        except NotCalibrated as reason:
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


def calibrate_arm(
    plan: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel | None,
    hardware: Hardware,
    seconds_limit: float | None,
) -> ArmCalibration:
    if (reason := refusal(plan.kind, plan.task)) is not None:
        raise NotCalibrated(reason)
    if plan.kind in NEEDS_BASE_MODEL and base is None:
        raise NotCalibrated("it needs a base model, and none was given.")
    if (why := device_refusal(plan.approach, this_device())) is not None:
        raise NotCalibrated(why)
    architecture, longest = None if base is None else base.architecture, _longest(plan, dataset)
    approach = settled(plan.approach, architecture, longest, hardware)
    form = scratch.form_of(plan.task)
    device = hardware.device
    needed = memory_bytes(approach, architecture, longest, device=device, form=form) / GIB
    if needed > hardware.training_memory_gib:
        raise NotCalibrated(
            f"it needs about {needed:.1f} GiB by arithmetic; the machine has "
            f"{hardware.training_memory_gib:.1f} GiB."
        )
    match plan.kind:
        case "baseline":
            return calibrate_baseline(plan, dataset)
        case "head":
            return calibrate_head(plan, dataset, base, hardware)
        case "contrastive":
            return calibrate_contrastive(plan, dataset, base, hardware, seconds_limit)
        case "partial" | "full" | "lora" | "scratch":
            return calibrate_loop(plan, dataset, base, hardware, seconds_limit)


def _longest(plan: TrainingPlan, dataset: Dataset) -> int:
    """Tokens of the longest row, at most the task's; a token has at least one byte."""
    import pyarrow.compute as pc

    most = most_tokens(plan.task)
    if isinstance(plan.task, TokenClassification) or dataset.train.table.num_rows == 0:
        return most
    if isinstance(plan.task, CausalLM | Seq2Seq):  # packed rows are full; a target may be longer
        return most
    column = dataset.train.table.column("text")
    if is_list(column) or isinstance(plan.task, ImageClassification):
        return most
    return min(most, int(pc.max(pc.binary_length(column)).as_py()) + 2)
