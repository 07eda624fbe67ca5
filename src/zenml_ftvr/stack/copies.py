"""A W&B run that is kept offline on a machine which will be gone is copied to the artifact store:
while it is written, so that a pod that vanishes loses at most a minute, and when it has ended."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from zenml.artifact_stores import BaseArtifactStore
from zenml.client import Client

from zenml_ftvr.tracking.wandb import (
    note_staging,
    portable_staging,
    staged_since,
    wait_until_written,
)

__all__ = ["OfflineCopy", "active_store", "copy_of", "fetch_folder", "prepare_copies"]

COPIES_FOLDER = "ftvr_wandb"  # below the artifact store's root
EVERY_SECONDS = 60.0  # a judgement: the files are of kilobytes; W&B itself writes every 15 s
LIVE_LINKS = ("debug.log", "debug-internal.log", "debug-core.log")  # to files elsewhere

logger = logging.getLogger(__name__)


def active_store() -> BaseArtifactStore | None:
    """The artifact store of the active stack where it is not on this machine; else None."""
    store = Client().active_stack.artifact_store
    return None if store.config.is_local else store


def prepare_copies(store: BaseArtifactStore | None) -> None:
    """To be called before a run that may have to be copied begins."""
    if store is not None:
        portable_staging()


def copy_of(folder: str | None, store: BaseArtifactStore | None) -> str | None:
    """Where the copy of an offline run's folder is; None where none is made."""
    if folder is None or store is None:
        return None
    return f"{store.path.rstrip('/')}/{COPIES_FOLDER}/{Path(folder).name}"


class OfflineCopy:
    """The copy of one run's folder, kept up to date by a thread until it is ended."""

    def __init__(self, folder: Path, uri: str, store: BaseArtifactStore) -> None:
        self._folder, self._uri, self._store = folder, uri, store
        self._staging = portable_staging()
        self._since = folder.stat().st_ctime - 1.0  # clocks of file systems are coarse
        self._copied: dict[str, tuple[int, int]] = {}
        self._ended = threading.Event()
        self._writing = threading.Lock()
        note_staging(folder, self._staging)
        self._thread = threading.Thread(target=self._follow, daemon=True, name="ftvr-wandb-copy")
        self._thread.start()

    def end(self) -> None:
        """Copy what there is now that the run has ended; a store that fails is warned of."""
        self._ended.set()
        self._thread.join(timeout=EVERY_SECONDS)
        wait_until_written(self._folder)
        self._copy()

    def _follow(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self._copy()

    def _copy(self) -> None:
        try:
            with self._writing:
                for file, place in self._files():
                    self._copy_file(file, place)
        except Exception as error:  # whatever the store's library raises
            logger.warning(
                "the offline W&B run could not be copied to %s (%s: %s); it is in %s.",
                self._uri,
                type(error).__name__,
                error,
                self._folder,
            )

    def _files(self) -> Iterator[tuple[Path, str]]:
        for file in sorted(self._folder.rglob("*")):
            if file.is_file() and file.name not in LIVE_LINKS:
                yield file, file.relative_to(self._folder).as_posix()
        yield from staged_since(self._staging, self._since)

    def _copy_file(self, file: Path, place: str) -> None:
        state = file.stat()
        seen = (state.st_size, state.st_mtime_ns)
        if self._copied.get(place) == seen:
            return
        target = f"{self._uri}/{place}"
        self._store.makedirs(target.rpartition("/")[0])
        with file.open("rb") as source, self._store.open(target, "wb") as sink:
            shutil.copyfileobj(source, sink)
        self._copied[place] = seen


def fetch_folder(uri: str, folder: Path) -> None:
    """Bring all files below a URI in the active stack's artifact store into `folder`."""
    store = Client().active_stack.artifact_store
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(_text(name) for name in store.listdir(uri)):
        target = f"{uri.rstrip('/')}/{name.rstrip('/')}"
        if store.isdir(target):
            fetch_folder(target, folder / Path(name).name)
            continue
        with store.open(target, "rb") as source, (folder / Path(name).name).open("wb") as sink:
            shutil.copyfileobj(source, sink)


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
