"""How far numbers are off, where the answer of a task is a number."""

from __future__ import annotations

import math

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Caption, Heading, Paragraph, Table
from zenml_ftvr.report.charts import drawn, scatter_chart
from zenml_ftvr.values import Evaluation, NumberErrors, NumberSample

__all__ = ["number_errors"]

TEXT_SHOWN = 160  # characters of a row, as of doubted labels


def number_errors(evaluation: Evaluation) -> Blocks:
    """Every model's errors, the chosen one's answers beside the truth, and the worst rows."""
    found = [
        (w.approach_name(model.kind), model.numbers)
        for model in evaluation.models
        if model.numbers is not None
    ]
    chosen = evaluation.model(evaluation.choice)
    if not found or chosen.numbers is None:
        return ()
    name, pairs = w.approach_name(chosen.kind), chosen.numbers.pairs
    title = f"What {name} answered beside the truth, on the test rows"
    some = ""
    if len(pairs) < evaluation.n_test:
        some = f" There are {w.count(len(pairs))} of the rows, evenly spaced by their truth."
    return (
        Heading("How far off"),
        Paragraph(
            f"In the unit of the numbers. Always answering with the mean of the training rows has "
            f"an RMSE of {_figure(found[0][1].rmse_of_mean)} and an R2 of about 0.",
            "small",
        ),
        Table(
            header=("Model", "Bias", "Median error", "90 % of errors below", "Largest error"),
            rows=tuple(_row(model, errors) for model, errors in found),
            numeric=frozenset({1, 2, 3, 4}),
            chosen=next((at for at, (model, _) in enumerate(found) if model == name), None),
        ),
        Paragraph(
            "Bias is the mean of answer minus truth: above 0, answers are too high on average. The "
            "errors beside it are without their sign.",
            "small",
        ),
        Caption(f"Dots on the dashed line are right; those above it were answered too high.{some}"),
        *drawn(lambda width: scatter_chart(title, pairs, ("truth", f"{name}'s answer"), width)),
        *_worst(chosen.numbers),
    )


def _row(model: str, errors: NumberErrors) -> tuple[str, ...]:
    return (
        model,
        f"{'+' if errors.bias > 0 else ''}{_figure(errors.bias)}",
        _figure(errors.median),
        _figure(errors.p90),
        _figure(errors.largest),
    )


def _worst(errors: NumberErrors) -> Blocks:
    if not errors.worst:
        return ()
    return (
        Heading("The rows that were missed by most"),
        Table(
            header=("Row", "Text", "Truth", "Answer", "Off by"),
            rows=tuple(_sample(one) for one in errors.worst),
            numeric=frozenset({2, 3, 4}),
        ),
    )


def _sample(one: NumberSample) -> tuple[str, ...]:
    off = one.answered - one.truth
    return (
        one.row_id[:12],
        w.cut(one.text, TEXT_SHOWN) or w.NOTHING,
        _figure(one.truth),
        _figure(one.answered),
        f"{'+' if off > 0 else ''}{_figure(off)}",
    )


def _figure(value: float) -> str:
    """Four figures; numbers of users' are of any size."""
    if not math.isfinite(value):
        return w.NOTHING
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.4g}"
