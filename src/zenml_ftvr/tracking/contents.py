"""What is told of a decision and its models: as tables of numbers, and as a report's text. Pure.

No text of a row and no label is in here: a server may be another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zenml_ftvr.tracking.report_tables import (
    ReportTable,
    interval_words,
    learning_tables,
    measured_tables,
    number_words,
)
from zenml_ftvr.values import (
    Comparison,
    CostEstimate,
    DecisionMap,
    Evaluation,
    Foresight,
    PilotEvidence,
    RankedArm,
    Recommendation,
    TrackedRun,
    TrainedModel,
)

__all__ = [
    "ReportContent",
    "ReportTable",
    "Table",
    "compared_scores",
    "comparison_table",
    "curves_table",
    "decision_map_table",
    "differences_table",
    "evidence_table",
    "final_measures",
    "final_scores",
    "learning_curves_table",
    "pareto_table",
    "pilots_table",
    "ranking_table",
    "report_content",
    "scores_table",
]

Table = tuple[list[str], list[list[str | int | float | bool | None]]]
"""Columns and rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """A report before it is one of W&B's."""

    title: str
    experiment: str
    """The group of its runs."""
    verdict: str
    reasons: tuple[str, ...]
    tables: tuple[ReportTable, ...]
    run_ids: tuple[str, ...]
    """The compared models' runs; empty where they were not tracked."""
    runs: tuple[TrackedRun, ...]
    """All runs that it rests on."""
    metrics: tuple[str, ...]
    """Names of what the training curves hold, `eval/loss` and the like."""


def ranking_table(recommendation: Recommendation) -> Table:
    """The decision: every arm, best first, with what was known of it."""
    columns = ["rank", "approach", "feasible", "metric", "score", "low", "high"]
    columns += ["hours", "usd", "gib"]
    columns += [f"{one}_{end}" for one in ("hours", "usd", "gib") for end in ("low", "high")]
    rows: list[list[str | int | float | bool | None]] = []
    for rank, arm in enumerate(recommendation.arms, start=1):
        score, cost = arm.forecast.score, arm.cost
        rows.append(
            [
                rank,
                arm.kind,
                arm.feasible,
                *((score.metric, score.value, score.low, score.high) if score else (None,) * 4),
                *((cost.hours, cost.usd, cost.peak_memory_gib) if cost else (None, None, None)),
                *_limits(cost),
            ]
        )
    return columns, rows


def _limits(cost: CostEstimate | None) -> tuple[float | None, ...]:
    """Lower and upper of hours, dollars and GiB."""
    limits = None if cost is None else cost.limits
    if limits is None:
        return (None,) * 6
    return (*limits.hours, *(limits.usd or (None, None)), *limits.peak_memory_gib)


def evidence_table(recommendation: Recommendation) -> Table:
    """What was cross-validated before the choice."""
    columns = ["approach", "metric", "value", "low", "high", "folds", "seconds"]
    return columns, [
        [one.kind, score.metric, score.value, score.low, score.high, one.folds, one.seconds]
        for one in recommendation.evidence.measured
        for score in one.scores
    ]


def curves_table(models: Sequence[TrainedModel]) -> Table:
    """The training curves, a reading a row."""
    columns = ["approach", "step", "metric", "value", "seconds"]
    return columns, [
        [model.kind, point.step, point.metric, point.value, point.seconds]
        for model in models
        for point in model.curve
    ]


def pilots_table(pilots: PilotEvidence) -> Table:
    """Every small training, whatever became of it."""
    columns = ["approach", "n_train", "seed", "learning_rate", "status", "metric", "score"]
    return [*columns, "seconds"], [
        [
            one.kind,
            one.n_train,
            one.seed,
            one.learning_rate,
            one.status,
            pilots.metric,
            one.score,
            one.seconds,
        ]
        for one in pilots.runs
    ]


def learning_curves_table(foresight: Foresight) -> Table:
    """The curves through the pilots, with their limits."""
    columns = ["approach", "n_train", "mean", "low", "high", "level", "supported"]
    return columns, [
        [one.kind, size, mean, low, high, one.level, size <= one.supported_to]
        for one in foresight.curves
        for size, mean, low, high in zip(one.n_train, one.mean, one.low, one.high, strict=True)
    ]


