"""Every approach on the same test rows, over the same seeds: one table, one verdict."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.evaluate.approaches import (
    ApproachScores,
    approach_scores,
    compare_approaches,
    scores_over_seeds,
)
from zenml_ftvr.evaluate.one_model import Judging, Scored, judging, score_model
from zenml_ftvr.evaluate.serving import pareto_points, serving_of
from zenml_ftvr.values import (
    LOWER_IS_BETTER,
    ApproachDifference,
    ArmResult,
    Budget,
    Comparison,
    EvaluationSettings,
    Kind,
    Ledger,
    LedgerEntry,
    Metric,
    ModelEvaluation,
    SeedResult,
    TrainedModel,
)
from zenml_ftvr.values.words import metric_words

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["Contest", "compare_trained"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What is known of a comparison besides the models in it."""

    budget: Budget | None = None
    """Of each training; None where models were trained apart."""
    left_out: tuple[tuple[Kind, str], ...] = ()
    """Arms that were not trained, each with the reason."""
    spent: Ledger = dataclasses.field(default_factory=Ledger)
    """Up to the evaluation, the trainings included."""


def compare_trained(
    models: Sequence[TrainedModel],
    dataset: Dataset,
    contest: Contest,
    settings: EvaluationSettings,
    seed: int,
    on_rows: Callable[[str, int, int], None],
) -> Comparison:
    """Score every model on the test rows, once, and compare the approaches that they are of.

    Models of one kind are one approach, told apart by the seed of their plan. Raises
    `ConfigurationError` where an approach has one seed twice, and where there are no two
    approaches.
    """
    by_kind = _by_approach(models)
    by = judging(models, dataset, settings, contest.spent.usd_per_hour, seed)
    started = time.monotonic()
    scores: dict[Kind, dict[Metric, ApproachScores]] = {}
    arms, notes, entries = [], list(by.notes), []
    for kind, of_kind in by_kind.items():
        scored = [score_model(one, by, partial(on_rows, one.kind)) for one in of_kind]
        entries += [
            LedgerEntry(what="evaluation", kind=kind, seconds=one.seconds) for one in scored
        ]
        scores[kind] = approach_scores(
            kind, [one.answers for one in scored], by.metrics, seed, by.groups
        )
        arm, not_served = _arm(scored, scores[kind], by)
        arms.append(arm)
        notes += not_served
    sign = -1.0 if by.metric in LOWER_IS_BETTER else 1.0
    arms.sort(key=lambda arm: -sign * arm.score(by.metric).value)
    best = arms[0].kind
    differences = compare_approaches(
        [(scores[best][by.metric], scores[arm.kind][by.metric]) for arm in arms[1:]]
    )
    tied = _tied(arms, differences)
    besides = time.monotonic() - started - sum(entry.seconds for entry in entries)
    entries.append(LedgerEntry(what="evaluation", kind=None, seconds=besides))
    return Comparison(
        metric=by.metric,
        arms=tuple(arms),
        left_out=contest.left_out,
        differences=differences,
        verdict=_verdict(arms, differences, tied, by.metric),
        winner=best if tied == (best,) else None,
        tied=tied,
        seeds=tuple(sorted({one.plan.seed for one in models})),
        budget=contest.budget,
        n_test=len(dataset.test),
        n_groups=by.n_groups,
        ledger=contest.spent.with_entries(*entries),
        pareto=pareto_points([_as_evaluation(arm) for arm in arms], by.metric),
        notes=(*notes, *_cautions(arms)),
    )


def _by_approach(models: Sequence[TrainedModel]) -> Mapping[Kind, list[TrainedModel]]:
    """The models of each approach in the order of their seeds."""
    found: dict[Kind, list[TrainedModel]] = {}
    for model in sorted(models, key=lambda one: one.plan.seed):
        found.setdefault(model.kind, []).append(model)
    if len(found) < 2:
        raise ConfigurationError(
            f"there is nothing to compare: all models are of '{', '.join(found)}'. Give models of "
            f"two approaches at least."
        )
    for kind, of_kind in found.items():
        seeds = [one.plan.seed for one in of_kind]
        if len(set(seeds)) < len(seeds):
            raise ConfigurationError(
                f"'{kind}' has several models of one seed ({', '.join(map(str, seeds))}). Give one "
                f"model for each seed: more of the same would count as evidence."
            )
    return found


