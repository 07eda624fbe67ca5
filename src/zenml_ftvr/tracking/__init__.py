"""Where runs are recorded. Only the package `wandb` in here knows W&B."""

from zenml_ftvr.tracking.run import NoTracker, RunDescription, RunTracker, open_run

__all__ = ["NoTracker", "RunDescription", "RunTracker", "open_run"]
