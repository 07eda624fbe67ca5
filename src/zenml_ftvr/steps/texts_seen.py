"""Which unlabelled texts trainings have learnt from, so that a changed file is not taken for them.

A step knows the file by its name only, and ZenML's cache the step by what it was given.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from zenml_ftvr.data import CORPORA, texts_fingerprint
from zenml_ftvr.errors import DataError
from zenml_ftvr.models import cache_folder
from zenml_ftvr.values import Approach, Full, Lora, Scratch

__all__ = ["changed_texts", "remember_texts"]


def remember_texts(approach: Approach) -> None:
    """Put down what is in the file that `approach` learns from, the first time that it does."""
    match approach:
        case Full() | Lora() | Scratch() if approach.pretrain_on is not None:
            name = approach.pretrain_on
        case _:
            return
    file = Path(name).expanduser()
    if name in CORPORA or not file.is_file():
        return  # with this package's source, or behind a URI: see the documentation
    seen = _seen()
    place = str(file.resolve())
    if place not in seen:
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".half")
        stamps = {"fingerprint": texts_fingerprint(name), "stamp": _stamp(file)}
        half.write_text(json.dumps({**seen, place: stamps}), encoding="utf-8")
        half.replace(path)


def changed_texts() -> str:
    """Empty while every file holds what it held when it was first learnt from; else what it holds.

    So that texts that are as they were give the key that they gave, also after a change.
    """
    now = {}
    for place, before in sorted(_seen().items()):
        file = Path(place)
        if not file.is_file() or _stamp(file) == before["stamp"]:
            continue
        try:
            holds = texts_fingerprint(place)
        except DataError as error:  # the step that needs it says so
            holds = str(error)
        if holds != before["fingerprint"]:
            now[place] = holds
    return hashlib.sha256(json.dumps(now).encode()).hexdigest() if now else ""


def _stamp(file: Path) -> list[int]:
    state = file.stat()
    return [state.st_size, state.st_mtime_ns]


def _path() -> Path:
    return cache_folder() / "texts_seen.json"


def _seen() -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
