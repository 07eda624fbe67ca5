"""Times and metrics as people read them, in errors, reasons and reports alike."""

from __future__ import annotations

import math

from zenml_ftvr.values.task import Metric

__all__ = ["METRIC_WORDS", "duration", "metric_words"]

METRIC_WORDS: dict[Metric, str] = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "mcc": "Matthews' correlation",
    "roc_auc": "ROC-AUC",
    "subset_accuracy": "subset accuracy",
    "r2": "R2",
    "rmse": "RMSE",
    "entity_f1": "entity-F1",
    "token_accuracy": "token accuracy",
    "bits_per_byte": "bits per byte",
    "perplexity": "perplexity",
    "bleu": "BLEU",
    "chrf": "chrF",
    "rouge_l": "ROUGE-L",
    "exact_match": "exact match",
}


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
    return METRIC_WORDS[metric]
