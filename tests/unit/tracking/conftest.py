"""Servers that are there, or not, on this machine; and what W&B keeps of an offline run."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def wandb_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Makes W&B look for its server at a URL; no key but those that a test gives it."""
    import wandb

    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    def point(url: str) -> None:
        monkeypatch.setenv("WANDB_BASE_URL", url)
        wandb.teardown()  # it reads the environment once

    yield point
    monkeypatch.delenv("WANDB_BASE_URL", raising=False)
    wandb.teardown()


@pytest.fixture
def silent_server(wandb_at: Callable[[str], None]) -> Iterator[str]:
    """Something that takes connections where W&B looks for its server, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        wandb_at(url)
        yield url


@pytest.fixture
def closed_server(wandb_at: Callable[[str], None]) -> str:
    """Nothing where W&B looks for its server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    wandb_at(url)
    return url


@pytest.fixture
def records_of() -> Callable[[str | None], list[dict[str, Any]]]:
    """The records of a finished offline run, as `wandb leet inspect` reads them back."""

    def read(folder: str | None) -> list[dict[str, Any]]:
        assert folder is not None
        [log] = Path(folder).glob("run-*.wandb")
        command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(log)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return read
