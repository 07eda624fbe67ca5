"""A scikit-learn estimator in a file, through skops: no pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zenml_ftvr.errors import ModelError

__all__ = ["BASELINE_FILE", "read_estimator", "write_estimator"]

BASELINE_FILE = "baseline.skops"


def write_estimator(estimator: Any, folder: Path) -> None:
    """Write it as `baseline.skops`."""
    import skops.io

    skops.io.dump(estimator, folder / BASELINE_FILE)


def read_estimator(folder: Path) -> Any:
    """Read it; types that skops does not know to be harmless are refused."""
    import skops.io

    path = folder / BASELINE_FILE
    if unknown := skops.io.get_untrusted_types(file=path):
        raise ModelError(
            f"{path} holds types that are not part of a baseline: {', '.join(unknown)}. "
            f"It was not loaded; train the model again."
        )
    return skops.io.load(path)
