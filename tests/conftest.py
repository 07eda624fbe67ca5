"""What every test runs under: no network, no key, folders of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from wandb_server import WandbServer

# Read when wandb, transformers or huggingface_hub are imported, which may be before any fixture.
os.environ.update(
    {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "ZENML_ANALYTICS_OPT_IN": "false",
        "AUTO_OPEN_DASHBOARD": "false",
    }
)
for name in ("WANDB_API_KEY", "WANDB_MODE"):
    os.environ.pop(name, None)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse connections that leave this machine, in every test."""
    from hypothesis import settings
    from pytest_socket import socket_allow_hosts

    settings.register_profile("zenml-ftvr", deadline=None)  # no assertions on time
    settings.load_profile("zenml-ftvr")

    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Caches and W&B folders of the test session, not the user's."""
    root = tmp_path_factory.getbasetemp() / "folders"
    named = {
        "ZENML_FTVR_CACHE": root / "cache",
        "WANDB_DIR": root / "wandb",
        "WANDB_DATA_DIR": root / "wandb-data",
        "WANDB_CACHE_DIR": root / "wandb-cache",
        "WANDB_CONFIG_DIR": root / "wandb-config",
    }
    before = {name: os.environ.get(name) for name in named}
    for name, folder in named.items():
        folder.mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(folder)
    yield
    # A run that a test broke off would go on in the next one.
    shutil.rmtree(root / "cache" / "runs", ignore_errors=True)
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).parent.parent


@pytest.fixture
def wandb_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WandbServer]:
    """A W&B server on this machine with its key in the environment; a request that it does not
    know fails the test."""
    import wandb
    from wandb_server import KEY, serve

    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with serve() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        wandb.teardown()  # it reads the environment once
        yield server
        wandb.teardown()
