"""Files of data and configurations, and the command line without a shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from zenml_ftvr.cli import cli


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `zenml-ftvr` with these arguments, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli, list(arguments))

    return invoke


@pytest.fixture(autouse=True)
def _no_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    """No look at the user's own ZenML store (tests/zen has one to look at)."""
    monkeypatch.setattr("zenml_ftvr.stack.trainers", list)


@pytest.fixture
def csv(tmp_path: Path) -> Callable[..., str]:
    """Writes a CSV file of these columns and says where it is."""

    def write(name: str = "data.csv", **columns: list[str]) -> str:
        path = tmp_path / name
        rows = zip(*columns.values(), strict=True)
        lines = [",".join(columns), *(",".join(row) for row in rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def good_data(csv: Callable[..., str]) -> str:
    """Sixty rows of two classes."""
    return csv(
        text=[f"row number {index} of {'red' if index % 2 else 'blue'}" for index in range(60)],
        label=["red" if index % 2 else "blue" for index in range(60)],
    )


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes a configuration as YAML."""

    def write(content: Any) -> Path:
        path = tmp_path / "ftvr.yaml"
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        path.write_text(text, encoding="utf-8")
        return path

    return write
