"""The ready pipelines that train the approach that is named."""

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

DATA = """\
parameters:
  data: {name: reviews.csv, text_column: body, label_column: module}
  task: {max_length: 48}
"""
READ_BACK = str(Path(__file__).parent / "read_scores.py")

pytestmark = pytest.mark.slow


def _scores(run: Run, home: Path, pipeline: str, parameters: str) -> dict[str, Any]:
    (home / "one.yaml").write_text(DATA + parameters)
    source = f"zenml_ftvr.pipelines.{pipeline}.{pipeline}"
    done = run(str(BIN / "zenml"), "pipeline", "run", source, "-c", "one.yaml")
    assert done.returncode == 0, done.stdout[-4000:]
    read = run(sys.executable, "-W", "ignore", READ_BACK)
    assert read.returncode == 0, read.stdout
    scores: dict[str, Any] = json.loads(read.stdout.splitlines()[-1])
    return scores


@pytest.mark.parametrize(
    ("kind", "knobs"),
    [("partial", "epochs: 3"), ("contrastive", "pairs: 320"), ("head", "")],
)
def test_the_named_approach_is_trained_beside_the_baseline(
    kind: str, knobs: str, run: Run, home: Path, csv_file: Path
) -> None:
    lines = f"  approach:\n    kind: {kind}\n" + (f"    {knobs}\n" if knobs else "")
    scores = _scores(run, home, "finetune", lines)
    assert list(scores["accuracy"]) == [kind, "baseline"]
    assert scores["accuracy"][kind] > scores["majority"] + 0.3


def test_a_model_from_nothing_is_trained_beside_the_baseline(
    run: Run, home: Path, csv_file: Path
) -> None:
    scores = _scores(run, home, "from_scratch", "  approach: {kind: scratch, epochs: 8}\n")
    assert list(scores["accuracy"]) == ["scratch", "baseline"]
    assert scores["accuracy"]["scratch"] > scores["majority"] + 0.2


def test_what_fine_tunes_nothing_is_refused(run: Run, home: Path, csv_file: Path) -> None:
    (home / "one.yaml").write_text(DATA + "  approach: {kind: scratch}\n")
    source = "zenml_ftvr.pipelines.finetune.finetune"
    done = run(str(BIN / "zenml"), "pipeline", "run", source, "-c", "one.yaml")
    assert done.returncode == 1
    assert "'scratch' fine-tunes nothing" in done.stdout
