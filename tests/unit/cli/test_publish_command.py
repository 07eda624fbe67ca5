"""`zenml-ftvr publish`, as far as it goes without a server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from zenml_ftvr.cli.publish import publish
from zenml_ftvr.errors import TrackingError

Run = Callable[..., Result]


def test_a_folder_without_runs_ends_in_one_line(run: Run) -> None:
    done = run("publish")
    assert done.exit_code == 1
    assert done.output.startswith("error: ftvr_report holds neither wandb_report.json nor")
    assert done.output.count("\n") == 1


def test_help_says_what_a_location_is(run: Run) -> None:
    assert "artifact store" in run("publish", "--help").output


def test_a_copy_that_cannot_be_read_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(uri: str, folder: Path) -> None:
        raise PermissionError("no credentials")

    # By its name in sys.modules: the package holds a command of the same name.
    monkeypatch.setattr(sys.modules["zenml_ftvr.cli.publish"], "fetch_folder", fail)
    with pytest.raises(TrackingError, match=r"s3://a/b cannot be read .*zenml stack set"):
        list(publish("s3://a/b"))
