"""The tracker behind `ftvr_wandb`."""

import importlib.metadata
import os
import shlex
from typing import TYPE_CHECKING, Any, cast

import wandb
from zenml.integrations.wandb.experiment_trackers import WandbExperimentTracker
from zenml.integrations.wandb.experiment_trackers.run_initialization import (
    build_wandb_initialization,
)
from zenml.metadata.metadata_types import MetadataType

from zenml_ftvr.stack.flavors import WandbTrackerConfig, WandbTrackerSettings
from zenml_ftvr.tracking.wandb import offline_folder, resolved_mode

if TYPE_CHECKING:
    from zenml.config.step_run_info import StepRunInfo

__all__ = ["WandbTracker"]

API_KEY = "WANDB_API_KEY"
TRAINING_STEPS = (
    "finetune_contrastive",
    "finetune_full",
    "finetune_head",
    "finetune_lora",
    "finetune_partial",
    "train_baseline",
    "train_from_scratch",
)


class WandbTracker(WandbExperimentTracker):
    """Opens a run for a step, online where it can be, else offline; the key is optional."""

    _own_key: str | None = None

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
        self._own_key = os.environ.get(API_KEY)
        try:
            self._open(info)
        except BaseException:  # ZenML cleans up only what was prepared
            self._put_own_key_back()
            raise

    def _open(self, info: "StepRunInfo") -> None:
        settings = cast(WandbTrackerSettings, self.get_settings(info))
        if self.config.api_key:
            os.environ[API_KEY] = self.config.api_key
        arguments: dict[str, Any] = build_wandb_initialization(
            config=self.config, settings=settings, info=info
        )
        is_training = info.pipeline_step_name in TRAINING_STEPS
        arguments.setdefault("job_type", "train" if is_training else info.pipeline_step_name)
        arguments["mode"] = resolved_mode(settings.mode)
        self._initialize_wandb(info=info, **arguments)

    def get_step_run_metadata(self, info: "StepRunInfo") -> dict[str, MetadataType]:
        """As ZenML's own for an online run; an offline run has a folder, and no link is made up."""
        run = wandb.run
        if run is None or run.disabled:
            return {}
        if not run.offline:
            return super().get_step_run_metadata(info)
        folder = str(offline_folder(run))
        return {
            "wandb_run_name": run.name or run.id,
            "wandb_run_id": run.id,
            "wandb_project": run.project,
            "wandb_group": run.group,
            "wandb_job_type": run.job_type or "",
            "wandb_offline_folder": folder,
            "wandb_sync_command": f"wandb sync {shlex.quote(folder)}",
        }

    def cleanup_step_run(self, info: "StepRunInfo", step_failed: bool) -> None:
        """Finish the run; the user's own key is put back."""
        try:
            super().cleanup_step_run(info, step_failed)
        finally:
            self._put_own_key_back()

    def _put_own_key_back(self) -> None:
        if self._own_key is None:
            os.environ.pop(API_KEY, None)
        else:
            os.environ[API_KEY] = self._own_key
