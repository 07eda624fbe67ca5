"""Times and metrics as people read them, in errors, reasons and reports alike."""

from __future__ import annotations

import math
from typing import assert_never

from zenml_ftvr.values.task import Metric

__all__ = ["duration", "metric_words"]


def duration(seconds: float | None) -> str:
    """0.3 s, 41 s, 3.2 min, 1.4 h; a dash for what is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def metric_words(metric: Metric) -> str:
    """A metric's name within a sentence."""
    match metric:
        case "accuracy":
            return "accuracy"
        case "macro_f1":
            return "macro-F1"
        case _:
            assert_never(metric)
