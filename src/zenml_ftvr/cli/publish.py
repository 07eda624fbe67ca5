"""Upload what was kept offline: the command `zenml-ftvr publish`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zenml_ftvr.errors import TrackingError
from zenml_ftvr.models import cache_folder
from zenml_ftvr.stack.copies import fetch_folder

__all__ = ["publish"]


def publish(location: str) -> Iterator[str]:
    """Upload from a folder, or from a copy in the artifact store of the active stack."""
    from zenml_ftvr.tracking.wandb import publish_kept

    space = cache_folder() / "wandb"
    folder = Path(location).expanduser()
    if "://" in location:
        folder = space / location.rstrip("/").rpartition("/")[2]
        _fetch(location, folder)
    yield from publish_kept(folder, _fetch, space)


def _fetch(uri: str, folder: Path) -> None:
    try:
        fetch_folder(uri, folder)
    except Exception as error:  # whatever the store's library raises
        raise TrackingError(
            f"{uri} cannot be read ({type(error).__name__}: {error}). It is in an artifact store: "
            f"activate a stack with that one (zenml stack set NAME), and check that it is there."
        ) from error