def _arm(
    scored: Sequence[Scored], scores: Mapping[Metric, ApproachScores], by: Judging
) -> tuple[ArmResult, tuple[str, ...]]:
    """One row of the table, and what could not be measured of it."""
    import numpy as np

    values = scores[by.metric].values
    models = [one.model for one in scored]
    seconds = float(np.mean([one.seconds for one in models]))
    serving, notes = serving_of(models[0], by.dataset, by.settings, by.usd_per_hour)
    return (
        ArmResult(
            kind=models[0].kind,
            seeds=tuple(
                SeedResult(
                    seed=one.plan.seed,
                    score=float(value),
                    train_seconds=one.seconds,
                    stopped_by_budget=one.stopped_by == "budget",
                )
                for one, value in zip(models, values, strict=True)
            ),
            scores=scores_over_seeds(scores),
            deviation=float(values.std(ddof=1)) if len(values) > 1 else None,
            train_seconds=seconds,
            usd=None if by.usd_per_hour is None else seconds / 3600 * by.usd_per_hour,
            n_params=models[0].n_params,
            n_trainable=models[0].n_trainable,
            serving=serving,
        ),
        notes,
    )


def _as_evaluation(arm: ArmResult) -> ModelEvaluation:
    """What the Pareto picture needs of an arm."""
    return ModelEvaluation(
        kind=arm.kind,
        scores=arm.scores,
        labels=(),
        confusion=(),
        seconds=0.0,
        rows_per_second=0.0,
        serving=arm.serving,
    )


def _tied(arms: Sequence[ArmResult], differences: Sequence[ApproachDifference]) -> tuple[Kind, ...]:
    """The best and those that it is not significantly better than, cheapest training first."""
    beaten = {one.second for one in differences if one.is_significant}
    left = [arm for arm in arms if arm.kind not in beaten]
    return tuple(arm.kind for arm in sorted(left, key=lambda arm: arm.train_seconds))


def _cautions(arms: Sequence[ArmResult]) -> tuple[str, ...]:
    notes = []
    if any(len(arm.seeds) == 1 for arm in arms):
        notes.append(
            "An approach with one seed stands for one model: another training might rank "
            "otherwise, so that no difference from it is called significant."
        )
    stopped = [arm.kind for arm in arms if any(one.stopped_by_budget for one in arm.seeds)]
    if stopped:
        notes.append(
            f"The budget ended trainings of {', '.join(stopped)} before their plan did: the "
            f"comparison is at this budget, and not of what they could reach."
        )
    return tuple(notes)


def _verdict(
    arms: Sequence[ArmResult],
    differences: Sequence[ApproachDifference],
    tied: Sequence[Kind],
    metric: Metric,
) -> str:
    """The answer in one sentence, with its significance."""
    best, name = arms[0], metric_words(metric)
    score = best.score(metric)
    n_seeds = min(len(arm.seeds) for arm in arms)
    seeds = f"{n_seeds} seeds each" if n_seeds > 1 else "one seed"
    measured = f"{name} {score.value:.3f} ({score.low:.3f} to {score.high:.3f}, {seeds}"
    rows = f"{score.n_rows:,} test rows)"
    if len(tied) == 1:
        largest = max(differences, key=lambda one: one.p_corrected)
        p = "below 0.001" if largest.p_corrected < 0.001 else f"{largest.p_corrected:.3f} at most"
        return (
            f"'{best.kind}' is significantly better than every other approach: {measured}, {rows}, "
            f"corrected p-values {p}."
        )
    others = [kind for kind in tied if kind != best.kind]
    named = ", ".join(f"'{kind}'" for kind in others)
    if tied[0] == best.kind:
        cheapest = "it is also the cheapest of them to train"
    else:
        cheapest = f"the cheapest of them to train is '{tied[0]}'"
    return (
        f"'{best.kind}' has the best {measured}, {rows}, but is not significantly better than "
        f"{named}; {cheapest}."
    )
