"""Online or offline: by the key, by the environment, by what the server says within seconds."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from wandb_server import KEY, WandbServer

from zenml_ftvr.errors import TrackingError
from zenml_ftvr.tracking.wandb import mode
from zenml_ftvr.tracking.wandb.mode import Server, fault_of_server, resolved_mode, server

OTHER = "o" * 40


def test_auto_without_a_key_is_offline(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    assert resolved_mode("auto").mode == "offline"
    assert not wandb_server.requests


def test_auto_with_a_key_that_the_server_takes_is_online(wandb_server: WandbServer) -> None:
    assert resolved_mode("auto").mode == "online"


def test_a_key_that_login_has_kept_for_the_server_counts(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    netrc = tmp_path / "kept"
    monkeypatch.setenv("NETRC", str(netrc))
    netrc.write_text(f"machine api.wandb.example\n  login user\n  password {KEY}\n")
    assert resolved_mode("auto").mode == "offline"  # another server's key
    netrc.write_text(f"machine 127.0.0.1\n  login user\n  password {KEY}\n")
    assert resolved_mode("auto").mode == "online"


def test_a_broken_netrc_holds_no_key(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    netrc = tmp_path / "broken"
    netrc.write_text("machine 127.0.0.1 nonsense\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert resolved_mode("auto").mode == "offline"


def test_an_empty_key_is_none(wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "")
    assert resolved_mode("auto").mode == "offline"


@pytest.mark.parametrize(
    ("named", "resolved"),
    [
        ("offline", "offline"),
        ("dryrun", "offline"),
        ("disabled", "disabled"),
        ("online", "online"),
        ("run", "online"),
    ],
)
def test_the_environment_decides_what_auto_means(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch, named: str, resolved: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", named)
    assert resolved_mode("auto").mode == resolved


def test_a_mode_in_the_environment_that_wandb_does_not_know_is_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_MODE", "OFFLINE")
    with pytest.raises(TrackingError, match=r"WANDB_MODE is 'OFFLINE'.*Known: .*offline"):
        resolved_mode("auto")


@pytest.mark.parametrize("wanted", ["online", "offline", "disabled"])
def test_a_mode_that_is_asked_for_outranks_the_environment(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch, wanted: Any
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled" if wanted != "disabled" else "online")
    assert resolved_mode(wanted).mode == wanted


@pytest.mark.parametrize("wanted", ["auto", "online"])
def test_a_server_that_is_not_there_means_offline_and_says_which(
    closed_server: str, monkeypatch: pytest.MonkeyPatch, wanted: Any
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    resolved = resolved_mode(wanted)
    assert resolved.mode == "offline"
    assert resolved.fault == f"W&B at {closed_server} cannot be reached"


def test_a_server_that_never_answers_is_given_up_within_seconds(
    silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mode.ANSWER_SECONDS < 10
    monkeypatch.setattr(mode, "ANSWER_SECONDS", 0.3)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    started = time.monotonic()
    resolved = resolved_mode("auto")
    assert time.monotonic() - started < 3
    assert resolved.mode == "offline"
    assert resolved.fault is not None


def test_a_name_that_is_looked_up_for_ever_is_given_up_within_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert mode.WHOLE_SECONDS < 10
    looked_up = threading.Event()

    def look_up(*_: object, **__: object) -> None:
        looked_up.wait(30)
        raise OSError("no such name")

    monkeypatch.setattr(mode, "WHOLE_SECONDS", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    at = Server(url="http://w.example", key=KEY, has_identity=False)
    assert fault_of_server(at) == "W&B at http://w.example cannot be reached"
    looked_up.set()


def test_a_key_that_the_server_does_not_take_means_offline(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", OTHER)
    resolved = resolved_mode("online")
    assert resolved.mode == "offline"
    assert resolved.fault == f"W&B at {wandb_server.url} does not take the key"
    assert wandb_server.refused == 1


def test_online_without_a_key_is_offline_and_says_how_to_get_one(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    resolved = resolved_mode("online")
    assert resolved.mode == "offline"
    assert "wandb login" in str(resolved.fault)


@contextlib.contextmanager
def answering(status: int, text: str) -> Iterator[str]:
    """A server that says the same to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.mark.parametrize(
    ("status", "text", "fault"),
    [
        (503, "", "answers with 503"),
        (403, "", "does not take the key"),
        (200, '{"data": {"viewer": null}}', "does not take the key"),
        (200, '{"data": {"viewer": {"id": "x"}}}', None),
        (200, "<html>", None),
        (404, "", None),
    ],
)
def test_what_a_server_says(status: int, text: str, fault: str | None) -> None:
    with answering(status, text) as url:
        found = fault_of_server(Server(url=url, key=KEY, has_identity=False))
    assert (found is None) if fault is None else (fault in str(found))


def test_an_identity_token_stands_in_for_a_key() -> None:
    with answering(401, "") as url:
        assert fault_of_server(Server(url=url, key=None, has_identity=True)) is None


def test_a_password_in_the_address_and_the_key_are_not_shown() -> None:
    at = Server(url="http://me:hidden@127.0.0.1:1/w", key=KEY, has_identity=False)
    assert at.shown == "http://127.0.0.1:1/w"
    for text in (str(fault_of_server(at)), repr(at)):
        assert "hidden" not in text
        assert KEY not in text


def test_an_address_that_is_none_is_a_fault() -> None:
    assert fault_of_server(Server(url="http://", key=KEY, has_identity=False)) is not None


def test_the_modes_are_looked_up_without_starting_a_run(
    wandb_at: Callable[[str], None],
) -> None:
    import wandb

    wandb_at("http://127.0.0.1:1")
    resolved_mode("auto")
    assert server().url == "http://127.0.0.1:1"
    assert wandb.run is None
