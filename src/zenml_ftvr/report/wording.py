"""Numbers and names as people read them; everything of the user's is escaped here."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence

from zenml_ftvr.approaches import baseline_words, describe
from zenml_ftvr.values import (
    LOWER_IS_BETTER,
    Allowance,
    CostEstimate,
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
    "axis_name",
    "count",
    "cut",
    "difference_text",
    "directions",
    "dollars",
    "duration",
    "escape",
    "gib",
    "hours_text",
    "lower_is_better",
    "memory_text",
    "metric_name",
    "metric_words",
    "milliseconds",
    "number",
    "p_value",
    "score_text",
    "size",
    "times",
    "usd_text",
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
    return words if metric == "chrf" else words[0].upper() + words[1:]


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
    if 0 < usd < 0.00005:
        return "< $0.0001"
    return f"${usd:.4f}" if usd < 0.1 else f"${usd:,.2f}"


def gib(value: float) -> str:
    """Memory."""
    return f"{value * 1024:.0f} MiB" if value < 1 else f"{value:.1f} GiB"


def hours_text(cost: CostEstimate | None) -> str:
    """The time that an arm takes, with its limits."""
    if cost is None:
        return NOTHING
    limits = None if cost.limits is None else cost.limits.hours
    return _with_limits(cost.hours, limits, lambda hours: duration(hours * 3600))


def usd_text(cost: CostEstimate | None) -> str:
    """The dollars that an arm takes, with their limits; a dash without a price."""
    if cost is None or cost.usd is None:
        return NOTHING
    return _with_limits(cost.usd, None if cost.limits is None else cost.limits.usd, dollars)


def memory_text(cost: CostEstimate | None) -> str:
    """The memory that an arm takes, with its limits."""
    if cost is None:
        return NOTHING
    limits = None if cost.limits is None else cost.limits.peak_memory_gib
    return _with_limits(cost.peak_memory_gib, limits, gib)


def _with_limits(
    value: float, limits: tuple[float, float] | None, shown: Callable[[float], str]
) -> str:
    if limits is None:
        return shown(value)
    low, high = (shown(limit) for limit in limits)
    if low == high == shown(value):  # as far as so many digits tell
        return low
    number, _, unit = low.partition(" ")
    if unit and unit == high.partition(" ")[2]:  # told once
        low = number
    return f"{shown(value)} [{low}, {high}]"


def milliseconds(value: float) -> str:
    """A latency."""
    if not math.isfinite(value):
        return NOTHING
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def p_value(value: float) -> str:
    """A p-value; very small ones are not spelled out."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def times(ratio: float) -> str:
    """How many times as much."""
    return f"{ratio:,.0f} times" if ratio >= 9.5 else f"{ratio:.1f} times"


def lower_is_better(metric: Metric) -> bool:
    """Whether less of a metric is better."""
    return metric in LOWER_IS_BETTER


def axis_name(metric: Metric) -> str:
    """As a chart's scale calls it, with which end is the good one where that is the low one."""
    return f"{metric_words(metric)}{', lower is better' if lower_is_better(metric) else ''}"


def directions(metrics: Sequence[Metric]) -> str:
    """Which of these metrics are better where they are lower; nothing where none is."""
    lower = [metric_words(metric) for metric in metrics if lower_is_better(metric)]
    if not lower:
        return ""
    listed = " and ".join(lower)
    return f"Of {listed}, lower is better."


def cut(text: str, most: int) -> str:
    """The beginning of a text, with a sign where more of it is left out."""
    return text if len(text) <= most else text[:most] + "…"


def size(n_bytes: float) -> str:
    """A file's or folder's size."""
    if n_bytes < 1e5:
        return f"{n_bytes / 1e3:.1f} kB"
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:.2f} GB"


def count(value: int) -> str:
    """A whole number, its thousands apart."""
    return f"{value:,}"
