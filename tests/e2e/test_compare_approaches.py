"""Every approach that fits, with the same seeds, from the command line to one verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import BIN

Run = Callable[..., subprocess.CompletedProcess[str]]

CONFIGURATION = """\
parameters:
  data: {name: reviews.csv, text_column: body, label_column: module}
  budget: {hours: 0.1}
  usd_per_hour: 0.60
  seeds: [3, 4]
  approaches: [baseline, {kind: scratch, epochs: 3, depth: 1}]
  task: {max_length: 48}
  evaluation:
    serving: {batch_sizes: [1, 8], seconds: 0.5}
    forgetting: null
"""
SOURCE = "zenml_ftvr.pipelines.compare_approaches.compare_approaches"
READ_BACK = str(Path(__file__).parent / "read_comparison.py")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def comparison(run: Run, home: Path, csv_file: Path) -> dict[str, Any]:
    (home / "compare.yaml").write_text(CONFIGURATION)
    done = run(str(BIN / "zenml"), "pipeline", "run", SOURCE, "-c", "compare.yaml")
    assert done.returncode == 0, done.stdout[-4000:]
    read = run(sys.executable, "-W", "ignore", READ_BACK)
    assert read.returncode == 0, read.stdout
    found: dict[str, Any] = json.loads(read.stdout.splitlines()[-1])
    return found


def test_every_approach_is_trained_with_every_seed(comparison: dict[str, Any]) -> None:
    arms = {arm["kind"]: arm for arm in comparison["value"]["arms"]}
    assert set(arms) == {"baseline", "scratch"}
    for arm in arms.values():
        assert [one["seed"] for one in arm["seeds"]] == [3, 4]
    scores = [one["score"] for one in arms["scratch"]["seeds"]]
    assert scores[0] != scores[1]  # the seed was used, not only named
    assert comparison["value"]["budget"]["hours"] == 0.1


def test_the_verdict_says_how_sure_it_is(comparison: dict[str, Any]) -> None:
    verdict = comparison["value"]["verdict"]
    assert "2 seeds each" in verdict
    assert "significantly better than" in verdict
    assert "test rows" in verdict
    (difference,) = comparison["value"]["differences"]
    assert 0 <= difference["p_corrected"] <= 1


def test_the_dashboard_has_a_page_of_it(comparison: dict[str, Any]) -> None:
    assert "<svg" in comparison["page"]
    assert "<script" not in comparison["page"]


def test_a_seed_twice_is_refused_before_anything_runs(run: Run, home: Path, csv_file: Path) -> None:
    (home / "twice.yaml").write_text(CONFIGURATION.replace("[3, 4]", "[3, 3]"))
    done = run(str(BIN / "zenml"), "pipeline", "run", SOURCE, "-c", "twice.yaml")
    assert done.returncode == 1
    assert "List different ones" in done.stdout
