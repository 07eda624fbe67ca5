"""Importing the package loads nothing heavy, and every public name is there."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import zenml_ftvr

HEAVY = {
    "accelerate",
    "datasets",
    "numpy",
    "pandas",
    "peft",
    "pyarrow",
    "sklearn",
    "skops",
    "tokenizers",
    "torch",
    "transformers",
    "sentence_transformers",
    "wandb",
    "zenml",
}


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that are loaded after a statement, in a fresh interpreter."""
    program = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return {name.split(".")[0] for name in json.loads(done.stdout)}


@pytest.mark.parametrize(
    "statement",
    [
        "import zenml_ftvr",
        "from zenml_ftvr import Budget, Request; Request(budget=Budget(hours=1))",
        "from zenml_ftvr import recommend, load",
        "import zenml_ftvr.decide, zenml_ftvr.report, zenml_ftvr.approaches",
    ],
)
def test_importing_loads_nothing_heavy(statement: str) -> None:
    loaded = loaded_by(statement)
    assert "zenml_ftvr" in loaded
    assert loaded & HEAVY == set()


def test_every_public_name_is_there() -> None:
    for name in zenml_ftvr.__all__:
        assert getattr(zenml_ftvr, name).__name__ == name
    assert sorted(zenml_ftvr.__all__) == zenml_ftvr.__all__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'zenml_ftvr' has no attribute 'recomend'"):
        zenml_ftvr.recomend  # noqa: B018
