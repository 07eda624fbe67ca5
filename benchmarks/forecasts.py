"""Do the forecasts of learning curves hold? Judged by trainings with seeds that no pilot had."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from decision_scores import interval_score, mean_of_means
from replay_records import Problem, Trained

from zenml_ftvr.decide.curve import LEVEL
from zenml_ftvr.decide.seed_spread import SeedSpread, pooled_seed_spread
from zenml_ftvr.decide.standing import PilotedArm, piloted_arms
from zenml_ftvr.values import ArmPilots, Kind, PilotScore

__all__ = ["forecast_numbers", "forecasts_of"]

LADDERS = (2, 3, 4)  # sizes of pilots, each twice the one before
BEYOND = (2, 4, 8)  # times the largest
NORMAL_90 = 1.2815515655446004
"""The quantile at .9: ten in a hundred lie beyond on either side, as with the intervals."""
EXTRA_SEEDS = 3
"""Of the arms that are solved, at most so many seeds are pilots: as many as a user may have."""


def forecasts_of(problem: Problem) -> Iterator[dict[str, Any]]:
    """Every forecast that the runs allow: from ladders of pilots to larger sizes, by each arm.

    Whatever the seed that judges, the pilots are of the others. Scores are on test rows.
    """
    for target, rungs, times in itertools.product(problem.sizes, LADDERS, BEYOND):
        sizes = [target // times // 2**back for back in reversed(range(rungs))]
        if any(size not in problem.sizes for size in sizes):
            continue
        for fresh in (0, 1):
            arms = pilots_of(problem, sizes, fresh)
            judges = {
                arm.kind: one
                for arm in arms
                if (one := problem.runs.get((arm.kind, target, fresh))) is not None
                and one.test_right is not None
            }
            if not judges:
                continue
            n_select = next(iter(judges.values())).n_select
            spread = pooled_seed_spread(arms)
            for fitted, pilots in zip(piloted_arms(arms, n_select, fresh), arms, strict=True):
                if fitted.kind in judges:
                    yield {
                        "data": problem.data,
                        "problem": problem.name,
                        "kind": fitted.kind,
                        "rungs": rungs,
                        "times": times,
                        **judged(fitted, pilots, spread, judges[fitted.kind]),
                    }


def pilots_of(problem: Problem, sizes: Sequence[int], fresh: int) -> list[ArmPilots]:
    """Pilots at `sizes` of the arms that have them at each, without the seed that judges."""
    found = []
    for kind in problem.kinds:
        scores = [
            PilotScore(n_train=size, seed=one.seed, score=one.select_score)
            for size in sizes
            for one in _others(problem.of(kind, size), fresh)
        ]
        if {one.n_train for one in scores} == set(sizes):
            found.append(ArmPilots(kind=kind, scores=tuple(scores)))
    return found


def _others(runs: Sequence[Trained], fresh: int) -> list[Trained]:
    return [one for one in runs if one.seed != fresh and not one.failed][:EXTRA_SEEDS]


def judged(
    arm: PilotedArm, pilots: ArmPilots, spread: SeedSpread, outcome: Trained
) -> dict[str, float | bool]:
    """One outcome against the arm's interval, and against that of its last value."""
    drawn = arm.outcomes_at([outcome.n_train])[:, 0]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    last_low, last_high = last_value(pilots, spread, arm.n_select, outcome.n_train)
    score = outcome.test_score
    mean = float(arm.scores_at([outcome.n_train]).mean())
    return {
        "covered": low <= score <= high,
        "below": score < low,
        "width": high - low,
        "error": abs(mean - score),
        "score": interval_score(low, high, score, LEVEL),
        "last_error": abs((last_low + last_high) / 2 - score),
        "last_score": interval_score(last_low, last_high, score, LEVEL),
        "last_covered": last_low <= score <= last_high,
    }


def last_value(
    pilots: ArmPilots, spread: SeedSpread, n_select: int, n_train: int
) -> tuple[float, float]:
    """The mean of the largest pilots, give or take the luck of seeds and of the rows judged on."""
    largest = [one.score for one in pilots.scores if one.n_train == pilots.sizes[-1]]
    mean = float(np.mean(largest))
    of_seeds = spread.at(n_train) ** 2 + spread.at(pilots.sizes[-1]) ** 2 / len(largest)
    sd = math.sqrt(of_seeds + mean * (1 - mean) / n_select)
    return mean - NORMAL_90 * sd, mean + NORMAL_90 * sd


def forecast_numbers(full: Sequence[Problem], cheap: Sequence[Problem]) -> dict[str, Any]:
    """Coverage, width and interval score; a problem counts once."""
    of_full = [row for problem in full for row in forecasts_of(problem)]
    of_cheap = [row for problem in cheap for row in forecasts_of(problem)]
    every = [*of_full, *of_cheap]
    return {
        "forecasts": len(every),
        "forecast_problems": len({row["problem"] for row in every}),
        "coverage_80": _share(every, "covered"),
        "median_interval_width": round(float(np.median([row["width"] for row in every])), 4),
        "interval_score_vs_last": _ratio(every),
        "coverage": {
            "data sets": _summary(of_full),
            "class subsets": _summary(of_cheap),
            **{
                f"{name} {value}": _summary([row for row in every if row[name] == value])
                for name in ("kind", "rungs", "times")
                for value in sorted({row[name] for row in every})
            },
        },
    }


def _summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if not rows:
        return {"n": 0}
    return {
        "n": len(rows),
        "coverage_80": _share(rows, "covered"),
        "below": _share(rows, "below"),
        "median_width": round(float(np.median([row["width"] for row in rows])), 4),
        "mean_error": _share(rows, "error", 4),
        "last_value_error": _share(rows, "last_error", 4),
        "interval_score_vs_last": _ratio(rows),
        "last_value_coverage": _share(rows, "last_covered"),
    }


def _share(rows: Sequence[Mapping[str, Any]], name: str, digits: int = 3) -> float:
    return round(mean_of_means(_by_problem(rows, name)), digits)


def _ratio(rows: Sequence[Mapping[str, Any]]) -> float:
    own, last = (mean_of_means(_by_problem(rows, name)) for name in ("score", "last_score"))
    return round(own / last, 3)


def _by_problem(
    rows: Sequence[Mapping[str, Any]], name: str
) -> dict[tuple[str, Kind], list[float]]:
    found: dict[Any, list[float]] = defaultdict(list)
    for row in rows:
        found[row["problem"]].append(float(row[name]))
    return found
