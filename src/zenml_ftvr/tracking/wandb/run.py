"""One W&B run."""

from __future__ import annotations

import logging
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from zenml_ftvr.errors import TrackingError
from zenml_ftvr.tracking.contents import ReportContent
from zenml_ftvr.tracking.run import (
    WANDB_REPORT_FILE,
    Cell,
    EndedBy,
    NoTracker,
    RunDescription,
    RunTracker,
    TrackedArtifact,
)
from zenml_ftvr.tracking.wandb.lineage import as_wandb_artifact, register_model
from zenml_ftvr.tracking.wandb.mode import fault_of_server, server
from zenml_ftvr.tracking.wandb.names import PREFIX, REGISTERS, STEP, USES
from zenml_ftvr.tracking.wandb.report import keep_report, publish_report
from zenml_ftvr.tracking.wandb.start import (
    claimed_run,
    enter_step_run,
    finish_run,
    is_trackers,
    offline_folder,
    run_of_another,
    start_run,
    warn_kept,
)
from zenml_ftvr.values import TrackedRun, TrackingMode, TrackingSettings

__all__ = ["open_wandb_run"]

# No code, and no address of a repository: it may hold a token.
QUIET = {"silent": True, "console": "off", "save_code": False, "disable_git": True}
TAG_LENGTH = 64  # W&B takes no longer ones

logger = logging.getLogger(__name__)
Action = Callable[[Any], object]


