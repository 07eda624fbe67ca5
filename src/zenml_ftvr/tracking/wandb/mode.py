"""Online or offline? Asked before a run begins, because W&B's own client waits 20 s and more for a
server that is not there, and can then block at the end of the run too."""

from __future__ import annotations

import base64
import http.client
import json
import os
import queue
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from zenml_ftvr.errors import TrackingError
from zenml_ftvr.values import TrackingMode
from zenml_ftvr.values.written import name_or_guess, user_path

__all__ = ["Mode", "Resolved", "fault_of_server", "resolved_mode", "server"]

Mode = Literal["online", "offline", "disabled"]

ANSWER_SECONDS = 5.0  # a judgement: far above a slow network's round trip, below anyone's patience
WHOLE_SECONDS = 8.0  # name, every address and answer together; a judgement
ANSWER_BYTES = 10_000  # read of an answer that has a hundred
MODES: dict[str, TrackingMode] = {
    "": "auto",
    "online": "online",
    "run": "online",
    "shared": "online",
    "offline": "offline",
    "dryrun": "offline",
    "disabled": "disabled",
}
"""What WANDB_MODE may be, in wandb 0.31, and what it comes to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What a wanted mode comes to here."""

    mode: Mode
    fault: str | None = None
    """Why a run that was to be online is offline; a clause about the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where W&B is, and what it is to be asked with."""

    url: str
    key: str | None
    has_identity: bool
    """An identity token stands in for the key."""

    def __repr__(self) -> str:
        return f"Server(url={self.shown!r})"

    @property
    def shown(self) -> str:
        """The address without a user or password that may be written into it."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=host).geturl()


def resolved_mode(wanted: TrackingMode) -> Resolved:
    """What `wanted` comes to here: `auto` is online where W&B has a key.

    WANDB_MODE overrides `auto`. Online becomes offline where the server does not answer within
    seconds or does not take the key.
    """
    if wanted == "auto":
        wanted = _mode_of_environment()
    if wanted in ("offline", "disabled"):
        return Resolved(mode=wanted)
    at = server()
    if wanted == "auto" and at.key is None and not at.has_identity:
        return Resolved(mode="offline")
    fault = fault_of_server(at)
    return Resolved(mode="online" if fault is None else "offline", fault=fault)


def _mode_of_environment() -> TrackingMode:
    named = os.environ.get("WANDB_MODE", "")
    if named not in MODES:
        raise TrackingError(f"WANDB_MODE is '{named}'.{name_or_guess(named, list(MODES)[1:])}")
    return MODES[named]


def server() -> Server:
    """As W&B's own settings have it: environment, settings files, `wandb login`."""
    import wandb

    settings = wandb.setup().settings
    url = str(settings.base_url).rstrip("/")
    key = os.environ.get("WANDB_API_KEY") or settings.api_key or _kept_key(url)
    return Server(url=url, key=key or None, has_identity=bool(settings.identity_token_file))


def _kept_key(url: str) -> str | None:
    """The key that `wandb login` has kept for the server."""
    import netrc

    path = user_path(os.environ.get("NETRC") or "~/.netrc")
    try:
        kept = (
            netrc.netrc(str(path)).authenticators(urlsplit(url).hostname or "")
            if path.is_file()
            else None
        )
    except netrc.NetrcParseError:
        return None
    return None if kept is None else kept[2]


def fault_of_server(at: Server) -> str | None:
    """What keeps a run from being online, as a clause; None where nothing does.

    Through the proxies and certificates that the environment names, as W&B's own client.
    """
    if at.key is None and not at.has_identity:
        return f"W&B at {at.shown} wants a key and there is none (wandb login, or WANDB_API_KEY)"
    said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    # In a thread: looking up a name can take longer than any limit that a connection has.
    threading.Thread(target=lambda: said.put(_asked(at)), daemon=True).start()
    try:
        return said.get(timeout=WHOLE_SECONDS)
    except queue.Empty:
        return f"W&B at {at.shown} cannot be reached"


def _asked(at: Server) -> str | None:
    try:
        with urllib.request.urlopen(_question(at), timeout=ANSWER_SECONDS) as response:  # noqa: S310
            status, text = response.status, response.read(ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        status, text = error.code, b""
        error.close()
    except (OSError, ValueError, http.client.HTTPException):  # their texts may hold the address
        return f"W&B at {at.shown} cannot be reached"
    if status >= 500:
        return f"W&B at {at.shown} answers with {status}"
    if not at.has_identity and (status in (401, 403) or _is_for_nobody(text)):
        return f"W&B at {at.shown} does not take the key"
    return None


def _question(at: Server) -> urllib.request.Request:
    """Who am I? The cheapest that needs a key."""
    headers = {"Content-Type": "application/json"}
    if at.key is not None:
        pair = base64.b64encode(f"api:{at.key}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    body = json.dumps({"query": "query Viewer { viewer { id } }"}).encode()
    return urllib.request.Request(f"{at.url}/graphql", data=body, headers=headers)  # noqa: S310


def _is_for_nobody(text: bytes) -> bool:
    """Whether a GraphQL answer says that the key belongs to no one."""
    try:
        answer = json.loads(text)
    except ValueError:
        return False
    data = answer.get("data") if isinstance(answer, dict) else None
    return isinstance(data, dict) and "viewer" in data and data["viewer"] is None
