"""Measure what the knobs of adapters and starts cost, and what they bring.

    python benchmarks/starts.py starts     # benchmarks/results/starts.jsonl
    python benchmarks/starts.py variants   # benchmarks/results/variants.jsonl

`starts` trains the last layers from a random and from a solved head, on a part of the built-in
corpus; scores are on the validation split. `variants` takes a few steps of each kind of adapter and
of full fine-tuning: seconds of processor time a step, which other processes disturb least, and the
peak of memory.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appending import RESULTS, Run, append_missing

from zenml_ftvr.api import plan_for
from zenml_ftvr.data import Dataset, dataset_from, load_dataset
from zenml_ftvr.hardware import detect, peak_memory
from zenml_ftvr.models import resolve
from zenml_ftvr.train import prepare, print_progress, run_plan, trainer_for
from zenml_ftvr.values import (
    Approach,
    DataSource,
    Full,
    Lora,
    ModelSource,
    Partial,
    TextClassification,
)

EVERY = 4  # row of the built-in corpus: little data is where a start matters
SEEDS = (0, 1)
STEPS = 5  # of which the first is left out
VARIANTS: tuple[Approach, ...] = (
    Lora(),
    Lora(variant="dora"),
    Full(),
    Full(gradient_checkpointing="always"),
    Full(precision="bf16"),
)


def a_part_of(dataset: Dataset) -> Dataset:
    """Every fourth row of each split; a row stays in the split that it is in."""
    return dataset_from(
        [
            {"text": text, "label": label}
            for split in (dataset.train, dataset.validation, dataset.test)
            for text, label in list(zip(split.texts, split.labels, strict=True))[::EVERY]
        ]
    )


def starts(dataset: Dataset) -> Iterator[Run]:
    """The last layers from both starts."""
    for seed in SEEDS:
        for start in ("random_head", "solved_head"):
            approach = Partial(epochs=2.0, start=start)  # type: ignore[arg-type]

            def measure(approach: Approach = approach, seed: int = seed) -> dict[str, Any]:
                plan = plan_for(dataset, approach, ModelSource(), TextClassification(), seed)
                with tempfile.TemporaryDirectory() as folder:
                    model = run_plan(
                        plan, dataset, Path(folder) / "model", detect(), progress=print_progress()
                    )
                curve = {
                    point.step: round(point.value, 4)
                    for point in model.curve
                    if point.metric == "eval/accuracy"
                }
                return {
                    "validation_accuracy": max(curve.values()),
                    "curve": curve,
                    "max_steps": plan.max_steps,
                    "approach": str(plan.approach),
                }

            yield {"every": EVERY, "kind": "partial", "start": start, "seed": seed}, measure


def variants(dataset: Dataset) -> Iterator[Run]:
    """A few steps of each variant, on the same rows."""
    base = resolve(ModelSource())
    for approach in VARIANTS:

        def measure(approach: Approach = approach) -> dict[str, Any]:
            from transformers import TrainerCallback

            plan = plan_for(dataset, approach, ModelSource(), TextClassification(), seed=0)
            plan = dataclasses.replace(plan, max_steps=STEPS)
            times: list[float] = []

            class Clock(TrainerCallback):
                def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                    times.append(time.process_time())

            prepared = prepare(plan, dataset, base)
            with tempfile.TemporaryDirectory() as folder, peak_memory() as peak:
                trainer_for(
                    plan,
                    prepared,
                    Path(folder),
                    [Clock()],
                    sampling="sequential",
                    evaluates=False,
                ).train()
            seconds = (times[-1] - times[0]) / (len(times) - 1)
            return {"processor_seconds_per_step": seconds, "peak_memory_gib": peak.gib}

        yield {"every": EVERY, "approach": str(approach)}, measure


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["starts", "variants"])
    arguments = parser.parse_args()
    dataset = a_part_of(load_dataset(DataSource(name="docstrings")))
    runs = starts if arguments.what == "starts" else variants
    append_missing(RESULTS / f"{arguments.what}.jsonl", runs(dataset))


if __name__ == "__main__":
    main()
