"""Begin and end a W&B run so that nothing is lost, whatever becomes of the server."""

from __future__ import annotations

import logging
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from weakref import WeakSet

from zenml_ftvr.tracking.wandb.mode import Mode, resolved_mode
from zenml_ftvr.values import TrackedRun, TrackingMode

__all__ = [
    "await_training",
    "claimed_run",
    "enter_step_run",
    "finish_run",
    "is_trackers",
    "leave_step_run",
    "offline_folder",
    "run_of_another",
    "run_of_step",
    "start_run",
    "wait_until_written",
    "warn_kept",
]

INIT_SECONDS = 30.0
"""The server has just answered, so that W&B's own 90 s would be spent on one that has died."""
FINISH_SECONDS = 30.0
"""For what is left to upload at a run's end: kilobytes of readings and tables. W&B's own default is
to wait forever. A judgement; `settings: {finish_timeout: ...}` of the tracker overrides it."""
QUIET_SECONDS = 0.5
"""A file that has not grown for so long is whole: measured, its end comes within 0.02 s."""
WRITTEN_SECONDS = 10.0  # waited for that at most; a judgement
LIMITS = {
    "init_timeout": INIT_SECONDS,
    "finish_timeout": FINISH_SECONDS,
    "finish_timeout_raises": True,
}

logger = logging.getLogger(__name__)
Begin = Callable[[TrackedRun | None], None]

# W&B knows one run a process, `wandb.run`. Steps may run beside one another in threads, each with a
# context of its own, so that which run is whose is kept here.
_step_run: ContextVar[Any] = ContextVar("zenml_ftvr_wandb_run", default=None)
_awaited: ContextVar[Begin | None] = ContextVar("zenml_ftvr_wandb_awaited", default=None)
"""Begins the run of a step whose training has yet to say which one it goes on in."""
_starting = threading.Lock()
_started: set[str] = set()
"""Ids of runs that are open and were begun here: each belongs to one step or training."""
_claimed: WeakSet[Any] = WeakSet()
"""Runs that a training writes into; one that was not begun here stays with its first training."""


def start_run(
    arguments: Mapping[str, Any], wanted: TrackingMode, continues: TrackedRun | None = None
) -> Any:
    """A `wandb.Run` by these arguments of `wandb.init`, online or offline as `wanted` comes to.

    It goes on in the run that it `continues`, where it can. What was to be online and cannot be is
    offline, with a warning that holds the command to upload it. Where the process has a run
    already, this is another beside it.
    """
    import wandb

    resolved = resolved_mode(wanted)
    mode, fault = resolved.mode, resolved.fault
    if continues is not None and _can_go_on(continues, arguments["project"], mode):
        arguments = {**arguments, "id": continues.run_id, "resume": "allow"}
    with _starting:
        settings = {**LIMITS, **arguments.get("settings", {})}
        if wandb.run is not None:
            settings["reinit"] = "create_new"
        run = None
        if mode == "online":
            try:
                run = _init(arguments, settings, mode)
            except (wandb.errors.Error, TimeoutError) as error:
                # Not its text: that is the server's.
                mode, fault = "offline", f"W&B let no run begin ({type(error).__name__})"
        if run is None:
            run = _init(arguments, settings, mode)
        _started.add(run.id)
    if fault is not None:
        warn_kept(fault, f"wandb sync {shlex.quote(str(offline_folder(run)))}")
    return run


def _can_go_on(earlier: TrackedRun, project: str | None, mode: Mode) -> bool:
    """Readings that wait offline for their upload are not to come after those of an online run."""
    return earlier.project == project and (earlier.url is not None or mode == "offline")


def _init(arguments: Mapping[str, Any], settings: Mapping[str, Any], mode: Mode) -> Any:
    import wandb

    return wandb.init(**{**arguments, "settings": wandb.Settings(**settings), "mode": mode})


def finish_run(run: Any, exit_code: int) -> None:
    """End a run; where the server has died meanwhile, after a limit and with a warning."""
    folder = str(Path(run.dir).parent)
    try:
        run.finish(exit_code=exit_code)
    except TimeoutError:
        warn_kept(
            f"W&B did not take all of '{run.name}' in time",
            f"wandb sync --include-online {shlex.quote(folder)}",
        )
    finally:
        _started.discard(run.id)


def wait_until_written(folder: Path) -> None:
    """Return when W&B has written the end of a run that was finished: it does so a little later."""
    [file] = folder.glob("run-*.wandb")
    deadline = time.monotonic() + WRITTEN_SECONDS
    size, since = -1, time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < QUIET_SECONDS:
        if (now := file.stat().st_size) != size:
            size, since = now, time.monotonic()
        time.sleep(QUIET_SECONDS / 10)


def warn_kept(fault: str, command: str) -> None:
    """Say what is wrong with the server, and what uploads the run later."""
    logger.warning("%s; the run is kept on this machine. Upload it later with: %s", fault, command)


def offline_folder(run: Any) -> str | None:
    """The folder that `wandb sync` takes; None for an online run."""
    return str(Path(run.dir).parent) if run.offline else None


def enter_step_run(run: Any) -> None:
    """Make `run` the one of the step that runs in this context."""
    _step_run.set(run)


def await_training(begin: Begin) -> None:
    """Let the training of the step in this context begin its run: `begin` enters it.

    Only the training knows its plan, and so the run of an attempt at it that was broken off.
    """
    _awaited.set(begin)


def leave_step_run() -> None:
    """The step in this context has no run any more."""
    _awaited.set(None)
    _step_run.set(None)


def run_of_step() -> Any:
    """The run of the step in this context, else the process's, else None.

    A step whose training has yet to begin its run has none, whatever the process has.
    """
    import wandb

    return None if _awaited.get() else _step_run.get() or wandb.run


def is_trackers(run: Any) -> bool:
    """Whether our own tracker opened `run` for the step in this context."""
    return _step_run.get() is run


def run_of_another() -> Any:
    """The process's run if it was not begun here, else None."""
    import wandb

    return None if wandb.run is None or wandb.run.id in _started else wandb.run


@contextmanager
def claimed_run(continues: TrackedRun | None) -> Iterator[Any]:
    """The open run that a training may write into, for as long as the block runs; else None.

    One that the stack's tracker has left to it is begun, going on in the run that it `continues`
    where it can. Otherwise it is that of the step in this context, or one that was not begun here.
    A run takes one training at a time, and one that was not begun here only one: ZenML's own
    tracker gives the same to steps that run beside one another, until the first of them has ended.
    """
    if (begin := _awaited.get()) is not None:
        begin(continues)
        _awaited.set(None)
    run = _step_run.get() or run_of_another()
    with _starting:
        if run is not None and run in _claimed:
            run = None
        elif run is not None:
            _claimed.add(run)
    try:
        yield run
    finally:
        if run is not None and is_trackers(run):
            _claimed.discard(run)
