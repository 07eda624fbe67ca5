"""Online or offline?"""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from zenml_ftvr.values.written import user_path

__all__ = ["is_reachable", "offline_folder", "resolved_mode"]

Mode = Literal["online", "offline", "disabled"]

CONNECT_SECONDS = 3.0
"""A server that does not answer by then is taken for unreachable. W&B's own client waits 20 s and
more, and can then block at the end of a run too."""

logger = logging.getLogger(__name__)


def resolved_mode(wanted: Literal["auto", "online", "offline", "disabled"]) -> Mode:
    """What `wanted` comes to here: `auto` is online where W&B has a key.

    WANDB_MODE overrides `auto`. Online becomes offline, with a line that says so, when the server
    cannot be reached.
    """
    if wanted == "auto":
        named = os.environ.get("WANDB_MODE", "").strip().lower()
        if named in ("offline", "dryrun"):
            return "offline"
        if named == "disabled":
            return "disabled"
        if named != "online" and not _has_key():
            return "offline"
    elif wanted != "online":
        return wanted
    url = _base_url()
    if is_reachable(url):
        return "online"
    logger.warning(
        "W&B at %s cannot be reached; the run is kept offline. Upload it later with: wandb sync "
        "<folder of the run>",
        url,
    )
    return "offline"


def _base_url() -> str:
    import wandb

    return str(wandb.setup().settings.base_url)


def _has_key() -> bool:
    """A key in the environment, or one that `wandb login` has kept for the server."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    import netrc

    path = user_path(os.environ.get("NETRC") or "~/.netrc")
    host = urlsplit(_base_url()).hostname or ""
    try:
        return path.is_file() and netrc.netrc(str(path)).authenticators(host) is not None
    except netrc.NetrcParseError:
        return False


def is_reachable(url: str) -> bool:
    """Whether something answers at the host and port of `url` within three seconds."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False


def offline_folder(run: Any) -> str | None:
    """The folder that `wandb sync` takes; None for an online run."""
    return str(Path(run.dir).parent) if run.offline else None
