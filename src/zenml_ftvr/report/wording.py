"""Numbers and names as people read them; everything of the user's is escaped here."""

from __future__ import annotations

import html
import math

from zenml_ftvr.approaches import baseline_words, describe
from zenml_ftvr.values import (
    Allowance,
    Kind,
    Metric,
    PairedDifference,
    Score,
    Task,
    TrainingPlan,
)
from zenml_ftvr.values.words import duration, metric_words

__all__ = [
    "APPROACH_NAMES",
    "NOTHING",
    "allowed_of_base",
    "approach_name",
    "count",
    "difference_text",
    "dollars",
    "duration",
    "escape",
    "gib",
    "metric_name",
    "metric_words",
    "number",
    "score_text",
    "size",
    "what_trains",
]

NOTHING = "–"  # where there is no number

APPROACH_NAMES: dict[Kind, str] = {
    "baseline": "Baseline",
    "head": "Head only",
    "contrastive": "Contrastive",
    "partial": "Last layers",
    "full": "Full fine-tuning",
    "lora": "LoRA",
    "scratch": "From scratch",
}


ALLOWED: dict[Allowance, str] = {
    "remote_code": "the base model's own Python files, which ran when it was loaded",
    "pickled_weights": "weights of the base model that are no safetensors",
}


def allowed_of_base(plan: TrainingPlan) -> list[str]:
    """What the user let the base model do that no other may; nothing where nothing was allowed."""
    return [ALLOWED[one] for one in plan.allow]


def escape(text: object) -> str:
    """For HTML text and attributes."""
    return html.escape(str(text), quote=True)


def approach_name(kind: Kind) -> str:
    """As a heading calls it."""
    return APPROACH_NAMES[kind]


def what_trains(kind: Kind, task: Task | None) -> str:
    """What is trained, in half a sentence; a task has a baseline of its own."""
    if kind == "baseline" and task is not None:
        return f"{baseline_words(task)}, no neural network"
    return describe(kind)


def metric_name(metric: Metric) -> str:
    """As a heading calls it."""
    words = metric_words(metric)
    return words[0].upper() + words[1:]


def number(value: float, digits: int = 3) -> str:
    """A score; a dash for what is no number."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def score_text(score: Score) -> str:
    """A score with its interval."""
    return f"{number(score.value)} [{number(score.low)}, {number(score.high)}]"


def difference_text(difference: PairedDifference) -> str:
    """A signed difference with its interval."""
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def dollars(usd: float | None) -> str:
    """$0.0042, $0.12, $3.40; a dash without a price."""
    if usd is None:
        return "–"
    return f"${usd:.4f}" if usd < 0.1 else f"${usd:,.2f}"


def gib(value: float) -> str:
    """Memory."""
    return f"{value * 1024:.0f} MiB" if value < 1 else f"{value:.1f} GiB"


def size(n_bytes: float) -> str:
    """A file's or folder's size."""
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:.2f} GB"


def count(value: int) -> str:
    """A whole number, its thousands apart."""
    return f"{value:,}"
