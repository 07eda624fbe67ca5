"""Where runs are recorded. Only the package `wandb` in here knows W&B."""

from zenml_ftvr.tracking.contents import (
    ReportContent,
    Table,
    curves_table,
    differences_table,
    evidence_table,
    final_measures,
    final_scores,
    ranking_table,
    report_content,
    scores_table,
)
from zenml_ftvr.tracking.lineage import data_artifact, model_artifact
from zenml_ftvr.tracking.run import (
    WANDB_REPORT_FILE,
    NoTracker,
    RunDescription,
    RunTracker,
    TrackedArtifact,
    open_run,
)

__all__ = [
    "WANDB_REPORT_FILE",
    "NoTracker",
    "ReportContent",
    "RunDescription",
    "RunTracker",
    "Table",
    "TrackedArtifact",
    "curves_table",
    "data_artifact",
    "differences_table",
    "evidence_table",
    "final_measures",
    "final_scores",
    "model_artifact",
    "open_run",
    "ranking_table",
    "report_content",
    "scores_table",
]
