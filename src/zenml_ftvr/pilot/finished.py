"""What pilots came to, kept until all of them are done: a step that is retried runs none twice.

Each is a file in the cache folder, named by everything that decides its score. They go once the
evidence is whole, which is an artifact then; those of a step that was never retried go after a
month.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from zenml_ftvr.decide import PilotProtocol, PilotRequest, PlanBasis
from zenml_ftvr.hardware import installed_versions
from zenml_ftvr.models import cache_folder
from zenml_ftvr.train import training_fingerprint
from zenml_ftvr.values import Hardware, PilotRun, TrainingPlan

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["forget", "keep", "pilot_fingerprint", "recall"]

KEPT_SECONDS = 30 * 24 * 3600.0  # as long as checkpoints of runs that did not end. A judgement


def pilot_fingerprint(
    trained: TrainingPlan | tuple[PilotRequest, PlanBasis],
    dataset: Dataset,
    protocol: PilotProtocol,
    hardware: Hardware,
) -> str:
    """sha256 over what decides a pilot's score and cost, 16 hex digits.

    `trained`: the plan, or of what is solved for the request and what it is made from. The rows
    that it learns from and is judged on are told by the fingerprint of its own `dataset`. The time
    that all pilots have decides when one is given up.
    """
    if isinstance(trained, TrainingPlan):
        made_by: object = training_fingerprint(trained)
    else:
        request, basis = trained
        made_by = [
            request.kind,
            request.seed,
            repr(basis.task),
            basis.model_fingerprint,
            installed_versions(),
        ]
    what = [
        made_by,
        dataset.fingerprint,
        protocol.metric,
        protocol.seconds_allowed,
        hardware.device_name,
    ]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def recall(fingerprint: str) -> tuple[PilotRun, ...] | None:
    """What the pilot came to in an earlier attempt; None where it did not come to an end."""
    from pydantic import TypeAdapter

    with contextlib.suppress(OSError, ValueError):  # a file of other versions, or cut short
        text = _file(fingerprint).read_text(encoding="utf-8")
        return TypeAdapter(tuple[PilotRun, ...]).validate_json(text)
    return None


def keep(fingerprint: str, runs: tuple[PilotRun, ...]) -> None:
    """Keep what a pilot came to: all of it or nothing. Forgets what is a month old."""
    from pydantic import TypeAdapter

    file = _file(fingerprint)
    file.parent.mkdir(parents=True, exist_ok=True)
    _forget_old(file.parent)
    half = file.with_suffix(".half")
    half.write_bytes(TypeAdapter(tuple[PilotRun, ...]).dump_json(runs))
    half.replace(file)


def forget(fingerprints: Iterable[str]) -> None:
    """Remove what was kept."""
    for one in fingerprints:
        _file(one).unlink(missing_ok=True)


def _file(fingerprint: str) -> Path:
    return cache_folder() / "pilots" / f"{fingerprint}.json"


def _forget_old(folder: Path) -> None:
    now = time.time()
    for file in folder.iterdir():
        with contextlib.suppress(OSError):  # another process may have removed it
            if now - file.stat().st_mtime > KEPT_SECONDS:
                file.unlink()
