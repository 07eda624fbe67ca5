"""What models cost in use, and what the quality costs."""

from __future__ import annotations

from collections.abc import Sequence

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Bullets, Heading, Paragraph, Table
from zenml_ftvr.report.charts import Place, drawn, pareto_chart
from zenml_ftvr.values import (
    Evaluation,
    Kind,
    Metric,
    ParetoPoint,
    ServingCost,
    ServingForm,
)

__all__ = ["pareto", "serving", "serving_table"]


def serving(evaluation: Evaluation) -> Blocks:
    """Latency, throughput, size and price of every model, and the Pareto picture."""
    costs = [(model.kind, one) for model in evaluation.models for one in model.serving]
    if not costs:
        return ()
    metric = evaluation.metric or evaluation.models[0].scores[0].metric
    return (*serving_table(costs), *pareto(evaluation.pareto, metric))


def serving_table(costs: Sequence[tuple[Kind, ServingCost]]) -> Blocks:
    """A row for every form of every model and every batch size."""
    devices = dict.fromkeys((one.device, one.n_threads) for _, one in costs)
    machines = "; ".join(
        f"{device}, {threads} thread{'s' * (threads > 1)}" if threads else device
        for device, threads in devices
    )
    return (
        Paragraph(
            f"From text or bytes to the answer, on the machine that evaluated ({machines}); "
            f"milliseconds are those of a whole batch. Size in memory is that of weights and "
            f"tables; libraries are not counted.",
            "small",
        ),
        Table(
            header=(
                "Model",
                "Batch",
                "p50",
                "p95",
                "p99",
                "Rows a second",
                "On disk",
                "In memory",
                "A million rows",
            ),
            rows=tuple(row for kind, one in costs for row in _rows(kind, one)),
            numeric=frozenset(range(1, 9)),
        ),
    )


def _rows(kind: Kind, cost: ServingCost) -> list[tuple[str, ...]]:
    largest = max((one.batch_size for one in cost.latencies), default=None)
    return [
        (
            _form_name(kind, cost.form),
            w.count(one.batch_size),
            w.milliseconds(one.p50_ms),
            w.milliseconds(one.p95_ms),
            w.milliseconds(one.p99_ms),
            f"{one.rows_per_second:,.0f}",
            w.size(cost.disk_bytes),
            w.size(cost.memory_bytes),
            w.dollars(cost.usd_per_million) if one.batch_size == largest else "",
        )
        for one in cost.latencies
    ]


def _form_name(kind: Kind, form: ServingForm) -> str:
    return f"{w.approach_name(kind)}, merged" if form == "merged" else w.approach_name(kind)


def pareto(points: Sequence[ParetoPoint], metric: Metric) -> Blocks:
    """Quality against latency and size: bigger is slower, and here is by how much."""
    if not points:
        return ()
    places = [
        Place(
            kind=one.kind,
            name=_form_name(one.kind, one.form),
            quality=one.quality,
            milliseconds=one.p50_ms,
            n_bytes=one.disk_bytes,
            is_dominated=one.dominated_by is not None,
        )
        for one in points
    ]
    name, lower = w.metric_name(metric), w.lower_is_better(metric)
    title = f"{name} against latency; the area of a circle is the size on disk"
    names = (name, "milliseconds for one row (p50)")
    return (
        Heading("Quality against latency and size"),
        *drawn(
            lambda width: pareto_chart(title, places, names, lower_is_better=lower, width=width)
        ),
        Table(
            header=("Model", name, "One row, p50", "On disk", "Beaten by"),
            rows=tuple(
                (
                    _form_name(one.kind, one.form),
                    w.number(one.quality),
                    w.milliseconds(one.p50_ms),
                    w.size(one.disk_bytes),
                    _beaten_by(one),
                )
                for one in points
            ),
            numeric=frozenset({1, 2, 3}),
        ),
        Bullets(_exchange(points, metric)),
    )


def _beaten_by(point: ParetoPoint) -> str:
    """Which model is at least as good in all; a kind beats itself by its other form."""
    if point.dominated_by is None:
        return "nothing"
    itself = point.dominated_by == point.kind
    return _form_name(
        point.dominated_by, "merged" if itself and point.form != "merged" else "as trained"
    )


def _exchange(points: Sequence[ParetoPoint], metric: Metric) -> tuple[str, ...]:
    """What the best costs in latency and size beside the fastest."""
    best = points[0]
    fastest = min(points, key=lambda one: one.p50_ms)
    if fastest is best or fastest.p50_ms <= 0 or fastest.disk_bytes <= 0:
        return ()
    gain = abs(best.quality - fastest.quality)
    return (
        f"{_form_name(best.kind, best.form)} is better than "
        f"{_form_name(fastest.kind, fastest.form)} by {w.number(gain)} "
        f"{w.metric_words(metric)}; it takes {w.times(best.p50_ms / fastest.p50_ms)} as long for "
        f"one row, and {w.times(best.disk_bytes / fastest.disk_bytes)} as much disk.",
    )