def decision_map_table(found: DecisionMap) -> Table:
    """The arm that would be chosen for each size and budget."""
    columns = ["n_train", "hours", "approach", "supported"]
    return columns, [
        [size, hours, kind, found.supported_to is None or size <= found.supported_to]
        for hours, winners in zip(found.hours, found.winners, strict=True)
        for size, kind in zip(found.n_train, winners, strict=True)
    ]


def pareto_table(evaluation: Evaluation) -> Table:
    """Quality, latency and size of every form of every model."""
    columns = ["approach", "form", "quality", "p50_ms", "disk_bytes", "dominated_by"]
    return columns, [
        [one.kind, one.form, one.quality, one.p50_ms, one.disk_bytes, one.dominated_by]
        for one in evaluation.pareto
    ]


def scores_table(evaluation: Evaluation) -> Table:
    """Each model on the test rows, with intervals."""
    columns = ["approach", "metric", "value", "low", "high", "level", "n_rows"]
    return columns, [
        [model.kind, one.metric, one.value, one.low, one.high, one.level, one.n_rows]
        for model in evaluation.models
        for one in model.scores
    ]


def differences_table(evaluation: Evaluation) -> Table:
    """Each model minus the baseline on the same rows, with intervals."""
    columns = ["first", "second", "metric", "mean", "low", "high", "level", "n_rows"]
    return columns, [
        [one.first, one.second, one.metric, one.mean, one.low, one.high, one.level, one.n_rows]
        for one in evaluation.differences
    ]


def final_scores(evaluation: Evaluation) -> dict[str, float]:
    """The scores by name, with the ends of their intervals."""
    return {
        f"final/{model.kind}/{one.metric}{end}": value
        for model in evaluation.models
        for one in model.scores
        for end, value in (("", one.value), ("_low", one.low), ("_high", one.high))
    }


def final_measures(evaluation: Evaluation) -> dict[str, float]:
    """What was measured besides scores, by name; numbers alone, no text of the user's."""
    found: dict[str, float | None] = {}
    for model in evaluation.models:
        name = f"final/{model.kind}"
        if model.probabilities is not None:
            found[f"{name}/ece"] = model.probabilities.as_trained.ece
            found[f"{name}/temperature"] = model.probabilities.temperature
        if model.forgetting is not None:
            measure = model.forgetting.measure.replace(" ", "_")
            found[f"{name}/{measure}_before"] = model.forgetting.before
            found[f"{name}/{measure}_after"] = model.forgetting.after
        for cost in model.serving:
            form = f"{name}/{cost.form.replace(' ', '_')}"
            found[f"{form}/disk_bytes"] = cost.disk_bytes
            found[f"{form}/memory_bytes"] = cost.memory_bytes
            found[f"{form}/usd_per_million"] = cost.usd_per_million
            for one in cost.latencies:
                found[f"{form}/p50_ms_at_{one.batch_size}"] = one.p50_ms
                found[f"{form}/p99_ms_at_{one.batch_size}"] = one.p99_ms
                found[f"{form}/rows_per_second_at_{one.batch_size}"] = one.rows_per_second
    return {name: value for name, value in found.items() if value is not None}


def comparison_table(comparison: Comparison) -> Table:
    """Every approach over its seeds on the test rows, with intervals."""
    columns = ["approach", "metric", "value", "low", "high", "seeds", "train_seconds"]
    return columns, [
        [
            arm.kind,
            one.metric,
            one.value,
            one.low,
            one.high,
            len(arm.seeds),
            arm.train_seconds,
        ]
        for arm in comparison.arms
        for one in arm.scores
    ]


def compared_scores(comparison: Comparison) -> dict[str, float]:
    """The means over seeds by name, with the ends of their intervals."""
    return {
        f"final/{arm.kind}/{one.metric}{end}": value
        for arm in comparison.arms
        for one in arm.scores
        for end, value in (("", one.value), ("_low", one.low), ("_high", one.high))
    }


