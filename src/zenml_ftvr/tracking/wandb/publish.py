"""Upload what was kept offline: runs, what they were given and made, and the report."""

from __future__ import annotations

import glob
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from zenml_ftvr.errors import TrackingError
from zenml_ftvr.tracking.run import WANDB_REPORT_FILE, TrackedArtifact
from zenml_ftvr.tracking.wandb.copies import restore_staging
from zenml_ftvr.tracking.wandb.lineage import link_inputs, register_kept
from zenml_ftvr.tracking.wandb.mode import fault_of_server, server
from zenml_ftvr.tracking.wandb.names import PREFIX, REGISTERS, USES
from zenml_ftvr.tracking.wandb.report import (
    KeptReport,
    KeptRun,
    publish_report,
    read_report,
)

__all__ = ["publish_kept"]

Fetch = Callable[[str, Path], None]
"""Brings what is at a URI into a folder."""
SYNCED = ".synced"  # W&B's mark beside the file of a run that it has uploaded
UPLOADED = "ftvr_uploaded"  # ours, in the folder of a run whose file ends half-way
CUT_SHORT = "ends with an incomplete record"  # wandb 0.31, of a run whose process was killed
WORDS = 1_000  # characters of what W&B says that an error repeats
SYNC_SECONDS = 600  # of one command over all runs: kilobytes each; a judgement


def publish_kept(folder: Path, fetch: Fetch, space: Path) -> Iterator[str]:
    """Upload the runs of the report in `folder`, or the run whose folder it is; lines of what was
    done.

    What is fetched goes into `space` and stays there, with W&B's mark that it was uploaded. Raises
    `TrackingError` where the server cannot be had or did not take everything; what it took is not
    uploaded twice.
    """
    report = folder / WANDB_REPORT_FILE
    own = sorted(folder.glob("run-*.wandb"))
    if not report.is_file() and not own:
        raise TrackingError(
            f"{folder} holds neither {WANDB_REPORT_FILE} nor a W&B run. Name the folder that the "
            f"step publish_report wrote into (report_folder), or that of a run."
        )
    fault = fault_of_server(server())
    if fault is not None:
        raise TrackingError(f"{fault}. Nothing was uploaded; run the command again when it can.")
    kept = read_report(report) if report.is_file() else None
    folders = _attempts(folder, own[0].stem.removeprefix("run-")) if own else []
    run_ids: set[str] = set()
    for run in kept.offline if kept is not None else ():
        found = _folders(run, space, fetch)
        if found:
            run_ids.add(run.run_id)
        else:
            yield f"run {run.run_id}: its folder {run.folder} is gone; not uploaded"
        folders.extend(one for one in found if one.name not in {had.name for had in folders})
    yield from _sync(folders)
    if kept is not None:
        yield from _lineage(kept, run_ids)
        yield f"report: {publish_report(report)}"


def _folders(run: KeptRun, space: Path, fetch: Fetch) -> list[Path]:
    """A run's folder and those of its earlier attempts, from here or from the artifact store."""
    folder = Path(run.folder)
    if folder.is_dir():
        return _attempts(folder, run.run_id)
    if run.copy is None:
        return []
    brought = space / folder.name
    if not _is_synced(brought):
        fetch(run.copy, brought)
    return [brought]


def _attempts(folder: Path, run_id: str) -> list[Path]:
    """A run's folder, and those beside it of the same run: of earlier attempts, or from before its
    server died."""
    beside = folder.parent.glob(f"*run-????????_??????-{glob.escape(run_id)}")
    return sorted({folder, *beside}, key=_began)


def _began(folder: Path) -> str:
    """Sorts by time: both `run-` and `offline-run-` are followed by it."""
    return folder.name.partition("run-")[2]


