"""All that knows Weights & Biases."""

from zenml_ftvr.tracking.wandb.copies import note_staging, portable_staging, staged_since
from zenml_ftvr.tracking.wandb.publish import publish_kept
from zenml_ftvr.tracking.wandb.run import open_wandb_run
from zenml_ftvr.tracking.wandb.start import (
    await_training,
    enter_step_run,
    finish_run,
    leave_step_run,
    offline_folder,
    run_of_step,
    start_run,
    wait_until_written,
)

__all__ = [
    "await_training",
    "enter_step_run",
    "finish_run",
    "leave_step_run",
    "note_staging",
    "offline_folder",
    "open_wandb_run",
    "portable_staging",
    "publish_kept",
    "run_of_step",
    "staged_since",
    "start_run",
    "wait_until_written",
]
