"""Where the copies of trainings in progress are: the artifact store, where that is elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

from zenml.artifact_stores import BaseArtifactStore

from zenml_ftvr.stack.copies import active_store

__all__ = ["ArtifactStoreFiles", "files_of_active_store"]

RUNS_FOLDER = "ftvr_runs"  # below the artifact store's root
CHUNK_BYTES = 2**22  # read and written at a time


class ArtifactStoreFiles:
    """`train.mirror.RemoteFiles` in ZenML's artifact store."""

    def __init__(self, store: BaseArtifactStore) -> None:
        self._store = store
        self._root = f"{store.path.rstrip('/')}/{RUNS_FOLDER}"

    def names(self, below: str) -> list[str]:
        """All files below a name; none where there is no such name."""
        # fsspec remembers listings, and another machine may have written since.
        getattr(getattr(self._store, "filesystem", None), "invalidate_cache", _nothing)()
        top = f"{self._root}/{below}".rstrip("/")
        if not self._store.exists(top):
            return []
        found = []
        for folder, _, files in self._store.walk(top):
            inside = _text(folder).rstrip("/").partition(f"/{RUNS_FOLDER}")[2].strip("/")
            found += [f"{inside}/{_text(file)}".lstrip("/") for file in files]
        return found

    def put(self, file: Path, name: str) -> None:
        """Send a file; one of that name is replaced."""
        target = f"{self._root}/{name}"
        self._store.makedirs(target.rpartition("/")[0])
        with file.open("rb") as source, self._store.open(target, "wb") as sink:
            shutil.copyfileobj(source, sink, CHUNK_BYTES)

    def get(self, name: str, file: Path) -> None:
        """Bring a file; its folder is there."""
        with self._store.open(f"{self._root}/{name}", "rb") as source, file.open("wb") as sink:
            shutil.copyfileobj(source, sink, CHUNK_BYTES)

    def remove(self, below: str) -> None:
        """Remove a file, or all below a name; nothing where there is no such name."""
        path = f"{self._root}/{below}"
        if self._store.isdir(path):
            self._store.rmtree(path)
        elif self._store.exists(path):
            self._store.remove(path)


def files_of_active_store() -> ArtifactStoreFiles | None:
    """None where the artifact store is on this machine: it would go with the disk, too."""
    store = active_store()
    return None if store is None else ArtifactStoreFiles(store)


def _nothing() -> None:
    """For a store that remembers no listing."""


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
