"""Runs that append a JSON line each, so that a stopped measurement goes on where it was."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from zenml_ftvr.hardware import detect, installed_versions

__all__ = ["RESULTS", "Run", "append_missing"]

RESULTS = Path(__file__).parent / "results"

Run = tuple[dict[str, Any], Callable[[], dict[str, Any]]]
"""What tells a run from others, and the function that does it."""


def append_missing(path: Path, runs: Iterable[Run]) -> None:
    """Do the runs whose key has no line yet, and append a line each."""
    done = set()
    if path.exists():
        done = {json.dumps(json.loads(line)["key"]) for line in path.read_text().splitlines()}
    path.parent.mkdir(exist_ok=True)
    hardware = detect()
    for key, measure in runs:
        if json.dumps(key) in done:
            continue
        started = time.monotonic()
        line = {
            "key": key,
            **measure(),
            "seconds": round(time.monotonic() - started, 1),
            "date": datetime.date.today().isoformat(),
            "device": hardware.device_name,
            "cores": hardware.cores,
            "versions": installed_versions(),
        }
        with path.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        numbers = {name: value for name, value in line.items() if isinstance(value, float)}
        print(json.dumps(key), numbers, flush=True)
