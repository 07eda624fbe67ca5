"""Trains with batches whose rows hold real memory: `python memory_run.py JOB.json`."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

MIB = 2**20


CALM_BATCHES = 9
"""Of the first, which hold nothing: a checkpoint is saved after the sixth at the latest."""
HUNGRY_BATCHES = 2  # after which there are calm ones again: filling memory takes long
SEEN_SECONDS = 1.5  # memory is looked at ten times a second, and less often on a busy machine


def held_by_rows(mib_per_row: int) -> None:
    """Make batches hold their rows' memory while they are put together, for a while."""
    from zenml_ftvr.train import once

    ours = once.prepare
    batches = 0

    def prepared(*args: Any, **given: Any) -> Any:
        made = ours(*args, **given)

        def collate(rows: list[dict[str, Any]]) -> Any:
            nonlocal batches
            batches += 1
            if CALM_BATCHES < batches <= CALM_BATCHES + HUNGRY_BATCHES:
                held = [os.urandom(MIB) * mib_per_row for _ in rows]
                time.sleep(SEEN_SECONDS)
                del held
            return made.collate(rows)

        return dataclasses.replace(made, collate=collate)

    once.prepare = prepared


def main() -> None:
    """Run the job."""
    job = json.loads(Path(sys.argv[1]).read_text())
    if job["group"]:  # a control group of the test's, with a limit
        (Path(job["group"]) / "cgroup.procs").write_text(str(os.getpid()))
    from zenml_ftvr.api import plan_for
    from zenml_ftvr.data import make_dataset
    from zenml_ftvr.hardware import detect
    from zenml_ftvr.train import run_plan
    from zenml_ftvr.values import DataSource, Full, ModelSource, TextClassification

    held_by_rows(job["mib_per_row"])
    source = DataSource(name="made.csv", validation_fraction=0.2, test_fraction=0.2)
    dataset = make_dataset(source, job["texts"], job["labels"])
    approach = Full(learning_rate=3e-3, batch_size=job["batch_size"])
    task = TextClassification(max_length=32)
    plan = plan_for(dataset, approach, ModelSource(name=job["base"]), task, job["seed"])
    plan = dataclasses.replace(plan, max_steps=20, eval_every_steps=4)
    model = run_plan(plan, dataset, Path(job["folder"]), detect())
    record = {"notes": model.notes, "steps": model.steps_done}
    Path(job["record"]).write_text(json.dumps(record))


if __name__ == "__main__":
    main()