class _WandbRun:
    """Writes into a `wandb.Run`."""

    def __init__(self, run: Any, ended_by: EndedBy) -> None:
        self.ended_by = ended_by
        self._run = run
        self._begun_again: Any = None
        _define_axes(run)

    def log(self, metrics: Mapping[str, float], global_step: int) -> None:
        """Readings at an optimiser step, which is their x axis."""
        self._write(lambda run: run.log({**metrics, STEP: global_step}))

    def summarize(self, values: Mapping[str, float | int | str]) -> None:
        """Into the run's summary."""
        self._write(lambda run: run.summary.update(dict(values)))

    def attach(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """As a W&B table."""
        import wandb

        def write(run: Any) -> None:
            data = [list(row) for row in rows]
            run.log({name: wandb.Table(columns=list(columns), data=data, allow_mixed_types=True)})

        self._reach(write, write)

    def uses(self, artifact: TrackedArtifact) -> None:
        """As an input artifact; of an offline run, in its configuration until it is published."""
        self._reach(
            lambda run: run.use_artifact(
                as_wandb_artifact(artifact), aliases=[artifact.fingerprint]
            ),
            lambda run: _keep(run, USES, asdict(artifact)),
        )

    def makes(self, artifact: TrackedArtifact) -> None:
        """As an output artifact."""

        def write(run: Any) -> None:
            run.log_artifact(as_wandb_artifact(artifact), aliases=[artifact.fingerprint])

        self._reach(write, write)

    def register(self, artifact: TrackedArtifact, registry: str) -> None:
        """Into W&B's registry; of an offline run, in its configuration until it is published."""
        self._reach(
            lambda run: register_model(run, artifact, registry),
            lambda run: _keep(run, REGISTERS, {"model": asdict(artifact), "registry": registry}),
        )

    def publish(self, content: ReportContent, file: Path) -> str | None:
        """Keep the report as a file, and save it to the server where the run is online.

        The file also lies in an offline run's folder, which may be all that is left of a machine.
        """
        tracked = self.tracked()
        if tracked is None:
            return None
        runs = (*content.runs, tracked)
        content = replace(content, runs=runs)
        keep_report(content, file, entity=self._run.entity or None, project=tracked.project)
        if tracked.offline_folder is None:
            return self._published(file)
        shutil.copyfile(file, Path(tracked.offline_folder) / WANDB_REPORT_FILE)
        return None

    def _published(self, file: Path) -> str | None:
        fault = fault_of_server(server())
        try:
            if fault is None:
                return publish_report(file)
        except TrackingError as error:
            fault = str(error)
        # The report is kept: a pipeline is not to fail for it.
        again = f"zenml-ftvr publish {shlex.quote(str(file.parent))}"
        logger.warning("%s The report is in %s; publish it later with: %s", fault, file, again)
        return None

    def tracked(self) -> TrackedRun | None:
        """An online run's link, or an offline run's folder; None for a disabled run."""
        if self._run.disabled:
            return None
        return TrackedRun(
            run_id=self._run.id,
            name=self._run.name or self._run.id,
            project=self._run.project or "",
            url=None if self._run.offline else self._run.url,
            offline_folder=offline_folder(self._run),
        )

    def _reach(self, online: Action, offline: Action) -> None:
        """Do what asks the server, or its counterpart where there is none to ask.

        A server that has died since the run began is asked first: W&B's client would wait, and then
        raise, at the end of a training.
        """
        if self._run.disabled:
            return
        if not self._run.offline:
            fault = fault_of_server(server())
            if fault is None:
                try:
                    self._write(online)
                    return
                except Exception as error:  # W&B raises what its server comes up with
                    fault = f"W&B took no more of '{self._run.name}' ({type(error).__name__})"
            self._go_offline(fault)
        self._write(offline)

    def _go_offline(self, fault: str) -> None:
        """Go on in an offline run of the same id, which follows the online one when uploaded."""
        dead = self._run
        is_of_tracker = is_trackers(dead)
        finish_run(dead, exit_code=0)
        self._run = start_run(_arguments_of(dead), "offline")
        warn_kept(fault, f"wandb sync {shlex.quote(str(offline_folder(self._run)))}")
        _define_axes(self._run)
        if is_of_tracker:
            enter_step_run(self._run)  # which ends it
        else:
            self._begun_again = self._run

    def end(self, exit_code: int) -> None:
        """Finish the run if this began it again."""
        if self._begun_again is not None:
            finish_run(self._begun_again, exit_code)

    def _write(self, action: Action) -> None:
        """Do it; where another step has ended the run that both were given, in the same run again.

        ZenML's own tracker gives one run to steps that run beside one another, and ends it with
        the first of them.
        """
        import wandb

        try:
            action(self._run)
            return
        except wandb.errors.UsageError:
            if self.ended_by != "another" or self._begun_again is not None:
                raise
        self._run = self._begun_again = start_run(_arguments_of(self._run), _mode_of(self._run))
        action(self._run)


def _define_axes(run: Any) -> None:
    run.define_metric(STEP, hidden=True)
    for name in ("train/*", "eval/*"):
        run.define_metric(name, step_metric=STEP)


def _keep(run: Any, name: str, value: Mapping[str, Any]) -> None:
    held = run.config.get(PREFIX)
    ours = dict(held) if isinstance(held, Mapping) else {}
    ours[name] = [*ours.get(name, ()), dict(value)]
    run.config.update({PREFIX: ours}, allow_val_change=True)


def _arguments_of(run: Any) -> dict[str, Any]:
    """To begin a run again that has been ended."""
    return {
        "project": run.project,
        "entity": run.entity or None,
        "id": run.id,
        "resume": "allow",
        "name": run.name,
        "group": run.group or None,
        "job_type": run.job_type or None,
        "tags": list(run.tags or ()),
        "config": {name: value for name, value in run.config.items() if name != "_wandb"},
        "settings": QUIET,
    }


@contextmanager
def open_wandb_run(settings: TrackingSettings, description: RunDescription) -> Iterator[RunTracker]:
    """Use the run that is open for this step, or open one and finish it."""
    try:
        import wandb  # noqa: F401
    except ImportError as error:
        raise TrackingError(
            "wandb is not installed. pip install wandb, or set tracking: {mode: disabled}."
        ) from error
    with claimed_run(description.continues) as open_already:
        if open_already is not None:
            yield from _borrowed(open_already, description)
            return
        beside = run_of_another()
        if beside is None:
            arguments = _arguments(description, settings.project, settings.entity)
            yield from _owned(arguments, settings.mode, description.continues)
        else:
            arguments = _arguments(description, beside.project, beside.entity or None)
            yield from _owned(arguments, _mode_of(beside), description.continues)


def _mode_of(run: Any) -> TrackingMode:
    if run.disabled:
        return "disabled"
    return "offline" if run.offline else "online"


def _borrowed(run: Any, description: RunDescription) -> Iterator[RunTracker]:
    run.config.update({PREFIX: dict(description.config)}, allow_val_change=True)
    run.tags = tuple(dict.fromkeys((*(run.tags or ()), *_tags(description))))
    ours = _WandbRun(run, "tracker" if is_trackers(run) else "another")
    try:
        yield ours
    except BaseException:
        ours.end(exit_code=1)
        raise
    ours.end(exit_code=0)


def _owned(
    arguments: Mapping[str, Any], wanted: TrackingMode, continues: TrackedRun | None
) -> Iterator[RunTracker]:
    run = start_run(arguments, wanted, continues)
    if run.disabled:
        finish_run(run, exit_code=0)
        yield NoTracker()
        return
    ours = _WandbRun(run, "block")
    try:
        yield ours
    except BaseException:
        ours.end(exit_code=1)
        finish_run(run, exit_code=1)
        raise
    ours.end(exit_code=0)
    finish_run(run, exit_code=0)


def _arguments(description: RunDescription, project: str, entity: str | None) -> dict[str, Any]:
    return {
        "project": project,
        "entity": entity,
        "name": description.name,
        "group": description.group,
        "job_type": description.job_type,
        "tags": _tags(description),
        "config": {PREFIX: dict(description.config)},
        "id": description.run_id,
        "resume": None if description.run_id is None else "allow",
        "settings": QUIET,
    }


def _tags(description: RunDescription) -> list[str]:
    return [tag[:TAG_LENGTH] for tag in description.tags]
