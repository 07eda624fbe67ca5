"""All that knows Weights & Biases."""

from zenml_ftvr.tracking.wandb.mode import is_reachable, offline_folder, resolved_mode
from zenml_ftvr.tracking.wandb.run import open_wandb_run

__all__ = ["is_reachable", "offline_folder", "open_wandb_run", "resolved_mode"]
