"""Measure what the default settings rest on: learning rates, and the baseline's regularisation.

    python benchmarks/settings.py learning-rates   # benchmarks/results/learning_rates.jsonl
    python benchmarks/settings.py cheap-arms       # benchmarks/results/cheap_arms.jsonl

Scores are on the validation split; the test split is not read. `--data` adds a CSV file with the
columns text and label.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from appending import RESULTS, Run, append_missing

from zenml_ftvr.api import plan_for
from zenml_ftvr.data import Dataset, load_dataset
from zenml_ftvr.hardware import detect
from zenml_ftvr.train import print_progress, run_plan
from zenml_ftvr.values import (
    DataSource,
    Full,
    Lora,
    Metric,
    ModelSource,
    Partial,
    Scratch,
    TextClassification,
)

STEPPED = ("partial", "full", "lora", "scratch")


def learning_rates(dataset: Dataset, kinds: Sequence[str]) -> Iterator[Run]:
    """The arms in `kinds` at three learning rates each, one seed."""
    approaches = [
        *(Partial(learning_rate=rate) for rate in (1e-4, 2e-4, 5e-4)),
        *(Full(learning_rate=rate) for rate in (5e-5, 1e-4, 2e-4)),
        *(Lora(learning_rate=rate) for rate in (2e-4, 5e-4, 1e-3)),
        *(Scratch(learning_rate=rate) for rate in (5e-4, 1e-3, 2e-3)),
    ]
    for approach in approaches:
        if approach.kind not in kinds:
            continue

        def measure(approach: Any = approach) -> dict[str, Any]:
            plan = plan_for(dataset, approach, ModelSource(), TextClassification(), seed=0)
            with tempfile.TemporaryDirectory() as folder:
                model = run_plan(
                    plan, dataset, Path(folder) / "model", detect(), progress=print_progress()
                )
            best = {
                f"validation_{metric}": max(
                    point.value for point in model.curve if point.metric == f"eval/{metric}"
                )
                for metric in ("accuracy", "macro_f1")
            }
            return {**best, "max_steps": plan.max_steps, "approach": str(plan.approach)}

        key = {
            "data": dataset.fingerprint[:12],
            "source": dataset.source.name.rsplit("/", 1)[-1],
            "kind": approach.kind,
            "learning_rate": approach.learning_rate,
        }
        yield key, measure


def cheap_arms(dataset: Dataset) -> Iterator[Run]:
    """The baseline at five strengths of regularisation."""
    from zenml_ftvr.models import fit_baseline
    from zenml_ftvr.models.baselines import text
    from zenml_ftvr.tasks import score, work_for

    work = work_for(TextClassification(), dataset)
    metrics: tuple[Metric, ...] = ("accuracy", "macro_f1")
    for c in (1.0, 3.0, 10.0, 30.0):

        def measure(c: float = c) -> dict[str, Any]:
            text.BASELINE_C = c
            baseline = fit_baseline(work, dataset.train, 0)
            answers = work.answers(baseline.outputs(dataset.validation), dataset.validation)
            return {f"validation_{metric}": score(answers, metric) for metric in metrics}

        key = {
            "data": dataset.fingerprint[:12],
            "source": dataset.source.name.rsplit("/", 1)[-1],
            "kind": "baseline",
            "c": c,
        }
        yield key, measure


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["learning-rates", "cheap-arms"])
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--kind", action="append", choices=STEPPED)
    arguments = parser.parse_args()
    for name in [*arguments.data, "docstrings"]:
        dataset = load_dataset(DataSource(name=name))
        if arguments.what == "learning-rates":
            append_missing(
                RESULTS / "learning_rates.jsonl",
                learning_rates(dataset, arguments.kind or STEPPED),
            )
        else:
            append_missing(RESULTS / "cheap_arms.jsonl", cheap_arms(dataset))


if __name__ == "__main__":
    main()
