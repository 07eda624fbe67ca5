"""Every approach in its place, and why."""

from __future__ import annotations

from collections import Counter

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import (
    Blocks,
    Bullets,
    Details,
    Heading,
    Paragraph,
    Table,
)
from zenml_ftvr.report.charts import Interval, drawn, interval_chart
from zenml_ftvr.values import Metric, RankedArm, Recommendation, Task

__all__ = ["ranking", "reasons", "task_of", "top_class"]


BASES: dict[str, str] = {
    "measured": "cross-validation",
    "piloted": "pilots",
    "prior": "publications",
}


def top_class(metric: Metric, share: float | None) -> tuple[str, float] | None:
    """The mark of a chart of accuracies: what guessing gets."""
    return None if share is None or metric != "accuracy" else ("always the top class", share)


def ranking(recommendation: Recommendation) -> Blocks:
    """Every arm: score or its absence, cost, and whether it fits."""
    return (
        Paragraph(_how_known(recommendation), "small"),
        Table(
            header=(
                "",
                "Approach",
                "Score",
                "Known from",
                "Time",
                "Dollars",
                "Memory",
                "Fits the budget",
            ),
            rows=tuple(
                _rank_row(place, arm, recommendation.metric)
                for place, arm in enumerate(recommendation.arms, start=1)
            ),
            numeric=frozenset({2, 4, 5, 6}),
            chosen=0,
        ),
        *_measured_chart(recommendation),
        Bullets(_zero_shot(recommendation)),
        Details(
            "Why each arm stands where it stands, with sources",
            tuple(block for arm in recommendation.arms for block in _why(arm, recommendation)),
        ),
    )


def _how_known(recommendation: Recommendation) -> str:
    """What the scores are, and what follows where there is none."""
    name = w.metric_words(recommendation.metric)
    bases = {arm.forecast.basis for arm in recommendation.arms}
    sentences = []
    if "measured" in bases:
        sentences.append(
            f"Scores from cross-validation are {name} on the training rows with 95 % intervals."
        )
    if "piloted" in bases:
        levels = {
            f"{arm.forecast.score.level:.0%}"
            for arm in recommendation.arms
            if arm.forecast.basis == "piloted" and arm.forecast.score is not None
        }
        sentences.append(
            f"Scores from pilots are what one training on all training rows is forecast to reach, "
            f"with limits that hold {' or '.join(sorted(levels))} of such trainings."
        )
    if shown := _metrics_of_scores(recommendation):
        sentences.append(w.directions(shown))
        others = [w.metric_words(one) for one in shown if one != recommendation.metric]
        if others:
            sentences.append(
                f"Pilots are judged by {others[0]}, which puts models in the order of the {name}."
            )
    if "prior" in bases:
        sentences.append(
            "Arms without a score were not trained yet: their place follows from published "
            "comparisons, and no interval is invented for them."
        )
    levels = {
        f"{arm.cost.limits.level:.0%}"
        for arm in recommendation.arms
        if arm.cost is not None and arm.cost.limits is not None
    }
    if levels:
        sentences.append(
            f"Time, dollars and memory have limits that hold {' or '.join(sorted(levels))} of "
            f"trainings, as far as predictions like these were off before."
        )
    return " ".join(one for one in sentences if one)


def _metrics_of_scores(recommendation: Recommendation) -> list[Metric]:
    """What arms' scores are, that of the most arms first: pilots of the RMSE are judged by R2."""
    scores = [arm.forecast.score for arm in recommendation.arms]
    counts = Counter(score.metric for score in scores if score is not None)
    return [metric for metric, _ in counts.most_common()]


def _measured_chart(recommendation: Recommendation) -> Blocks:
    shown = _metrics_of_scores(recommendation)
    if not shown:
        return ()
    metric = shown[0]  # scores by two metrics have no scale in common
    measured = [
        Interval(w.approach_name(arm.kind), score.value, score.low, score.high)
        for arm in recommendation.arms
        if (score := arm.forecast.score) is not None and score.metric == metric
    ]
    mark = top_class(metric, recommendation.evidence.majority_share)
    title = f"{w.metric_name(metric)} before training, with intervals"
    axis = w.axis_name(metric)
    return drawn(lambda width: interval_chart(title, measured, axis, mark, width))


def task_of(recommendation: Recommendation) -> Task | None:
    """The task of its plans; None where no arm has a plan."""
    plans = (arm.plan for arm in recommendation.arms)
    return next((plan.task for plan in plans if plan is not None), None)


def _why(arm: RankedArm, recommendation: Recommendation) -> Blocks:
    what = w.what_trains(arm.kind, task_of(recommendation))
    plan = () if arm.plan is None else tuple(f"Plan: {reason}" for reason in arm.plan.reasons)
    return (
        Heading(f"{w.approach_name(arm.kind)}: {what}"),
        Bullets((*arm.reasons, *arm.forecast.evidence, *plan)),
    )


def _zero_shot(recommendation: Recommendation) -> tuple[str, ...]:
    """What the labels' names alone are worth, where that was measured."""
    evidence = recommendation.evidence
    if evidence.zero_shot is None:
        return ()
    score = evidence.zero_shot.score(recommendation.metric)
    return (
        f"Without any training, giving each text the label whose name the base model finds nearest "
        f"reaches {w.metric_words(score.metric)} {w.score_text(score)} on the training rows.",
    )


def _rank_row(place: int, arm: RankedArm, metric: Metric) -> tuple[str, ...]:
    score, cost = arm.forecast.score, arm.cost
    said = "not measured" if score is None else w.score_text(score)
    if score is not None and score.metric != metric:
        said = f"{w.metric_words(score.metric)} {said}"
    return (
        str(place),
        w.approach_name(arm.kind),
        said,
        BASES[arm.forecast.basis],
        w.hours_text(cost),
        w.usd_text(cost),
        w.memory_text(cost),
        "yes" if arm.feasible else " ".join(arm.reasons),
    )


def reasons(recommendation: Recommendation) -> Blocks:
    """Why this choice."""
    blocks: Blocks = (Bullets(recommendation.reasons),)
    if recommendation.companion is None:
        return blocks
    name = w.approach_name(recommendation.companion)
    return (
        *blocks,
        Paragraph(
            f"{name} was trained beside it, because the configuration asks for one arm with a "
            f"training curve."
        ),
    )
