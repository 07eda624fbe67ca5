"""The files of a trained model's folder by their sha256: what is loaded is what was saved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from zenml_ftvr.errors import ModelError

__all__ = ["MANIFEST_FILE", "hashes_of", "refuse_changed"]

MANIFEST_FILE = "ftvr.json"
UNRECORDED = frozenset((MANIFEST_FILE, "README.md"))
"""The file with the record, and the card: people read it, nothing loads it, and it is written
last."""
LOADED_ENDINGS = frozenset(
    (".bin", ".jinja", ".json", ".model", ".pt", ".py", ".safetensors", ".skops", ".txt")
)
"""Of the files that transformers, PEFT and we look for in a folder; one that was added may take the
place of another. Notes and pictures of a user's own may lie there too."""
DIGITS_SHOWN = 12


def hashes_of(folder: Path) -> dict[str, str]:
    """The sha256 of every file below `folder` that loading may read, by its path in there."""
    return {name: _sha256(folder / name) for name in _names(folder)}


def refuse_changed(folder: Path, recorded: Mapping[str, str]) -> None:
    """Raise `ModelError` for a file that is not as recorded, is gone, or was added."""
    present = _names(folder)
    for name in sorted({*recorded, *present}):
        if name not in present:
            what = f"{folder} lacks {name}, which its {MANIFEST_FILE} names"
        elif name not in recorded:
            what = f"{folder} has {name}, which its {MANIFEST_FILE} does not name"
        elif (found := _sha256(folder / name)) != recorded[name]:
            what = (
                f"{folder / name} was changed after it was saved: it has sha256 "
                f"{found[:DIGITS_SHOWN]}, recorded is {recorded[name][:DIGITS_SHOWN]}"
            )
        else:
            continue
        raise ModelError(f"{what}. Copy the folder again, or train the model again.")


def _names(folder: Path) -> set[str]:
    files = (file for file in folder.rglob("*") if file.suffix in LOADED_ENDINGS and file.is_file())
    return {file.relative_to(folder).as_posix() for file in files} - UNRECORDED


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
