"""Checkpoints that are whole or not there: a file of sizes is written last, and renamed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "MARK",
    "best_known_to",
    "checkpoint_bytes",
    "commit",
    "drop_after",
    "is_whole",
    "last_whole",
    "record_of",
    "rotate",
    "step_of",
    "sweep",
]

PREFIX = "checkpoint-"  # transformers' name
MARK = "whole.json"
STATE = "trainer_state.json"  # transformers' name
TRASH = ".trash-"


def step_of(folder: Path) -> int:
    """The optimiser step that a checkpoint was taken after."""
    return int(folder.name.removeprefix(PREFIX))


def commit(folder: Path, record: Mapping[str, Any]) -> None:
    """Declare the checkpoint in `folder` whole, with `record` beside the sizes of its files.

    Everything reaches the disk first: a power cut leaves a whole checkpoint or none. transformers
    itself takes the newest folder for a checkpoint, whatever is in it.
    """
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != MARK]
    for path in files:
        _to_disk(path)
    _to_disk(folder)
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in files}
    half = folder / f"{MARK}.half"
    half.write_text(json.dumps({"files": sizes, **record}), encoding="utf-8")
    _to_disk(half)
    half.replace(folder / MARK)
    _to_disk(folder)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def record_of(folder: Path) -> dict[str, Any]:
    """What was recorded with a checkpoint; empty where it is not whole."""
    try:
        record: dict[str, Any] = json.loads((folder / MARK).read_text(encoding="utf-8"))
        whole = all(
            (folder / name).stat().st_size == size for name, size in record["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return record if whole else {}


def is_whole(folder: Path) -> bool:
    """Whether every file of the checkpoint is there in the size that was written."""
    return bool(record_of(folder))


def _newest_first(folder: Path) -> list[Path]:
    found = [
        path
        for path in folder.glob(f"{PREFIX}*")
        if path.name.removeprefix(PREFIX).isdigit() and path.is_dir()
    ]
    return sorted(found, key=step_of, reverse=True)


def last_whole(folder: Path) -> Path | None:
    """The newest checkpoint that can be gone on from: whole, and so is the best it knows of."""
    for checkpoint in _newest_first(folder):
        if is_whole(checkpoint):
            best = best_known_to(checkpoint)
            if best is None or is_whole(best):
                return checkpoint
    return None


def best_known_to(checkpoint: Path) -> Path | None:
    """The checkpoint with the best evaluation until then, wherever the two were written first."""
    state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    best = state["best_model_checkpoint"]
    return None if best is None else checkpoint.with_name(Path(best).name)


def sweep(folder: Path) -> None:
    """Remove what a killed process left half-written or half-removed."""
    for path in folder.glob(f"{TRASH}*"):
        shutil.rmtree(path, ignore_errors=True)
    for checkpoint in _newest_first(folder):
        if not is_whole(checkpoint):
            shutil.rmtree(checkpoint, ignore_errors=True)


def drop_after(folder: Path, step: int) -> None:
    """Remove checkpoints of later steps: they are of another run, or cannot be gone on from."""
    for checkpoint in _newest_first(folder):
        if step_of(checkpoint) > step:
            shutil.rmtree(checkpoint)


def rotate(folder: Path, best: Path | None) -> None:
    """Keep the newest whole checkpoint and the best; the others go, by a rename first."""
    whole = [checkpoint for checkpoint in _newest_first(folder) if is_whole(checkpoint)]
    for checkpoint in whole[1:]:
        if best is None or checkpoint.name != best.name:
            trash = folder / f"{TRASH}{checkpoint.name}"
            checkpoint.replace(trash)
            shutil.rmtree(trash, ignore_errors=True)


def checkpoint_bytes(model: Any) -> int:
    """About what a checkpoint of `model` takes: its weights, and Adam's two moments of the trained.

    Of adapters only what is trained is written, so that this is then an upper bound.
    """
    return sum(
        weight.numel() * weight.element_size() * (3 if weight.requires_grad else 1)
        for weight in model.parameters()
    )
