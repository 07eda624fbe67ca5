"""Pilots and what they foresee, made by hand: power laws, and the map that follows from them."""

from __future__ import annotations

import math

from zenml_ftvr.values import (
    ArmStanding,
    BreakEven,
    Choice,
    DecisionMap,
    Foresight,
    Kind,
    LabelValue,
    LearningCurve,
    MinimumScore,
    PilotEvidence,
    PilotRun,
    PilotScore,
    Reach,
    ScoreForecast,
)

__all__ = ["HOURS", "LAWS", "N_TRAIN", "decision_map", "foresight", "hours_at", "pilots"]

N_TRAIN = 2_520
LAWS: dict[Kind, tuple[float, float, float]] = {
    "baseline": (0.88, 1.1, 0.42),
    "head": (0.89, 0.7, 0.45),
    "partial": (0.925, 1.5, 0.46),
    "full": (0.96, 2.6, 0.44),
    "scratch": (0.97, 4.2, 0.38),
}
"""Score at n rows: a - b n^-c."""
HOURS: dict[Kind, tuple[float, float]] = {
    "baseline": (0.0003, 1e-7),
    "head": (0.003, 3e-6),
    "partial": (0.02, 3e-5),
    "full": (0.05, 9e-5),
    "scratch": (0.04, 5e-5),
}
"""At n rows: a + b n."""
SIZES = (158, 315, 630)


def _score_at(kind: Kind, n_train: float) -> float:
    top, gap, power = LAWS[kind]
    return max(0.05, top - gap * n_train**-power)


def hours_at(kind: Kind, n_train: float) -> float:
    start, each = HOURS[kind]
    return start + each * n_train


def pilots() -> PilotEvidence:
    """Five arms at three sizes; one training diverged, one arm did not fit."""
    runs = [
        PilotRun(
            kind=kind,
            n_train=size,
            seed=seed,
            status="scored",
            score=round(_score_at(kind, size) + 0.006 * (seed - 0.5) * (1 + index % 2), 4),
            seconds=round(3600 * hours_at(kind, size), 1),
            learning_rate=None if kind in ("baseline", "head") else 5e-5,
        )
        for index, kind in enumerate(LAWS)
        for size in SIZES
        for seed in ((0, 1) if kind in ("baseline", "head") else (0,))
    ]
    lost = PilotRun(
        kind="full",
        n_train=SIZES[0],
        seed=0,
        status="diverged",
        score=None,
        seconds=31.0,
        learning_rate=2e-4,
        detail="the loss was no number at step 12.",
    )
    return PilotEvidence(
        metric="accuracy",
        runs=(*runs, lost),
        n_select=270,
        seconds=812.0,
        seconds_allowed=900.0,
        skipped=(("lora", "its smallest pilot would take 4.0 min, and 1.4 min are left."),),
        stopped="No further pilot fitted into what was left of the time allowed for them.",
    )


def _curve(kind: Kind) -> LearningCurve:
    sizes = tuple(SIZES[0] * (40_000 / SIZES[0]) ** (step / 23) for step in range(24))
    width = [0.012 + 0.02 * max(0.0, math.log(size / SIZES[-1])) / 2 for size in sizes]
    means = [_score_at(kind, size) for size in sizes]
    return LearningCurve(
        kind=kind,
        pilots=tuple(
            PilotScore(n_train=one.n_train, seed=one.seed, score=one.score)
            for one in pilots().runs
            if one.kind == kind and one.score is not None
        ),
        n_train=sizes,
        mean=tuple(means),
        low=tuple(mean - half for mean, half in zip(means, width, strict=True)),
        high=tuple(min(1.0, mean + half) for mean, half in zip(means, width, strict=True)),
        level=0.9,
        supported_to=10.0 * SIZES[-1],
    )


def _winner(n_train: float, hours: float) -> Kind | None:
    """The cheapest within half a point of the best that the hours pay for."""
    fitting = [kind for kind in LAWS if hours_at(kind, n_train) <= hours]
    if not fitting:
        return None
    best = max(_score_at(kind, n_train) for kind in fitting)
    near = [kind for kind in fitting if _score_at(kind, n_train) >= best - 0.005]
    return min(near, key=lambda kind: hours_at(kind, n_train))


def decision_map() -> DecisionMap:
    """Thirty sizes and twenty-four budgets."""
    sizes = tuple(round(100 * 400 ** (step / 29)) for step in range(30))
    hours = tuple(0.0005 * 8_000 ** (step / 23) for step in range(24))
    return DecisionMap(
        n_train=sizes,
        hours=hours,
        winners=tuple(tuple(_winner(size, one) for size in sizes) for one in hours),
        supported_to=10.0 * SIZES[-1],
    )


def foresight() -> Foresight:
    """Last layers are chosen: full fine-tuning is a little better, within the tolerance."""
    kinds = sorted(LAWS, key=lambda kind: -_score_at(kind, N_TRAIN))
    best = _score_at(kinds[0], N_TRAIN)
    standings = tuple(
        ArmStanding(
            kind=kind,
            mean=_score_at(kind, N_TRAIN),
            probability_best=(0.61, 0.29, 0.06, 0.03, 0.01)[place],
            expected_regret=round(best - _score_at(kind, N_TRAIN) + 0.003, 4),
            hours=hours_at(kind, N_TRAIN),
            usd=0.4 * hours_at(kind, N_TRAIN),
        )
        for place, kind in enumerate(kinds)
    )
    return Foresight(
        n_train=N_TRAIN,
        choice=Choice(kind=kinds[0], rule="highest mean", tolerance=0.005, standings=standings),
        forecasts=tuple(
            ScoreForecast(
                kind=kind,
                n_train=N_TRAIN,
                mean=_score_at(kind, N_TRAIN),
                low=_score_at(kind, N_TRAIN) - 0.021,
                high=_score_at(kind, N_TRAIN) + 0.021,
                level=0.9,
                n_draws=4_000,
                support="extrapolated",
                forms=(),
            )
            for kind in kinds
        ),
        curves=tuple(_curve(kind) for kind in kinds),
        break_evens=(
            BreakEven(
                first="partial",
                second="full",
                n_train=(4_320.0,),
                ahead_when_small="partial",
                hours=0.4,
            ),
            BreakEven(
                first="partial", second="head", n_train=(), ahead_when_small="partial", hours=None
            ),
        ),
        map=decision_map(),
        label_values=tuple(
            LabelValue(
                kind=kind,
                n_train=N_TRAIN,
                n_more=1_000,
                mean=_score_at(kind, N_TRAIN + 1_000) - _score_at(kind, N_TRAIN),
                low=-0.004,
                high=0.019,
                level=0.9,
                support="extrapolated",
            )
            for kind in kinds
        ),
        seed_sd=0.0061,
        minimum=MinimumScore(
            score=0.92,
            level=0.8,
            arms=(
                Reach(kind="partial", probability=0.12, n_more=None),
                Reach(kind="full", probability=0.22, n_more=6_400),
                Reach(kind="baseline", probability=0.0, n_more=None),
            ),
        ),
    )
