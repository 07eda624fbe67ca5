"""The tracker behind `ftvr_wandb`."""

import importlib.metadata
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from zenml.integrations.wandb.experiment_trackers import WandbExperimentTracker
from zenml.integrations.wandb.experiment_trackers.run_initialization import (
    build_wandb_initialization,
)
from zenml.metadata.metadata_types import MetadataType

from zenml_ftvr.stack.copies import OfflineCopy, active_store, copy_of, prepare_copies
from zenml_ftvr.stack.flavors import WandbTrackerConfig, WandbTrackerSettings
from zenml_ftvr.stack.step_run import metadata_of
from zenml_ftvr.tracking.wandb import (
    await_training,
    enter_step_run,
    finish_run,
    leave_step_run,
    offline_folder,
    run_of_step,
    start_run,
)
from zenml_ftvr.values import TrackedRun

if TYPE_CHECKING:
    from zenml.artifact_stores import BaseArtifactStore
    from zenml.config.step_run_info import StepRunInfo

__all__ = ["JOB_TYPES", "WandbTracker"]

API_KEY = "WANDB_API_KEY"
TRAINING = "zenml_ftvr.steps.train"  # the module of the steps that begin their runs themselves
JOB_TYPES = {
    "load_data": "data",
    "profile_data": "data",
    "calibrate": "pilot",
    "run_pilots": "pilot",
    "recommend_approach": "decide",
    "plan_comparison": "decide",
    "with_seed": "decide",
    "finetune_contrastive": "train",
    "finetune_full": "train",
    "finetune_head": "train",
    "finetune_lora": "train",
    "finetune_partial": "train",
    "train_baseline": "train",
    "train_from_scratch": "train",
    "evaluate_model": "eval",
    "compare_models": "eval",
    "predict": "eval",
    "record_outcome": "report",
    "publish_report": "report",
}
"""What our steps do; another's step is what it is called."""


class _KeyInEnvironment:
    """The component's key is where W&B looks for it while any step of this process runs; then the
    user's own is again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: set[UUID] = set()
        self._own: str | None = None

    def enter(self, step: UUID, key: str | None) -> None:
        with self._lock:
            if not self._steps:
                self._own = os.environ.get(API_KEY)
            self._steps.add(step)
            if key:
                os.environ[API_KEY] = key

    def leave(self, step: UUID) -> None:
        with self._lock:
            if step not in self._steps:
                return
            self._steps.discard(step)
            if self._steps:
                return
            if self._own is None:
                os.environ.pop(API_KEY, None)
            else:
                os.environ[API_KEY] = self._own
            self._own = None


_key = _KeyInEnvironment()
_copies: dict[UUID, OfflineCopy] = {}


class WandbTracker(WandbExperimentTracker):
    """Opens a run for a step, online where it can be, else offline; the key is optional.

    Steps that run beside one another in a process have a run each. `wandb.run` and `wandb.log` know
    only the first of them: that is W&B's limit, and this package's own steps do not use them.
    """

    @property
    def config(self) -> WandbTrackerConfig:
        """What was registered."""
        return cast(WandbTrackerConfig, self._config)

    @property
    def settings_class(self) -> type[WandbTrackerSettings]:
        """What can be set for each step."""
        return WandbTrackerSettings

    @property
    def requirements(self) -> set[str]:
        """What a remote image needs, at the versions that are here."""
        return {f"{name}=={importlib.metadata.version(name)}" for name in ("zenml-ftvr", "wandb")}

    def prepare_step_run(self, info: "StepRunInfo") -> None:
        """Open the run."""
        _key.enter(info.step_run_id, self.config.api_key)
        try:
            self._open(info)
        except BaseException:  # ZenML cleans up only what was prepared
            _key.leave(info.step_run_id)
            raise

    def _open(self, info: "StepRunInfo") -> None:
        settings = cast(WandbTrackerSettings, self.get_settings(info))
        arguments: dict[str, Any] = build_wandb_initialization(
            config=self.config, settings=settings, info=info
        )
        step = re.sub(r"_\d+$", "", info.pipeline_step_name)  # which repeated ones end with
        arguments.setdefault("job_type", JOB_TYPES.get(step, step))
        arguments["group"] = settings.group or info.pipeline.name
        store = None if settings.mode == "disabled" else active_store()
        prepare_copies(store)

        def begin(continues: TrackedRun | None) -> None:
            run = start_run(arguments, settings.mode, continues)
            enter_step_run(run)
            self._begin_copy(info, run, store)
            if settings.enable_weave and not run.offline and not run.disabled:
                import weave

                weave.init(project_name=run.project)

        if info.spec.source.module == TRAINING and settings.run_id is None:
            await_training(begin)
        else:
            begin(None)

    def _begin_copy(self, info: "StepRunInfo", run: Any, store: "BaseArtifactStore | None") -> None:
        folder = offline_folder(run)
        uri = copy_of(folder, store)
        if folder is not None and uri is not None and store is not None:
            _copies[info.step_run_id] = OfflineCopy(Path(folder), uri, store)

    def _end_copies(self, info: "StepRunInfo", run: Any) -> None:
        copy = _copies.pop(info.step_run_id, None)
        if copy is not None:
            copy.end()
        elif run is not None and run.offline:  # it began online, and its server has died
            self._begin_copy(info, run, active_store())
            late = _copies.pop(info.step_run_id, None)
            if late is not None:
                late.end()

    def get_step_run_metadata(self, info: "StepRunInfo") -> dict[str, MetadataType]:
        """A link for an online run, folder and command for an offline one; nothing is made up."""
        run = run_of_step()
        if run is None or run.disabled:
            return {}
        folder = offline_folder(run)
        tracked = TrackedRun(
            run_id=run.id,
            name=run.name or run.id,
            project=run.project or "",
            url=None if run.offline else run.url,
            offline_folder=folder,
            offline_copy=copy_of(folder, active_store()) if run.offline else None,
        )
        shown: dict[str, MetadataType] = {
            **metadata_of(tracked),
            "wandb_group": run.group or "",
            "wandb_job_type": run.job_type or "",
        }
        if not run.offline and run.entity:
            shown["wandb_entity"] = run.entity
        return shown

    def cleanup_step_run(self, info: "StepRunInfo", step_failed: bool) -> None:
        """Finish the run; the user's own key is put back."""
        run = run_of_step()
        try:
            if run is not None:
                finish_run(run, exit_code=1 if step_failed else 0)
        finally:
            leave_step_run()
            _key.leave(info.step_run_id)
            self._end_copies(info, run)
