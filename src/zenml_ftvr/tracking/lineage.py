"""What a training was given and what came out of it, as lineage shows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from zenml_ftvr.tracking.run import TrackedArtifact
from zenml_ftvr.values import TrainedModel

__all__ = ["data_artifact", "model_artifact"]


def data_artifact(experiment: str, fingerprint: str, rows: Mapping[str, int]) -> TrackedArtifact:
    """The data set by its fingerprint and the number of rows of each split; none of its rows."""
    return TrackedArtifact(
        name=f"{experiment}-data",
        kind="dataset",
        fingerprint=fingerprint[:16],
        metadata={"fingerprint": fingerprint, "rows": dict(rows)},
    )


def model_artifact(experiment: str, model: TrainedModel) -> TrackedArtifact:
    """A model by its plan and how it came about; none of its weights."""
    base = model.plan.model
    return TrackedArtifact(
        name=f"{experiment}-{model.kind}",
        kind="model",
        fingerprint=model.plan.fingerprint,
        metadata={
            "approach": model.kind,
            "task": model.plan.task.kind,
            "base_model": None if base is None else base.name,
            "data_fingerprint": model.plan.data_fingerprint,
            "parameters": model.n_params,
            "trained_parameters": model.n_trainable,
            "bytes": model.n_bytes,
            "stopped_by": model.stopped_by,
        },
    )