def _rounds(folders: list[Path]) -> list[list[Path]]:
    """Folders of one run in different rounds, earliest first.

    W&B puts a later one behind what the server has by then. Given both at once, wandb 0.31 has been
    seen to write one over the other.
    """
    rounds: list[list[Path]] = []
    seen: Counter[str] = Counter()
    for folder in sorted(folders, key=_began):
        run = next((file.name for file in folder.glob("run-*.wandb")), folder.name)
        if seen[run] == len(rounds):
            rounds.append([])
        rounds[seen[run]].append(folder)
        seen[run] += 1
    return rounds


def _sync(folders: list[Path]) -> Iterator[str]:
    waiting = [folder for folder in folders if not _is_synced(folder)]
    if len(waiting) < len(folders):
        yield f"{_folders_of_runs(len(folders) - len(waiting))} uploaded before"
    refused: list[str] = []
    words = ""
    for together in _rounds(waiting):
        for folder in together:
            restore_staging(folder)
        words += _run_sync(together)
        for folder in together:
            if len(together) > 1 and not _is_synced(folder) and not _is_cut(folder, words):
                words += _run_sync([folder])  # one that cannot be read keeps W&B from the others
            if _is_cut(folder, words):
                # Uploaded again it would be on the server twice.
                (folder / UPLOADED).touch()
                yield f"{folder.name} was never ended; what was written of it was uploaded"
            elif not _is_synced(folder):
                refused.append(folder.name)
    if refused:
        raise TrackingError(
            f"W&B did not take {', '.join(refused)}. It says: {words[-WORDS:].strip()}"
        )
    if waiting:
        yield f"{_folders_of_runs(len(waiting))} uploaded"


def _folders_of_runs(number: int) -> str:
    return "1 run folder" if number == 1 else f"{number} run folders"


def _is_cut(folder: Path, words: str) -> bool:
    return any(folder.name in line and CUT_SHORT in line for line in words.splitlines())


def _run_sync(folders: list[Path]) -> str:
    """What W&B's own command says; it ends with 0 whether or not it could upload anything."""
    command = [sys.executable, "-m", "wandb", "sync", "--include-online", *map(str, folders)]
    spoken = {name: value for name, value in os.environ.items() if name != "WANDB_SILENT"}
    try:
        done = subprocess.run(  # noqa: S603  (our own arguments; the key stays in the environment)
            command, capture_output=True, text=True, timeout=SYNC_SECONDS, check=False, env=spoken
        )
    except subprocess.TimeoutExpired:
        raise TrackingError(
            f"W&B did not take the runs within {SYNC_SECONDS} s. Run the command again: what was "
            f"taken is not uploaded twice."
        ) from None
    return done.stderr


def _is_synced(folder: Path) -> bool:
    return (folder / UPLOADED).exists() or any(folder.glob(f"run-*.wandb{SYNCED}"))


def _lineage(kept: KeptReport, run_ids: set[str]) -> Iterator[str]:
    """What runs could not say offline stands in their configurations, which are uploaded now."""
    import wandb

    api = wandb.Api()
    entity = kept.entity or str(api.default_entity)
    used_by: dict[str, list[TrackedArtifact]] = {}
    for run_id in sorted(run_ids):
        run = api.run(f"{entity}/{kept.project}/{run_id}")
        ours = run.config.get(PREFIX)
        if not isinstance(ours, Mapping):
            continue
        already = {one.name.partition(":")[0] for one in run.used_artifacts()}
        uses = [_artifact(one) for one in ours.get(USES, ())]
        used_by[run_id] = [one for one in uses if one.wandb_name not in already]
        for one in ours.get(REGISTERS, ()):
            register_kept(entity, kept.project, _artifact(one["model"]), one["registry"])
    wanted = {run_id: artifacts for run_id, artifacts in used_by.items() if artifacts}
    if wanted:
        link_inputs(entity, kept.project, kept.experiment, wanted)
        yield f"inputs of {len(wanted)} run{'s' if len(wanted) > 1 else ''} linked"


def _artifact(held: Mapping[str, Any]) -> TrackedArtifact:
    return TrackedArtifact(
        name=held["name"],
        kind=held["kind"],
        fingerprint=held["fingerprint"],
        metadata=dict(held["metadata"]),
    )
