"""One W&B run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from zenml_ftvr.errors import TrackingError
from zenml_ftvr.tracking.run import Cell, NoTracker, RunDescription, RunTracker
from zenml_ftvr.tracking.wandb.mode import offline_folder, resolved_mode
from zenml_ftvr.values import TrackedRun, TrackingSettings

__all__ = ["open_wandb_run"]

PREFIX = "ftvr"  # of our configuration: other integrations write into the same one
STEP = "train/global_step"


class _WandbRun:
    """Writes into a `wandb.Run`."""

    def __init__(self, run: Any) -> None:
        self._run = run
        run.define_metric(STEP, hidden=True)
        for name in ("train/*", "eval/*"):
            run.define_metric(name, step_metric=STEP)

    def log(self, metrics: Mapping[str, float], global_step: int) -> None:
        """Readings at an optimiser step, which is their x axis."""
        self._run.log({**metrics, STEP: global_step})

    def summarize(self, values: Mapping[str, float | int | str]) -> None:
        """Into the run's summary."""
        self._run.summary.update(dict(values))

    def attach(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """As a W&B table."""
        import wandb

        self._run.log({name: wandb.Table(columns=list(columns), data=[list(row) for row in rows])})

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


@contextmanager
def open_wandb_run(settings: TrackingSettings, description: RunDescription) -> Iterator[RunTracker]:
    """Use the run that is open in this process, or open one and finish it."""
    try:
        import wandb
    except ImportError as error:
        raise TrackingError(
            "wandb is not installed. pip install wandb, or set tracking: {mode: disabled}."
        ) from error
    if wandb.run is not None:
        wandb.run.config.update({PREFIX: dict(description.config)}, allow_val_change=True)
        wandb.run.tags = tuple(dict.fromkeys((*(wandb.run.tags or ()), *description.tags)))
        yield _WandbRun(wandb.run)
        return
    mode = resolved_mode(settings.mode)
    if mode == "disabled":
        yield NoTracker()
        return
    run = wandb.init(
        project=settings.project,
        entity=settings.entity,
        name=description.name,
        group=description.group,
        job_type=description.job_type,
        tags=list(description.tags),
        config={PREFIX: dict(description.config)},
        mode=mode,
        settings=wandb.Settings(silent=True, console="off", save_code=False, disable_git=True),
    )
    try:
        yield _WandbRun(run)
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()
