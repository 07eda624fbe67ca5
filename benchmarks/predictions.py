"""Predicted against actual: seconds and memory of every arm, from the calibration alone.

    python benchmarks/predictions.py [--data FILE.csv]   # benchmarks/results/predictions.jsonl

Each data set is calibrated once, the arms are planned at their fewest epochs, and each plan is run.
`seconds_ratio` is actual over predicted; so is `memory_ratio` (peak above what the process held).
"""

from __future__ import annotations

import argparse
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appending import RESULTS, Run, append_missing

from zenml_ftvr.api import calibrate_arms, profile_dataset, recommend_from_evidence, resolve_base
from zenml_ftvr.approaches import min_epochs
from zenml_ftvr.data import Dataset, load_dataset
from zenml_ftvr.hardware import detect
from zenml_ftvr.train import print_progress, run_plan
from zenml_ftvr.values import (
    Baseline,
    Budget,
    Contrastive,
    DataSource,
    Full,
    Head,
    Lora,
    Partial,
    Recommendation,
    Request,
    Scratch,
)

ARMS = (
    Baseline(),
    Head(),
    Contrastive(pairs=1_600),
    Partial(epochs=min_epochs(Partial())),
    Full(epochs=min_epochs(Full())),
    Lora(epochs=min_epochs(Lora())),
    Scratch(epochs=min_epochs(Scratch())),
)


def predictions(dataset: Dataset) -> Iterator[Run]:
    """One run an arm; calibration and cross-validation are done when the first is measured."""

    @functools.cache
    def planned() -> Recommendation:
        request = Request(budget=Budget(hours=10), approaches=ARMS)
        base = resolve_base(request)
        profile = profile_dataset(dataset, base, request)
        progress = print_progress()
        calibration = calibrate_arms(dataset, profile, base, request, progress)
        return recommend_from_evidence(dataset, profile, calibration, base, request, progress)

    for approach in ARMS:

        def measure(kind: Any = approach.kind) -> dict[str, Any]:
            recommendation = planned()
            plan = recommendation.arm(kind).plan
            arm = recommendation.calibration.arm(kind)
            if plan is None or plan.predicted_hours is None or arm is None:
                raise SystemExit(f"{kind} was not planned: {recommendation.arm(kind).reasons}")
            with tempfile.TemporaryDirectory() as folder:
                model = run_plan(
                    plan, dataset, Path(folder) / "model", detect(), progress=print_progress()
                )
            predicted = plan.predicted_hours * 3600
            return {
                "predicted_seconds": predicted,
                "actual_seconds": model.seconds,
                "seconds_ratio": model.seconds / predicted,
                "predicted_memory_gib": arm.peak_memory_gib,
                "actual_memory_gib": model.peak_memory_gib,
                "memory_ratio": model.peak_memory_gib / arm.peak_memory_gib,
                "max_steps": plan.max_steps,
            }

        key = {
            "data": dataset.fingerprint[:12],
            "source": dataset.source.name.rsplit("/", 1)[-1],
            "kind": approach.kind,
        }
        yield key, measure


def main() -> None:
    """Measure the built-in corpora and the files that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", action="append", default=[])
    for name in [*parser.parse_args().data, "docstrings", "docstrings-cipher"]:
        append_missing(
            RESULTS / "predictions.jsonl", predictions(load_dataset(DataSource(name=name)))
        )


if __name__ == "__main__":
    main()