def report_content(
    recommendation: Recommendation,
    models: Sequence[TrainedModel],
    evaluation: Evaluation,
    *,
    title: str,
    experiment: str,
    runs: Sequence[TrackedRun] = (),
) -> ReportContent:
    """The recommendation, what it rests on, and what came of it."""
    of_models = tuple(model.tracked for model in models if model.tracked is not None)
    return ReportContent(
        title=title,
        experiment=experiment,
        verdict=recommendation.verdict,
        reasons=recommendation.reasons,
        tables=(
            _ranking(recommendation),
            _evidence(recommendation),
            *learning_tables(recommendation),
            _scores(evaluation),
            *measured_tables(evaluation),
            _costs(recommendation, models),
        ),
        run_ids=tuple(run.run_id for run in of_models),
        runs=(*of_models, *runs),
        metrics=tuple(sorted({point.metric for model in models for point in model.curve})),
    )


def _ranking(recommendation: Recommendation) -> ReportTable:
    return ReportTable(
        title="Recommendation",
        note=f"Best first, by {recommendation.metric}. A score before training is a measurement "
        f"with its interval, or none: nothing is guessed. Costs have limits from what predictions "
        f"like these were off by.",
        columns=("approach", "score before training", "hours", "US dollars", "GiB", "why"),
        rows=tuple(_ranked(arm) for arm in recommendation.arms),
    )


def _ranked(arm: RankedArm) -> tuple[str, ...]:
    cost = arm.cost
    return (
        arm.kind if arm.feasible else f"{arm.kind} (not feasible)",
        interval_words(arm.forecast.score),
        *_costs_words(cost),
        " ".join(arm.reasons),
    )


def _costs_words(cost: CostEstimate | None) -> tuple[str, ...]:
    """Hours, dollars and GiB, each with its limits."""
    if cost is None:
        return (number_words(None),) * 3
    values = (cost.hours, cost.usd, cost.peak_memory_gib)
    low_high = _limits(cost)
    return tuple(
        number_words(value)
        if value is None or low is None
        else f"{number_words(value)} [{number_words(low)}, {number_words(high)}]"
        for value, low, high in zip(values, low_high[::2], low_high[1::2], strict=True)
    )


def _evidence(recommendation: Recommendation) -> ReportTable:
    return ReportTable(
        title="Evidence",
        note="Cross-validated on the training rows before the choice. What is known of the other "
        "approaches stands with them above.",
        columns=("approach", "metric", "score", "folds", "seconds"),
        rows=tuple(
            (
                one.kind,
                score.metric,
                interval_words(score),
                str(one.folds),
                number_words(one.seconds),
            )
            for one in recommendation.evidence.measured
            for score in one.scores
        ),
    )


def _scores(evaluation: Evaluation) -> ReportTable:
    return ReportTable(
        title="Scores",
        note=f"On {evaluation.n_test} test rows that nothing was fitted to."
        + (
            ""
            if evaluation.majority_accuracy is None
            else f" The most frequent class alone would have an accuracy of "
            f"{number_words(evaluation.majority_accuracy)}."
        ),
        columns=("approach", "metric", "score"),
        rows=tuple(
            (model.kind, score.metric, interval_words(score))
            for model in evaluation.models
            for score in model.scores
        ),
    )


def _costs(recommendation: Recommendation, models: Sequence[TrainedModel]) -> ReportTable:
    price = recommendation.calibration.hardware.usd_per_hour
    rows = []
    for model in models:
        predicted = model.plan.predicted_hours
        rows.append(
            (
                model.kind,
                number_words(model.seconds),
                number_words(None if predicted is None else predicted * 3600),
                number_words(None if price is None else model.seconds / 3600 * price),
                number_words(model.peak_memory_gib),
                f"{model.n_trainable:,} of {model.n_params:,}",
            )
        )
    return ReportTable(
        title="Costs",
        note="Of the training alone.",
        columns=("approach", "seconds", "predicted seconds", "US dollars", "GiB", "trained"),
        rows=tuple(rows),
    )
