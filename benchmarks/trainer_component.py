"""What a step on the trainer costs beyond the same step inline: `component_seconds_per_step`.

    python benchmarks/trainer_component.py   # benchmarks/results/trainer_component.jsonl

Both runs are in one process in which everything is loaded already, so that the difference holds all
that the step's own process has to load. The store is a temporary one. Wall seconds depend on what
else the machine does (its load stands beside them); CPU seconds, of this process and of all that it
started, hardly do: the figure is of those.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from appending import RESULTS, Run, append_missing

REPEATS = 5
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
        (inline_wall, inline_cpu), (wall, cpu) = _seconds(inline), _seconds(on_the_trainer)
        return {
            "inline_seconds": round(inline_wall, 2),
            "trainer_seconds": round(wall, 2),
            "component_seconds_per_step": round(wall - inline_wall, 2),
            "inline_cpu_seconds": round(inline_cpu, 2),
            "trainer_cpu_seconds": round(cpu, 2),
            "component_cpu_seconds": round(cpu - inline_cpu, 2),
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


def _seconds(run: Any) -> tuple[float, float]:
    """By the clock, and of all cores: of this process and of those that it waited for."""
    started, used = time.monotonic(), _cpu_seconds()
    run()
    return time.monotonic() - started, _cpu_seconds() - used


def _cpu_seconds() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


def main() -> None:
    """Measure what is missing."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ZENML_CONFIG_PATH"] = folder  # before ZenML is loaded
        os.environ["ZENML_ANALYTICS_OPT_IN"] = "false"
        append_missing(RESULTS / "trainer_component.jsonl", repeats())


if __name__ == "__main__":
    main()
