"""Online or offline: by the key, by the environment, by what can be reached."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from zenml_ftvr.tracking.wandb import is_reachable, resolved_mode

KEY = "k" * 40


def test_auto_without_a_key_is_offline(open_server: str) -> None:
    assert resolved_mode("auto") == "offline"


def test_auto_with_a_key_in_the_environment_is_online(
    open_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert resolved_mode("auto") == "online"


def test_a_key_that_login_has_kept_for_the_server_counts(
    open_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "kept"
    monkeypatch.setenv("NETRC", str(netrc))
    netrc.write_text(f"machine api.wandb.example\n  login user\n  password {KEY}\n")
    assert resolved_mode("auto") == "offline"  # another server's key
    netrc.write_text(f"machine 127.0.0.1\n  login user\n  password {KEY}\n")
    assert resolved_mode("auto") == "online"


def test_a_broken_netrc_holds_no_key(
    open_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "broken"
    netrc.write_text("machine 127.0.0.1 nonsense\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert resolved_mode("auto") == "offline"


def test_an_empty_key_is_none(open_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "")
    assert resolved_mode("auto") == "offline"


@pytest.mark.parametrize(
    ("named", "mode"),
    [
        ("offline", "offline"),
        ("dryrun", "offline"),
        (" OFFLINE ", "offline"),
        ("disabled", "disabled"),
        ("online", "online"),
    ],
)
def test_the_environment_decides_what_auto_means(
    open_server: str, monkeypatch: pytest.MonkeyPatch, named: str, mode: str
) -> None:
    if mode != "online":
        monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_MODE", named)
    assert resolved_mode("auto") == mode


@pytest.mark.parametrize("wanted", ["online", "offline", "disabled"])
def test_a_mode_that_is_asked_for_outranks_the_environment(
    open_server: str, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled" if wanted != "disabled" else "online")
    assert resolved_mode(wanted) == wanted  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", ["auto", "online"])
def test_a_server_that_cannot_be_reached_means_offline_and_a_warning(
    closed_server: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    wanted: str,
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with caplog.at_level(logging.WARNING, logger="zenml_ftvr"):
        assert resolved_mode(wanted) == "offline"  # type: ignore[arg-type]
    [record] = caplog.records
    assert closed_server in record.getMessage()
    assert "wandb sync" in record.getMessage()


def test_a_chosen_offline_run_warns_of_nothing(
    closed_server: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="zenml_ftvr"):
        assert resolved_mode("offline") == "offline"
        assert resolved_mode("auto") == "offline"
    assert caplog.records == []


def test_reachable_is_what_answers_at_host_and_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert is_reachable(f"http://127.0.0.1:{port}/path")
    assert not is_reachable(f"http://127.0.0.1:{port}/path")


def test_an_address_without_a_host_is_unreachable() -> None:
    assert not is_reachable("http:///nowhere")


@pytest.mark.parametrize(
    ("url", "port"), [("https://127.0.0.1/x", 443), ("http://127.0.0.1/x", 80)]
)
def test_the_port_follows_from_the_scheme(
    monkeypatch: pytest.MonkeyPatch, url: str, port: int
) -> None:
    tried = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", connect)
    assert not is_reachable(url)
    assert tried == [("127.0.0.1", port)]


def test_the_modes_are_looked_up_without_starting_a_run(
    wandb_at: Callable[[str], None],
) -> None:
    import wandb

    wandb_at("http://127.0.0.1:1")
    resolved_mode("auto")
    assert wandb.run is None
