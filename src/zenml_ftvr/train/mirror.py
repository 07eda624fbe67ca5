"""A run's checkpoints and journal, copied to a place that outlives the machine.

A thread copies while the training goes on, so that no step waits. A checkpoint is sent file by
file, what declares it whole last: half a copy is told from a whole one as half a checkpoint is. A
save that comes while the one before is still being sent waits for nothing, and only the newest is
sent next. So what is lost with the disk is what came after the last save, or, where a store takes
longer than the time between two saves, after the last one that was sent.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.train.checkpoints import MARK, best_known_to, is_whole, last_whole, step_of
from zenml_ftvr.train.journal import BEAT, JOURNAL, lines_of
from zenml_ftvr.train.kept_body import BODY_FILE

__all__ = ["Mirror", "RemoteFiles", "journal_there", "mirrored"]

LOOK_EVERY_SECONDS = 0.5  # for a new checkpoint: a listing of a local folder. A judgement
SIGN_EVERY_SECONDS = 15.0
"""Between copies of the sign of life, a file of eight bytes: what is not known of the time of an
attempt whose machine is gone. A judgement."""
KEPT_SECONDS = 30 * 24 * 3600.0  # of copies that nobody went on from: as of runs on disk
AGAIN_AFTER_SECONDS = 15.0  # where the store failed. A judgement
BODY = f"pretraining/{BODY_FILE}"
COPY = re.compile(r"(seed-\d+)/(checkpoint-(\d+))\.[0-9a-f]{8}")
"""A copy of a checkpoint, named for its attempt too: files of two attempts never mix."""
RUN = re.compile(rf"([0-9a-f]{{16}}-[0-9a-f]{{16}})/{re.escape(JOURNAL)}")
HELD = ".held-"  # links to files that are being sent, which rotation may remove meanwhile

logger = logging.getLogger(__name__)


class RemoteFiles(Protocol):
    """Files that outlive this machine, by names with slashes. Raises what its library raises."""

    def names(self, below: str) -> list[str]:
        """All files below a name; none where there is no such name."""

    def put(self, file: Path, name: str) -> None:
        """Send a file; one of that name is replaced."""

    def get(self, name: str, file: Path) -> None:
        """Bring a file; its folder is there."""

    def remove(self, below: str) -> None:
        """Remove a file, or all below a name; nothing where there is no such name."""


class Mirror:
    """The copy of one run's folder."""

    def __init__(self, files: RemoteFiles, folder: Path) -> None:
        self._files, self._folder, self._run = files, folder, folder.name
        self._token = secrets.token_hex(4)
        self._there: dict[str, tuple[str, int]] = {}
        """Copies that are whole: checkpoint to name and the stamp of what declares it whole."""
        self._others: set[str] = set()
        """Copies of earlier attempts, whole or not."""
        self._small: dict[str, tuple[int, int]] = {}
        self._sign_due = 0.0
        self._due = 0.0
        self._looked_at: list[tuple[str, int]] | None = None
        self._said: set[str] = set()
        self._ended, self._unwanted = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="ftvr-mirror", daemon=True)

    # Before an attempt.

    def fetch(self) -> None:
        """Bring what earlier attempts left and this disk lacks.

        Raises `TrainingError` where the store cannot be read: beginning again would take the place
        of what is there.
        """
        for held in self._folder.glob(f"{HELD}*"):
            shutil.rmtree(held, ignore_errors=True)
        try:
            names = self._files.names(self._run)
            self._fetch_journal(names)
            self._fetch_checkpoints(names)
        except Exception as error:  # whatever the store's library raises
            raise TrainingError(
                f"the copy of earlier attempts at this plan could not be read "
                f"({type(error).__name__}: {error}). Run it again once the store can be reached."
            ) from error

    def _fetch_journal(self, names: list[str]) -> None:
        if f"{self._run}/{JOURNAL}" not in names:
            return
        here, brought = self._folder / JOURNAL, self._folder / f"{JOURNAL}.half"
        self._files.get(f"{self._run}/{JOURNAL}", brought)
        if here.exists() and _n_attempts(here) >= _n_attempts(brought):
            brought.unlink()
            return
        if f"{self._run}/{BEAT}" in names:
            self._files.get(f"{self._run}/{BEAT}", self._folder / BEAT)
        brought.replace(here)

    def _fetch_checkpoints(self, names: list[str]) -> None:
        copies: dict[str, list[str]] = {}
        for name in names:
            place = name.removeprefix(f"{self._run}/")
            copy, _, file = place.rpartition("/")
            while copy and not COPY.fullmatch(copy):
                copy, _, above = copy.rpartition("/")
                file = f"{above}/{file}"
            if copy:
                copies.setdefault(copy, []).append(file)
            elif place.endswith(f"/{BODY}") and not (self._folder / place).exists():
                (self._folder / place).parent.mkdir(parents=True, exist_ok=True)
                self._files.get(name, self._folder / place)
        self._others = set(copies)
        whole = {copy: files for copy, files in copies.items() if MARK in files}
        for seed in sorted({copy.partition("/")[0] for copy in whole}):
            self._fetch_last(seed, {c: f for c, f in whole.items() if c.startswith(f"{seed}/")})

    def _fetch_last(self, seed: str, whole: dict[str, list[str]]) -> None:
        """The newest checkpoint that can be gone on from, and the best that it knows of."""
        folder = self._folder / seed
        here = last_whole(folder)
        for copy in sorted(whole, key=_step, reverse=True):
            if here is not None and _step(copy) <= step_of(here):
                return
            checkpoint = self._bring(copy, whole[copy])
            best = best_known_to(checkpoint)
            if best is not None and not is_whole(best):
                for other in (one for one in whole if _checkpoint(one) == f"{seed}/{best.name}"):
                    self._bring(other, whole[other])
                    if is_whole(best):
                        break
            if last_whole(folder) == checkpoint:
                return
            shutil.rmtree(checkpoint)  # its copy is not what was sent

    def _bring(self, copy: str, files: list[str]) -> Path:
        checkpoint = self._folder / _checkpoint(copy)
        shutil.rmtree(checkpoint, ignore_errors=True)
        for file in sorted(files, key=lambda name: name == MARK):  # the mark last, here too
            (checkpoint / file).parent.mkdir(parents=True, exist_ok=True)
            self._files.get(f"{self._run}/{copy}/{file}", checkpoint / file)
        self._there[_checkpoint(copy)] = copy, _stamp(checkpoint)
        return checkpoint

    # While it runs.

    def follow(self) -> None:
        """Copy from now on, in a thread."""
        self._thread.start()

    def _follow(self) -> None:
        while not self._ended.wait(LOOK_EVERY_SECONDS):
            if time.monotonic() >= self._due:
                self._copy()

    def stop(self) -> None:
        """Send what there is now, and no more."""
        self._ended.set()
        self._thread.join()
        self._sign_due = 0.0
        self._copy()

    def _copy(self) -> None:
        """A store that fails costs no step: it is warned of, and tried again."""
        try:
            self._copy_small_files()
            self._copy_checkpoints()
        except Exception as error:  # whatever the store's library raises
            self._due = time.monotonic() + AGAIN_AFTER_SECONDS
            said = f"{type(error).__name__}: {error}"
            if said not in self._said:
                self._said.add(said)
                logger.warning(
                    "the checkpoints in %s could not be copied to the artifact store (%s). They "
                    "are on this disk only until it takes them.",
                    self._folder,
                    said,
                )

    def _copy_small_files(self) -> None:
        now = time.monotonic()
        for file in (
            self._folder / JOURNAL,
            self._folder / BEAT,
            *self._folder.glob(f"seed-*/{BODY}"),
        ):
            if file.name == BEAT and now < self._sign_due:
                continue
            try:
                state = file.stat()
            except FileNotFoundError:
                continue
            place = file.relative_to(self._folder).as_posix()
            if self._small.get(place) != (state.st_size, state.st_mtime_ns):
                self._files.put(file, f"{self._run}/{place}")
                self._small[place] = state.st_size, state.st_mtime_ns
            if file.name == BEAT:
                self._sign_due = now + SIGN_EVERY_SECONDS

    def _copy_checkpoints(self) -> None:
        marks = []
        for mark in sorted(self._folder.glob(f"seed-*/checkpoint-*/{MARK}")):
            with contextlib.suppress(FileNotFoundError):  # rotated away
                marks.append((str(mark), mark.stat().st_mtime_ns))
        if marks == self._looked_at:
            return
        wanted = set()
        for seed in sorted(self._folder.glob("seed-*")):
            if (newest := last_whole(seed)) is None:
                continue
            best = best_known_to(newest)
            # The best first: the newest is of use only with it.
            for checkpoint in (*(() if best in (None, newest) else (best,)), newest):
                wanted.add(f"{seed.name}/{checkpoint.name}")
                if not self._send(checkpoint):
                    return  # rotated away: the next look finds a newer one
        if wanted:
            self._remove_all_but(wanted)
        self._looked_at = marks

    def _send(self, checkpoint: Path) -> bool:
        """Whether its copy is whole."""
        place = f"{checkpoint.parent.name}/{checkpoint.name}"
        try:
            stamp = _stamp(checkpoint)
            if self._there.get(place, ("", 0))[1] == stamp:
                return True
            with _held(checkpoint, self._folder / f"{HELD}{self._token}") as held:
                copy = f"{place}.{self._token}"
                files = [file for file in sorted(held.rglob("*")) if file.is_file()]
                for file in sorted(files, key=lambda path: path.name == MARK):
                    if self._unwanted.is_set():
                        return False
                    name = file.relative_to(held).as_posix()
                    self._files.put(file, f"{self._run}/{copy}/{name}")
        except FileNotFoundError:
            if checkpoint.exists():
                raise
            return False
        self._there[place] = copy, stamp
        return True

    def _remove_all_but(self, wanted: set[str]) -> None:
        kept = {copy for place, (copy, _) in self._there.items() if place in wanted}
        for copy in sorted((self._others | {copy for copy, _ in self._there.values()}) - kept):
            # What declares it whole goes first: half a copy is never taken for one.
            self._files.remove(f"{self._run}/{copy}/{MARK}")
            self._files.remove(f"{self._run}/{copy}")
        self._others = set()
        self._there = {place: one for place, one in self._there.items() if place in wanted}

    # When the plan is done.

    def forget(self) -> None:
        """Remove the copy, and copies that nobody went on from for a month."""
        self._unwanted.set()
        self._ended.set()
        self._thread.join()
        with contextlib.suppress(Exception):  # they cost space, and no result
            self._files.remove(self._run)
            for name in self._files.names(""):
                if (run := RUN.fullmatch(name)) is not None and self._is_old(name):
                    self._files.remove(run[1])

    def _is_old(self, journal: str) -> bool:
        file = self._folder.with_name(f"{self._folder.name}.{self._token}")
        try:
            self._files.get(journal, file)
            began = [float(line["at"]) for line in lines_of(file) if line.get("event") == "began"]
        finally:
            file.unlink(missing_ok=True)
        return bool(began) and time.time() - began[-1] > KEPT_SECONDS


