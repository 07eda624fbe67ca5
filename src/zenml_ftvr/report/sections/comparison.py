"""Every feasible approach at the same budget and the same seeds."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Bullets, Details, Paragraph, Table, Verdict
from zenml_ftvr.report.charts import Interval, drawn, interval_chart
from zenml_ftvr.report.sections.results import metric_notes
from zenml_ftvr.report.sections.serving import pareto, serving_table
from zenml_ftvr.values import SIGNIFICANT, ApproachDifference, ArmResult, Comparison

__all__ = ["comparison", "comparison_serving"]


def comparison(found: Comparison) -> Blocks:
    """The verdict, the table, and how sure it is."""
    name = w.metric_name(found.metric)
    rows = [
        Interval(w.approach_name(arm.kind), score.value, score.low, score.high)
        for arm in found.arms
        for score in (arm.score(found.metric),)
    ]
    title = f"{name} of the approaches on the test rows with 95 % intervals"
    return (
        Verdict(found.verdict),
        Paragraph(_setting(found)),
        _arms(found),
        *drawn(lambda width: interval_chart(title, rows, w.axis_name(found.metric), None, width)),
        Bullets(tuple(_difference(one) for one in found.differences)),
        Bullets(
            tuple(f"{w.approach_name(kind)} was left out: {why}" for kind, why in found.left_out)
        ),
        Bullets(found.notes),
        *_other_metrics(found),
        Details("Every training", (_trainings(found),)),
    )


def comparison_serving(found: Comparison) -> Blocks:
    """What the arms cost in use; nothing where it was not measured."""
    costs = [(arm.kind, one) for arm in found.arms for one in arm.serving]
    if not costs:
        return ()
    return (*serving_table(costs), *pareto(found.pareto, found.metric))


def _setting(found: Comparison) -> str:
    seeds = ", ".join(map(str, found.seeds))
    budget = found.budget
    if budget is None:
        each = "trained apart, each with a budget of its own"
    elif budget.hours is not None:
        each = f"{w.duration(budget.hours * 3600)} for each training"
    else:
        each = f"{w.dollars(budget.usd)} for each training"
    groups = "" if found.n_groups == found.n_test else f" in {w.count(found.n_groups)} groups"
    plural = "s" if len(found.seeds) != 1 else ""
    return f"{w.count(found.n_test)} test rows{groups}, seed{plural} {seeds}; {each}."


def _arms(found: Comparison) -> Table:
    """By the metric that decides; the others have a table of their own."""
    return Table(
        header=(
            "Approach",
            f"{w.metric_name(found.metric)} [95 %]",
            "Deviation over seeds",
            "A training",
            "Dollars",
            "Weights trained",
            "",
        ),
        rows=tuple(
            (
                w.approach_name(arm.kind),
                w.score_text(arm.score(found.metric)),
                w.NOTHING if arm.deviation is None else w.number(arm.deviation),
                w.duration(arm.train_seconds),
                w.dollars(arm.usd),
                w.count(arm.n_trainable),
                _place(found, arm),
            )
            for arm in found.arms
        ),
        numeric=frozenset(range(1, 6)),
        chosen=0,
    )


def _other_metrics(found: Comparison) -> Blocks:
    others = [one.metric for one in found.arms[0].scores if one.metric != found.metric]
    if not others:
        return ()
    return (
        *metric_notes([found.metric, *others]),
        Table(
            header=("Approach", *(f"{w.metric_name(metric)} [95 %]" for metric in others)),
            rows=tuple(
                (
                    w.approach_name(arm.kind),
                    *(w.score_text(arm.score(metric)) for metric in others),
                )
                for arm in found.arms
            ),
            numeric=frozenset(range(1, len(others) + 1)),
        ),
    )


def _place(found: Comparison, arm: ArmResult) -> str:
    if arm.kind == found.winner:
        return "significantly better than every other"
    if arm.kind not in found.tied:
        return "significantly worse than the best"
    return "not told apart from the best" if arm is not found.arms[0] else "best mean"


def _difference(one: ApproachDifference) -> str:
    judged = "significant" if one.is_significant else "within chance"
    if not one.is_significant and one.p_corrected < SIGNIFICANT:  # of these two models alone
        judged = "not called significant"
    seeds = "one seed" if one.n_seeds == 1 else f"{one.n_seeds} seeds"
    return (
        f"{w.approach_name(one.first)} minus {w.approach_name(one.second)}, "
        f"{w.metric_words(one.metric)}: {one.mean:+.3f} [{one.low:+.3f}, {one.high:+.3f}], "
        f"p {w.p_value(one.p_corrected)} corrected for {one.n_comparisons} comparisons, {judged}; "
        f"{seeds} and {w.count(one.n_rows)} rows drawn again."
    )


def _trainings(found: Comparison) -> Table:
    return Table(
        header=("Approach", "Seed", w.metric_name(found.metric), "Time", "Ended"),
        rows=tuple(
            (
                w.approach_name(arm.kind),
                str(one.seed),
                w.number(one.score),
                w.duration(one.train_seconds),
                "by the clock" if one.stopped_by_budget else "as planned",
            )
            for arm in found.arms
            for one in arm.seeds
        ),
        numeric=frozenset({1, 2, 3}),
    )
