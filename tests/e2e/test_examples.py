"""Every example runs as its README says."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import BIN
from zenml_ftvr.values import KINDS

Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.slow


def test_the_steps_work_in_a_pipeline_of_ones_own(run: Run, home: Path, repository: Path) -> None:
    for file in (repository / "examples" / "own_pipeline").iterdir():
        shutil.copy(file, home)
    done = run(str(BIN / "zenml"), "pipeline", "run", "pipeline.compare_two", "-c", "config.yaml")
    assert done.returncode == 0, done.stdout[-4000:]
    assert "head minus baseline" in done.stdout
    with (home / "answers.csv").open(newline="") as stream:
        answers = list(csv.DictReader(stream))
    expected = ["tkinter", "email", "asyncio", "turtle"]
    right = sum(row["label"] == label for row, label in zip(answers, expected, strict=True))
    assert right >= 3
    assert all(0 < float(row["probability"]) <= 1 for row in answers)


def test_the_question_can_be_asked_in_plain_python(run: Run, repository: Path) -> None:
    script = repository / "examples" / "plain_python" / "recommend.py"
    done = run(sys.executable, "-W", "ignore", str(script), "docstrings", "0.05")
    assert done.returncode == 0, done.stdout[-4000:]
    lines = done.stdout.splitlines()
    ranked = {line.split()[1]: line for line in lines if re.match(r"\d\. ", line)}
    assert set(ranked) == set(KINDS)
    measured = {kind for kind, line in ranked.items() if "not measured" not in line}
    assert measured == {"baseline", "head"}
