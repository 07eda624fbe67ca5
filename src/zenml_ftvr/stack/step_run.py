"""A run for a step, whether or not the stack has an experiment tracker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from zenml import get_step_context, log_metadata
from zenml.artifact_stores import BaseArtifactStore
from zenml.client import Client
from zenml.constants import METADATA_EXPERIMENT_TRACKER_URL
from zenml.metadata.metadata_types import MetadataType, Uri

from zenml_ftvr.stack.copies import OfflineCopy, active_store, copy_of, prepare_copies
from zenml_ftvr.tracking import RunDescription, RunTracker, open_run
from zenml_ftvr.tracking.run import JobType
from zenml_ftvr.values import TrackedRun, TrackingSettings

__all__ = [
    "experiment_of",
    "metadata_of",
    "offline_runs_of_pipeline",
    "open_step_run",
    "tracked_run",
]


def experiment_of(settings: TrackingSettings) -> str:
    """The group of a pipeline's runs."""
    return settings.experiment or get_step_context().pipeline.name


@contextmanager
def open_step_run(
    settings: TrackingSettings,
    job_type: JobType,
    name: str,
    tags: tuple[str, ...],
    config: Mapping[str, Any],
    continues: TrackedRun | None = None,
) -> Iterator[RunTracker]:
    """The run of the step that is running: the tracker's where the stack has one, else its own.

    A step that is tried again goes on in the same run; another pipeline run's step does so in the
    one that it `continues`. Its own run stands in the step's metadata;
    offline and with an artifact store that is not on this machine, it is copied there.
    """
    context = get_step_context()
    description = RunDescription(
        name=name,
        group=experiment_of(settings),
        job_type=job_type,
        tags=tags,
        config=config,
        run_id=_run_id(str(context.pipeline_run.id), context.step_run.name),
        continues=continues,
    )
    store = None if settings.mode == "disabled" else active_store()
    prepare_copies(store)
    kept: list[OfflineCopy] = []
    try:
        with open_run(settings, description) as run:
            begun = _show(run, kept, store)
            try:
                yield run
            finally:
                if tracked_run(run) != begun:  # it went offline: its server has died
                    _show(run, kept, store)
    finally:
        for copy in kept:
            copy.end()


def _show(
    run: RunTracker, kept: list[OfflineCopy], store: BaseArtifactStore | None
) -> TrackedRun | None:
    """Put where a step's own run is into the step's metadata, and begin its copy."""
    tracked = tracked_run(run)
    if tracked is not None and run.ended_by == "block":
        if tracked.offline_copy is not None and store is not None:
            folder = Path(str(tracked.offline_folder))
            kept.append(OfflineCopy(folder, tracked.offline_copy, store))
        log_metadata(metadata_of(tracked))
    return tracked


def tracked_run(run: RunTracker) -> TrackedRun | None:
    """Where a run can be found, also once this machine is gone."""
    tracked = run.tracked()
    if tracked is None or run.ended_by == "another":  # which does not copy
        return tracked
    return replace(tracked, offline_copy=copy_of(tracked.offline_folder, active_store()))


def metadata_of(tracked: TrackedRun) -> dict[str, MetadataType]:
    """What a step shows of its run: a link where there is one, else a folder and a command."""
    shown: dict[str, MetadataType] = {
        "wandb_run_id": tracked.run_id,
        "wandb_run_name": tracked.name,
        "wandb_project": tracked.project,
    }
    if tracked.url is not None:
        shown[METADATA_EXPERIMENT_TRACKER_URL] = shown["wandb_url"] = Uri(tracked.url)
    if tracked.offline_folder is not None:
        shown["wandb_offline_folder"] = tracked.offline_folder
        shown["wandb_sync_command"] = str(tracked.sync_command)
    if tracked.offline_copy is not None:
        shown["wandb_offline_copy"] = tracked.offline_copy
    return shown


def offline_runs_of_pipeline() -> tuple[TrackedRun, ...]:
    """The offline runs of the steps before this one, as their metadata has them."""
    run = Client().get_pipeline_run(get_step_context().pipeline_run.id)
    shown = [step.run_metadata for step in run.steps.values()]
    return tuple(
        TrackedRun(
            run_id=str(one["wandb_run_id"]),
            name=str(one["wandb_run_name"]),
            project=str(one["wandb_project"]),
            url=None,
            offline_folder=str(one["wandb_offline_folder"]),
            offline_copy=None if (copy := one.get("wandb_offline_copy")) is None else str(copy),
        )
        for one in shown
        if "wandb_offline_folder" in one
    )


def _run_id(pipeline_run: str, step: str) -> str:
    """The same for every attempt of a step, and for no other step."""
    return hashlib.sha256(f"{pipeline_run}/{step}".encode()).hexdigest()[:16]
