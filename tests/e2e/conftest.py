"""A ZenML store of its own, a file of real texts, and the command line as a user has it."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from zenml_ftvr.data import read_corpus

BIN = Path(sys.executable).parent
PIPELINE = "zenml_ftvr.pipelines.recommend_and_train.recommend_and_train"
MODULES = ("asyncio", "email", "tkinter", "xml")
ROWS_EACH = 150  # of four modules: enough that word counts are far above the top class


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder a user works in; the ZenML store and the caches are below it."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def environment(home: Path) -> dict[str, str]:
    """What a user's shell would have; no W&B key."""
    return {
        **os.environ,
        "ZENML_CONFIG_PATH": str(home / "zenml"),
        "ZENML_FTVR_CACHE": str(home / "cache"),
        "WANDB_DIR": str(home),
        "WANDB_MODE": "offline",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "400",  # so that messages are not broken into lines
    }


@pytest.fixture(scope="module")
def run(home: Path, environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in `home`; output and errors come back together."""

    def run_command(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=home,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=540,
            check=False,
        )

    return run_command


@pytest.fixture(scope="session")
def real_rows() -> list[tuple[str, str]]:
    """Texts and labels of four modules of the built-in corpus."""
    by_label: dict[str, list[str]] = defaultdict(list)
    for text, label in zip(*read_corpus("docstrings"), strict=True):
        if label in MODULES:
            by_label[label].append(text)
    rows = [(text, label) for label in MODULES for text in by_label[label][:ROWS_EACH]]
    random.Random(0).shuffle(rows)
    return rows


@pytest.fixture(scope="module")
def csv_file(home: Path, real_rows: list[tuple[str, str]]) -> Path:
    """The rows as a user's CSV, with columns of other names."""
    path = home / "reviews.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["body", "module"])
        writer.writerows(real_rows)
    return path
