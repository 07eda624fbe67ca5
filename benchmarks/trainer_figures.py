"""Put the trainer's figures together: `benchmarks/results/trainer.json`.

    python benchmarks/trainer_figures.py

Reads what `kill_rounds.py`, `trainer_overhead.py`, `trainer_component.py` and `budget_overrun.py`
appended; each line there holds the versions and the machine that it was measured with. Nothing is
left out: a file that is missing, or has too few lines, is an error.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from appending import RESULTS

ROUNDS = 50


def lines_of(name: str, at_least: int = 1) -> list[dict[str, Any]]:
    """What a benchmark measured, a run a line."""
    path = RESULTS / f"{name}.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if len(lines) < at_least:
        raise SystemExit(f"{path} has {len(lines)} lines; run benchmarks/{name}.py to its end.")
    return lines


def figures() -> dict[str, Any]:
    """The figures, and what they were made of."""
    rounds = lines_of("kill_rounds", ROUNDS)
    pairs = lines_of("trainer_overhead", 4)
    steps = lines_of("trainer_component", 3)
    braked = lines_of("budget_overrun", 4)
    pulled = [line for line in braked if line["stopped_by"] == "budget"]
    lost = sum(not line["equal"] for line in rounds)
    component = [line["component_cpu_seconds"] for line in steps]
    return {
        "kill_rounds": len(rounds),
        "rounds_lost": lost,
        "bitwise_equal": int(lost == 0),
        "runtime_overhead_ratio": round(statistics.median(line["ratio"] for line in pairs), 3),
        "component_seconds_per_step": round(statistics.median(component), 1),
        "budget_overrun_max_steps": max(line["overrun_steps"] for line in pulled),
        "overhead_pairs": len(pairs),
        "overhead_ratio_least": min(line["ratio"] for line in pairs),
        "overhead_ratio_most": max(line["ratio"] for line in pairs),
        "component_repeats": len(steps),
        "component_cpu_seconds_least": min(component),
        "component_cpu_seconds_most": max(component),
        "component_wall_seconds_least": min(one["component_seconds_per_step"] for one in steps),
        "component_wall_seconds_most": max(one["component_seconds_per_step"] for one in steps),
        "component_load_average_most": max(line["load_average"] for line in steps),
        "kills": sum(len(line["killed_after"]) for line in rounds),
        "braked_runs": len(pulled),
        "runs_with_a_limit": len(braked),
        "versions": braked[-1]["versions"],
        "hardware": {"device": braked[-1]["device"], "cores": braked[-1]["cores"]},
    }


def main() -> None:
    """Write them."""
    path: Path = RESULTS / "trainer.json"
    path.write_text(json.dumps(figures(), indent=2) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
