"""What a step on the trainer costs beyond the same step inline: `component_seconds_per_step`.

    python benchmarks/trainer_component.py   # benchmarks/results/trainer_component.jsonl

Both runs are in one process in which everything is loaded already, so that the difference holds all
that the step's own process has to load. The store is a temporary one.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from appending import RESULTS, Run, append_missing

REPEATS = 3
NAME = "ftvr_trainer"


def repeats() -> Iterator[Run]:
    """The first pair is not counted: it loads what both need, and registers the pipelines."""
    from zenml import pipeline
    from zenml.client import Client

    from zenml_ftvr.cli.setup import register
    from zenml_ftvr.steps import load_data, train_baseline
    from zenml_ftvr.values import DataSource

    register("ftvr", "disabled", activate=True)
    Client().activate_stack("ftvr")

    @pipeline(enable_cache=False)
    def inline() -> None:
        train_baseline(load_data(DataSource(name="docstrings")))

    @pipeline(enable_cache=False)
    def on_the_trainer() -> None:
        train_baseline.with_options(step_operator=NAME)(load_data(DataSource(name="docstrings")))

    def measure() -> dict[str, Any]:
        inline_seconds, trainer_seconds = _seconds(inline), _seconds(on_the_trainer)
        return {
            "inline_seconds": round(inline_seconds, 2),
            "trainer_seconds": round(trainer_seconds, 2),
            "component_seconds_per_step": round(trainer_seconds - inline_seconds, 2),
            "load_average": round(os.getloadavg()[0], 2),
        }

    warm = False

    def measure_warm() -> dict[str, Any]:
        nonlocal warm
        if not warm:
            measure()
            warm = True
        return measure()

    for repeat in range(REPEATS):
        yield {"repeat": repeat}, measure_warm


def _seconds(run: Any) -> float:
    started = time.monotonic()
    run()
    return time.monotonic() - started


def main() -> None:
    """Measure what is missing."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ZENML_CONFIG_PATH"] = folder  # before ZenML is loaded
        os.environ["ZENML_ANALYTICS_OPT_IN"] = "false"
        append_missing(RESULTS / "trainer_component.jsonl", repeats())


if __name__ == "__main__":
    main()
