"""Trains one plan in a process of its own, which may be killed on the way.

    python killed_run.py JOB.json

The job names a plan by its approach's fields, the data, and where to die.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


def die_at_step(step: int) -> None:
    """SIGKILL this process once it has taken `step` steps."""
    from transformers.trainer_callback import DefaultFlowCallback

    inner = DefaultFlowCallback.on_step_end

    def on_step_end(self: Any, args: Any, state: Any, control: Any, **given: Any) -> Any:
        if state.global_step == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(self, args, state, control, **given)

    DefaultFlowCallback.on_step_end = on_step_end  # type: ignore[method-assign]


def terminate_at_step(step: int) -> None:
    """SIGTERM this process, as a machine that is taken away does."""
    from transformers.trainer_callback import DefaultFlowCallback

    inner = DefaultFlowCallback.on_step_begin

    def on_step_begin(self: Any, args: Any, state: Any, control: Any, **given: Any) -> Any:
        if state.global_step == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return inner(self, args, state, control, **given)

    DefaultFlowCallback.on_step_begin = on_step_begin  # type: ignore[method-assign]


def die_in_save(number: int) -> None:
    """SIGKILL this process in the middle of its save `number`: a file is there in half."""
    import torch

    inner = torch.save
    saves = {"optimizer.pt": 0}

    def save(what: Any, path: Any, *args: Any, **given: Any) -> None:
        inner(what, path, *args, **given)
        if Path(path).name == "optimizer.pt":
            saves["optimizer.pt"] += 1
            if saves["optimizer.pt"] == number:
                Path(path).write_bytes(Path(path).read_bytes()[:100])
                os.kill(os.getpid(), signal.SIGKILL)

    torch.save = save


DEATHS = {"step": die_at_step, "term": terminate_at_step, "save": die_in_save}


def main() -> None:
    """Run the job."""
    job = json.loads(Path(sys.argv[1]).read_text())
    from zenml_ftvr.api import plan_for
    from zenml_ftvr.data import make_dataset
    from zenml_ftvr.hardware import detect
    from zenml_ftvr.train import run_plan
    from zenml_ftvr.values import (
        Approach,
        DataSource,
        Full,
        Lora,
        ModelSource,
        Partial,
        Scratch,
        TextClassification,
    )

    kinds: dict[str, type] = {"full": Full, "lora": Lora, "partial": Partial, "scratch": Scratch}
    source = DataSource(name="made.csv", validation_fraction=0.2, test_fraction=0.2)
    dataset = make_dataset(source, job["texts"], job["labels"])
    approach: Approach = kinds[job["kind"]](**job["approach"])
    task = TextClassification(max_length=32)
    plan = plan_for(dataset, approach, ModelSource(name=job["base"]), task, 0)
    plan = dataclasses.replace(plan, **job["fields"])
    for how, when in job.get("die", {}).items():
        DEATHS[how](when)
    model = run_plan(plan, dataset, Path(job["folder"]), detect())
    record = {
        "curve": [[point.step, point.metric, point.value] for point in model.curve],
        "ledger": [[entry.what, entry.seconds] for entry in model.ledger.entries],
        "notes": model.notes,
        "seconds": model.seconds,
    }
    Path(job["record"]).write_text(json.dumps(record))


if __name__ == "__main__":
    main()
