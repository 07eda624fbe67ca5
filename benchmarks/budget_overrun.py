"""How far a training goes beyond its time when there is too little: `budget_overrun_max_steps`.

    python benchmarks/budget_overrun.py   # benchmarks/results/budget_overrun.jsonl

Each run trains a plan on the built-in corpus with a limit that is a part of the seconds that its
steps were just measured to take, so that the brake has to pull. The seconds beyond the limit, when
the run has been evaluated and its model is saved, are divided by the run's seconds a step. 0 means
inside the limit. Models are MiniLM and a small one from scratch.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appending import RESULTS, Run, append_missing

from zenml_ftvr.api import plan_for
from zenml_ftvr.data import load_dataset
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
    TrainedModel,
    TrainingPlan,
)

APPROACHES: tuple[Approach, ...] = (
    Partial(batch_size=16, layers=2),
    Full(batch_size=16),
    Lora(batch_size=16),
    Scratch(batch_size=16, depth=2, vocabulary_size=2000),
)
SHARES = (0.3, 0.6)  # of the seconds that the plan's steps would take
STEPS = {"partial": 40, "full": 24, "lora": 24, "scratch": 300}
PROBE_STEPS = 6


class Steps:
    """When the first step began and the last one ended, by the clock that the limit counts."""

    def __init__(self) -> None:
        self.began = self.last = 0.0
        self.n = 0

    def progress(self, what: str, done: int, total: int, note: str = "") -> None:
        if not what.startswith("training"):
            return
        if done == 0:
            self.began = time.monotonic()
        self.last, self.n = time.monotonic(), done

    @property
    def seconds_each(self) -> float:
        return (self.last - self.began) / max(1, self.n)


def runs() -> Iterator[Run]:
    """Every approach at every share of its time."""
    dataset, hardware = load_dataset(DataSource(name="docstrings")), detect()
    task = TextClassification(max_length=48)

    def train(plan: TrainingPlan) -> tuple[TrainedModel, Steps]:
        steps = Steps()
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            model = run_plan(
                plan, dataset, root / "model", hardware, progress=steps.progress, runs=root / "runs"
            )
        return model, steps

    for approach in APPROACHES:
        plan = plan_for(dataset, approach, ModelSource(), task, 0)
        for share in SHARES:

            def measure(plan: TrainingPlan = plan, share: float = share) -> dict[str, Any]:
                n_steps = STEPS[plan.kind]
                few = dataclasses.replace(plan, max_steps=PROBE_STEPS, eval_every_steps=PROBE_STEPS)
                train(few)  # what the cache keeps is computed once: it must not seem to take time
                probed, steps = train(few)
                before = probed.seconds - PROBE_STEPS * steps.seconds_each
                limit = before + share * n_steps * steps.seconds_each
                limited = dataclasses.replace(
                    plan,
                    max_steps=n_steps,
                    eval_every_steps=max(1, n_steps // 4),
                    wall_seconds=limit,
                )
                model, steps = train(limited)
                over = max(0.0, model.seconds - limit)
                return {
                    "limit_seconds": round(limit, 2),
                    "took_seconds": round(model.seconds, 2),
                    "seconds_per_step": round(steps.seconds_each, 4),
                    "steps_done": model.steps_done,
                    "max_steps": n_steps,
                    "stopped_by": model.stopped_by,
                    "overrun_seconds": round(over, 2),
                    "overrun_steps": round(over / steps.seconds_each, 2),
                    "brakings": [dataclasses.asdict(one) for one in model.brakings],
                }

            yield {"kind": plan.kind, "share": share}, measure


def main() -> None:
    """Run what is missing."""
    append_missing(RESULTS / "budget_overrun.jsonl", runs())


if __name__ == "__main__":
    main()
