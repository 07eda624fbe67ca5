"""How the trainings went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Details, Heading, Paragraph, Table
from zenml_ftvr.report.charts import Series, drawn, line_chart
from zenml_ftvr.values import LOWER_IS_BETTER, TrainedModel, metric_of, metrics_of

__all__ = ["curves"]

READINGS_SHOWN = 20  # rows of the table of a curve's numbers: a judgement


def curves(models: Sequence[TrainedModel]) -> Blocks:
    """Loss and validation scores over the steps, of every model that took some."""
    return tuple(block for model in models if model.steps_done for block in _curves_of(model))


def _curves_of(model: TrainedModel) -> Blocks:
    ended = (
        "stopped by the clock, at the end of the budget."
        if model.stopped_by == "budget"
        else "all that the plan foresaw."
    )
    return (
        Heading(w.approach_name(model.kind)),
        Paragraph(
            f"{w.count(model.steps_done)} steps in {w.duration(model.seconds)}; {ended} The "
            f"weights with the best validation score are kept.",
            "small",
        ),
        *_chart_of(model, "Loss", {"train/loss": "training", "eval/loss": "validation"}),
        *_chart_of(model, "Validation scores", _shown_scores(model)),
        *_readings(model),
    )


def _readings(model: TrainedModel) -> Blocks:
    """The numbers of the curves; of very many, those with a validation score first."""
    names = {"train/loss": "Training loss", "eval/loss": "Validation loss"}
    names |= {name: words[:1].upper() + words[1:] for name, words in _shown_scores(model).items()}
    at: dict[int, dict[str, float]] = {}
    for point in model.curve:
        if point.metric in names and math.isfinite(point.value):
            at.setdefault(point.step, {})[point.metric] = point.value
    shown = [name for name in names if any(name in readings for readings in at.values())]
    if not shown:
        return ()
    kept = _spread([step for step in at if any(one != "train/loss" for one in at[step])])
    if len(kept) < READINGS_SHOWN:  # those with a validation score tell most
        others = [step for step in at if step not in kept]
        kept = sorted({*kept, *_spread(others, READINGS_SHOWN - len(kept))})
    table = Table(
        header=("Step", *(names[name] for name in shown)),
        rows=tuple(
            (
                w.count(step),
                *(w.number(at[step][name]) if name in at[step] else w.NOTHING for name in shown),
            )
            for step in kept
        ),
        numeric=frozenset(range(len(shown) + 1)),
    )
    return (Details("The numbers of these curves", (table,)),)


def _spread(steps: Sequence[int], most: int = READINGS_SHOWN) -> list[int]:
    """At most so many steps, evenly spaced, the last one among them."""
    ordered = sorted(steps)
    every = -(-len(ordered) // most)
    return [step for place, step in enumerate(reversed(ordered)) if place % every == 0][::-1]


def _shown_scores(model: TrainedModel) -> dict[str, str]:
    """The scores of a curve that share one scale, 0 to 1; the task's own metric where none does."""
    measured = {point.metric for point in model.curve}
    own = metric_of(model.plan.task)
    shown = [metric for metric in metrics_of(model.plan.task) if metric not in LOWER_IS_BETTER]
    if own in LOWER_IS_BETTER:
        shown = [own]
    return {f"eval/{one}": w.metric_words(one) for one in shown if f"eval/{one}" in measured}


def _chart_of(model: TrainedModel, title: str, names: Mapping[str, str]) -> Blocks:
    series = [
        Series(
            shown,
            tuple((point.step, point.value) for point in model.curve if point.metric == metric),
        )
        for metric, shown in names.items()
    ]
    whole = f"{title}, {w.approach_name(model.kind)}"
    is_lower = any(metric.removeprefix("eval/") in LOWER_IS_BETTER for metric in names)
    axis = f"{title} by step{', lower is better' if is_lower else ''}"
    return drawn(lambda width: line_chart(whole, series, axis, width))
