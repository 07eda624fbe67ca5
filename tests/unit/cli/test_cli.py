"""The command line as a whole."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import Result

Run = Callable[..., Result]


def test_the_version_is_the_packages(run: Run) -> None:
    assert importlib.metadata.version("zenml-ftvr") in run("--version").output


@pytest.mark.parametrize("command", ["setup", "init", "doctor"])
def test_every_command_explains_itself(run: Run, command: str) -> None:
    overview, own = run("--help").output, run(command, "--help").output
    assert command in overview
    assert "Usage:" in own
    assert "--help" in own


def test_an_unknown_command_is_refused(run: Run) -> None:
    assert run("seutp").exit_code == 2


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys, zenml_ftvr.cli as c; "
        "print(sorted({'torch', 'transformers', 'wandb', 'zenml'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