def journal_there(files: RemoteFiles, run: str) -> list[dict[str, Any]]:
    """The lines of a run's journal as its copy has them; none where there is no copy.

    Raises what the store's library raises.
    """
    name = f"{run}/{JOURNAL}"
    if name not in files.names(run):
        return []
    with tempfile.TemporaryDirectory() as folder:
        files.get(name, Path(folder) / JOURNAL)
        return lines_of(Path(folder) / JOURNAL)


@contextmanager
def mirrored(files: RemoteFiles | None, folder: Path) -> Iterator[None]:
    """While the body runs, the run in `folder` is copied to `files`; None copies nothing.

    What earlier attempts left there is brought first. The copy goes when the body succeeds.
    """
    if files is None:
        yield
        return
    mirror = Mirror(files, folder)
    mirror.fetch()
    mirror.follow()
    try:
        yield
    except BaseException:
        mirror.stop()
        raise
    mirror.forget()


@contextmanager
def _held(checkpoint: Path, folder: Path) -> Iterator[Path]:
    """A folder with the checkpoint's files, which stay when rotation removes it."""
    try:
        yield folder if _linked(checkpoint, folder) else checkpoint
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _linked(checkpoint: Path, folder: Path) -> bool:
    """Whether the disk knows links. Where not, a copy is left unfinished if rotation is faster."""
    for file in checkpoint.rglob("*"):
        if file.is_file():
            link = folder / file.relative_to(checkpoint)
            link.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file, link)
            except FileNotFoundError:
                raise
            except OSError:
                return False
    return True


def _checkpoint(copy: str) -> str:
    """The checkpoint's place in the run's folder."""
    return copy.rpartition(".")[0]


def _step(copy: str) -> int:
    found = COPY.fullmatch(copy)
    return int(found[3]) if found else 0


def _stamp(checkpoint: Path) -> int:
    return (checkpoint / MARK).stat().st_mtime_ns


def _n_attempts(journal: Path) -> int:
    return sum(line.get("event") == "began" for line in lines_of(journal))
