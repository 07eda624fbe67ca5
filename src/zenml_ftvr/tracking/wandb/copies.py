"""Offline runs that are to be uploaded from another machine than the one that wrote them.

A run's folder can be moved, but it names the files of its artifacts (tables are artifacts too) by
their absolute path below W&B's data folder. So they are written where any machine can have them
again, go with the folder, and are put back there before the upload.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from zenml_ftvr.errors import TrackingError

__all__ = ["note_staging", "portable_staging", "restore_staging", "staged_since"]

DATA_FOLDER = "WANDB_DATA_DIR"
NOTE = "ftvr_copy.json"
STAGED = "ftvr_staged"
STAGING = Path("artifacts") / "staging"  # below the data folder, in W&B


def portable_staging() -> Path:
    """Where W&B keeps artifacts' files from here on: a folder that every machine can make.

    A data folder that the user has set stays.
    """
    if not os.environ.get(DATA_FOLDER):
        os.environ[DATA_FOLDER] = tempfile.mkdtemp(prefix="zenml-ftvr-wandb-", dir=_temporary())
    return Path(os.environ[DATA_FOLDER]).expanduser().absolute() / STAGING


def _temporary() -> str | None:
    """Short and the same on Linux and macOS; elsewhere what Python says."""
    return "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108  (mkdtemp makes it private)


def staged_since(staging: Path, seconds: float) -> Iterator[tuple[Path, str]]:
    """Files that artifacts have put aside since then (Unix time), each with its place in a copy."""
    if staging.is_dir():
        for file in sorted(staging.iterdir()):
            if file.is_file() and file.stat().st_mtime >= seconds:
                yield file, f"{STAGED}/{file.name}"


def note_staging(folder: Path, staging: Path) -> None:
    """Write into a run's folder where the files of its artifacts have to be."""
    (folder / NOTE).write_text(json.dumps({"staging": str(staging)}), encoding="utf-8")


def restore_staging(folder: Path) -> None:
    """Put the artifacts' files of a copied folder where its run looks for them."""
    note = folder / NOTE
    if not note.is_file():
        return
    staging = Path(json.loads(note.read_text(encoding="utf-8"))["staging"])
    staged = folder / STAGED
    if not staged.is_dir():
        return
    if not staging.is_absolute() or staging.parts[-2:] != STAGING.parts or ".." in staging.parts:
        raise TrackingError(
            f"{note} names '{staging}', which is no folder of W&B's. Remove {note}."
        )
    try:
        staging.mkdir(parents=True, exist_ok=True)
        for file in staged.iterdir():
            if not (staging / file.name).exists():
                shutil.copyfile(file, staging / file.name)
    except OSError as error:
        raise TrackingError(
            f"the run's tables have to be in {staging} to be uploaded, which cannot be written: "
            f"{error}. Upload from a machine or as a user that can."
        ) from error
