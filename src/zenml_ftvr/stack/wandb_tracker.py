"""The tracker behind `ftvr_wandb`."""

import importlib.metadata
import os
from typing import TYPE_CHECKING, Any, cast

import wandb
from zenml.constants import METADATA_EXPERIMENT_TRACKER_URL
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
    "finetune_full",
    "finetune_head",
    "finetune_lora",
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
        settings = cast(WandbTrackerSettings, self.get_settings(info))
        self._own_key = os.environ.get(API_KEY)
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
        """As ZenML's own, but an offline run has a folder and no link."""
        metadata = super().get_step_run_metadata(info)
        run = wandb.run
        if run is not None and run.url is not None:
            return metadata
        for name in (METADATA_EXPERIMENT_TRACKER_URL, "wandb_url"):
            metadata.pop(name, None)
        folder = None if run is None or run.disabled else offline_folder(run)
        if folder is not None:
            metadata["wandb_offline_folder"] = folder
            metadata["wandb_sync_command"] = f"wandb sync {folder}"
        return metadata

    def cleanup_step_run(self, info: "StepRunInfo", step_failed: bool) -> None:
        """Finish the run; the user's own key is put back."""
        try:
            super().cleanup_step_run(info, step_failed)
        finally:
            if self._own_key is None:
                os.environ.pop(API_KEY, None)
            else:
                os.environ[API_KEY] = self._own_key
