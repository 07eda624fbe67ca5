"""What pilots foresee and what was measured, as tables of a report. Numbers and approaches alone.

Of the user's texts, labels and columns nothing is in here, not even in words: of slices, only how
many there are.
"""

from __future__ import annotations

from dataclasses import dataclass

from zenml_ftvr.values import (
    DecisionMap,
    Evaluation,
    Foresight,
    Kind,
    ModelTest,
    Recommendation,
    Score,
)

__all__ = [
    "NOTHING",
    "ReportTable",
    "interval_words",
    "learning_tables",
    "measured_tables",
    "number_words",
]

NOTHING = "—"  # where there is no number
MAP_SIDE = 7  # rows and columns of the map that a table can still show: a judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTable:
    """A table of a report, in words."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def interval_words(score: Score | None) -> str:
    """A score with its limits."""
    if score is None:
        return NOTHING
    return _limits(score.value, score.low, score.high)


def number_words(value: float | None) -> str:
    """A number in three digits."""
    return NOTHING if value is None else f"{value:.3g}"


def _limits(value: float, low: float, high: float) -> str:
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def learning_tables(recommendation: Recommendation) -> tuple[ReportTable, ...]:
    """Learning curves, what would change the answer, and the map; none without pilots."""
    foresight = recommendation.foresight
    if foresight is None:
        return ()
    tables = [_learning_curves(foresight), _standings(foresight), _break_evens(foresight)]
    if foresight.map is not None:
        tables.append(_map(foresight.map, foresight.n_train, recommendation.hours_allowed))
    return tuple(tables)


def _learning_curves(foresight: Foresight) -> ReportTable:
    sizes = sorted({one.n_train for curve in foresight.curves for one in curve.pilots})
    return ReportTable(
        title="Learning curves",
        note=f"Scores of pilots, on a scale of 0 to 1, by training rows; at {foresight.n_train:,} "
        f"they vary over seeds by {foresight.seed_sd:.3f} (standard deviation). The last column is "
        f"the forecast of one training.",
        columns=("approach", *(f"{size:,}" for size in sizes), f"at {foresight.n_train:,}"),
        rows=tuple(
            (
                curve.kind,
                *(
                    _pilots_at([one.score for one in curve.pilots if one.n_train == size])
                    for size in sizes
                ),
                _forecast(foresight, curve.kind),
            )
            for curve in foresight.curves
        ),
    )


def _pilots_at(scores: list[float]) -> str:
    return ", ".join(f"{score:.3f}" for score in scores) or NOTHING


def _forecast(foresight: Foresight, kind: Kind) -> str:
    found = foresight.forecast(kind)
    return NOTHING if found is None else _limits(found.mean, found.low, found.high)


def _standings(foresight: Foresight) -> ReportTable:
    return ReportTable(
        title="How the arms stand",
        note="Among the feasible arms with pilots. Expected regret: how much is lost, on average, "
        "by choosing the arm.",
        columns=("approach", "best with probability", "expected regret", "hours", "more labels"),
        rows=tuple(
            (
                one.kind,
                f"{one.probability_best:.0%}",
                f"{one.expected_regret:.3f}",
                number_words(one.hours),
                _more_labels(foresight, one.kind),
            )
            for one in foresight.choice.standings
        ),
    )


def _more_labels(foresight: Foresight, kind: Kind) -> str:
    value = foresight.label_value(kind)
    if value is None:
        return NOTHING
    gain = f"{value.mean:+.3f} ({value.low:+.3f} to {value.high:+.3f})"
    return f"{gain} for {value.n_more:,}"


def _break_evens(foresight: Foresight) -> ReportTable:
    return ReportTable(
        title="What would change the answer",
        note="Sizes at which two arms change places, and at today's size the budget from which on "
        "the costlier one is chosen.",
        columns=("approaches", "rows", "ahead with fewer rows", "hours"),
        rows=tuple(
            (
                f"{one.first} and {one.second}",
                ", ".join(f"{size:,.0f}" for size in one.n_train) or "never",
                one.ahead_when_small or NOTHING,
                number_words(one.hours),
            )
            for one in foresight.break_evens
        ),
    )


def _map(found: DecisionMap, n_train: int, hours: float) -> ReportTable:
    sizes, budgets = _spread(len(found.n_train)), _spread(len(found.hours))[::-1]
    far = ""
    if found.supported_to is not None:
        far = f" From {found.supported_to:,.0f} rows on no pilot speaks for every arm."
    return ReportTable(
        title="Map of budget and data",
        note=f"The approach that would be chosen, by hours and training rows; today there are "
        f"{n_train:,} rows and {hours:.3g} hours.{far}",
        columns=("hours", *(f"{found.n_train[at]:,}" for at in sizes)),
        rows=tuple(
            (
                number_words(found.hours[row]),
                *(found.winners[row][at] or "none fits" for at in sizes),
            )
            for row in budgets
        ),
    )


def _spread(n: int) -> list[int]:
    """Places among `n`, evenly apart, the first and the last with them."""
    if n <= MAP_SIDE:
        return list(range(n))
    return sorted({round(index * (n - 1) / (MAP_SIDE - 1)) for index in range(MAP_SIDE)})


def measured_tables(evaluation: Evaluation) -> tuple[ReportTable, ...]:
    """Significance, confidence, parts of the rows, cost of use, Pareto, forgetting: what was
    measured of them."""
    tables = (
        _tests(evaluation),
        _calibration(evaluation),
        _slices(evaluation),
        _serving(evaluation),
        _pareto(evaluation),
        _forgetting(evaluation),
    )
    return tuple(table for table in tables if table.rows)


def _tests(evaluation: Evaluation) -> ReportTable:
    return ReportTable(
        title="Significance",
        note="Every two models on the same rows; p-values are corrected by Holm's method for all "
        "comparisons that were made.",
        columns=("models", "metric", "difference", "test", "p, corrected", "judged"),
        rows=tuple(_test_row(one) for one in evaluation.tests),
    )


def _test_row(one: ModelTest) -> tuple[str, ...]:
    return (
        f"{one.first} minus {one.second}",
        one.metric,
        f"{one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f})",
        one.test,
        "below 0.001" if one.p_corrected < 0.001 else f"{one.p_corrected:.3f}",
        "significant" if one.is_significant else "within chance",
    )


def _calibration(evaluation: Evaluation) -> ReportTable:
    return ReportTable(
        title="Confidence",
        note="Expected calibration error on the test rows, as trained and divided by the "
        "temperature that was fitted on validation rows.",
        columns=("approach", "ECE", "of a perfect model", "temperature", "ECE after it"),
        rows=tuple(
            (
                model.kind,
                f"{check.as_trained.ece:.3f}",
                f"{check.as_trained.ece_if_calibrated:.3f}",
                number_words(check.temperature),
                NOTHING if check.scaled is None else f"{check.scaled.ece:.3f}",
            )
            for model in evaluation.models
            if (check := model.probabilities) is not None
        ),
    )


def _slices(evaluation: Evaluation) -> ReportTable:
    return ReportTable(
        title="Parts of the rows",
        note="How many parts of the test rows (by length and by columns) were looked at, and how "
        "many are answered significantly worse. Which ones stands in the report of your own store: "
        "names and values of columns do not leave it.",
        columns=("approach", "parts", "significantly worse", "lowest score"),
        rows=tuple(
            (
                model.kind,
                str(len(model.slices)),
                str(sum(one.is_worse for one in model.slices)),
                interval_words(min((one.score for one in model.slices), key=lambda one: one.value)),
            )
            for model in evaluation.models
            if model.slices
        ),
    )


def _serving(evaluation: Evaluation) -> ReportTable:
    return ReportTable(
        title="Cost of use",
        note="From text or bytes to the answer, on the machine that evaluated; milliseconds are "
        "those of a whole batch.",
        columns=(
            "approach",
            "batch",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "rows a second",
            "MB",
            "MB held",
        ),
        rows=tuple(
            (
                model.kind if cost.form == "as trained" else f"{model.kind}, {cost.form}",
                str(one.batch_size),
                number_words(one.p50_ms),
                number_words(one.p95_ms),
                number_words(one.p99_ms),
                f"{one.rows_per_second:,.0f}",
                f"{cost.disk_bytes / 1e6:.1f}",
                f"{cost.memory_bytes / 1e6:.1f}",
            )
            for model in evaluation.models
            for cost in model.serving
            for one in cost.latencies
        ),
    )


def _pareto(evaluation: Evaluation) -> ReportTable:
    return ReportTable(
        title="Quality against latency and size",
        note="Beaten by: a model at least as good, as fast and as small.",
        columns=("approach", "form", "quality", "p50 ms of one row", "MB on disk", "beaten by"),
        rows=tuple(
            (
                one.kind,
                one.form,
                f"{one.quality:.3f}",
                number_words(one.p50_ms),
                f"{one.disk_bytes / 1e6:.1f}",
                one.dominated_by or "nothing",
            )
            for one in evaluation.pareto
        ),
    )


def _forgetting(evaluation: Evaluation) -> ReportTable:
    return ReportTable(
        title="What the base model forgot",
        note="The base model's own ability before and after: losses are nats a token, agreement is "
        "the share of nearest texts that are still the nearest.",
        columns=("approach", "measure", "before", "after", "change"),
        rows=tuple(
            (
                model.kind,
                found.measure,
                f"{found.before:.3f}",
                f"{found.after:.3f}",
                f"{found.change:+.3f} ({found.low:+.3f} to {found.high:+.3f})",
            )
            for model in evaluation.models
            if (found := model.forgetting) is not None
        ),
    )
