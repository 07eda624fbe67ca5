"""Train what was trained again, with no clock: what the clock changed then is changed again."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.train.attempts import run_folder
from zenml_ftvr.train.journal import Journal
from zenml_ftvr.train.run import run_plan
from zenml_ftvr.values import Full, Hardware, Lora, Scratch, TrainedModel

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["replay"]


def replay(model: TrainedModel, dataset: Dataset, folder: Path, hardware: Hardware) -> TrainedModel:
    """Train the plan of `model` into `folder`, and brake where it braked.

    On the same device, threads and versions this gives the same weights, bit for bit, however often
    the run was broken off. Raises `TrainingError` where the clock may have stopped what it did not
    note: learning from unlabelled texts.
    """
    noted = model.stopped_by == "finished" or model.brakings
    if not noted or (model.plan.wall_seconds is not None and _pretrains(model)):
        raise TrainingError(
            f"this '{model.kind}' had {model.plan.wall_seconds:.0f} s, and not all that the clock "
            f"may have changed was noted. Train its plan again without a limit."
        )
    plan = dataclasses.replace(model.plan, wall_seconds=None)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".ftvr-replay-", dir=folder.parent) as name:
        run = run_folder(plan, Path(name))
        run.mkdir(parents=True)
        for braking in model.brakings:
            Journal(run).note("brake", dataclasses.asdict(braking))
        return run_plan(plan, dataset, folder, hardware, runs=Path(name))


def _pretrains(model: TrainedModel) -> bool:
    match model.plan.approach:
        case Full() | Lora() | Scratch() as approach:
            return approach.pretrain_on is not None
        case _:
            return False
