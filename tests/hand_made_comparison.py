"""Three approaches over two seeds, made by hand; names hold what HTML would take for markup."""

from __future__ import annotations

import hand_made

from zenml_ftvr.values import (
    ApproachDifference,
    ArmResult,
    BatchLatency,
    Budget,
    Comparison,
    Kind,
    ParetoPoint,
    Score,
    SeedResult,
    ServingCost,
)

__all__ = ["comparison"]


def _arm(kind: Kind, accuracy: float, seconds: float, disk_bytes: int) -> ArmResult:
    seeds = tuple(
        SeedResult(
            seed=seed,
            score=accuracy + 0.01 * (seed - 0.5),
            train_seconds=seconds,
            stopped_by_budget=False,
        )
        for seed in (0, 1)
    )
    latency = BatchLatency(
        batch_size=1, n_calls=90, p50_ms=seconds / 9, p95_ms=9, p99_ms=12, rows_per_second=80.0
    )
    served = ServingCost(
        form="as trained",
        device="cpu",
        n_threads=1,
        latencies=(latency,),
        disk_bytes=disk_bytes,
        memory_bytes=2 * disk_bytes,
        usd_per_million=1.5,
    )
    score = Score(
        metric="accuracy",
        value=accuracy,
        low=accuracy - 0.03,
        high=accuracy + 0.03,
        n_rows=540,
        method="rows and 2 seeds drawn again, Student's t",
    )
    return ArmResult(
        kind=kind,
        seeds=seeds,
        scores=(score,),
        deviation=0.007,
        train_seconds=seconds,
        usd=0.01,
        n_params=1_000,
        n_trainable=100,
        serving=(served,),
    )


def _difference(second: Kind, mean: float, p_corrected: float) -> ApproachDifference:
    return ApproachDifference(
        first="full",
        second=second,
        metric="accuracy",
        mean=mean,
        low=mean - 0.02,
        high=mean + 0.02,
        p_value=p_corrected / 2,
        p_corrected=p_corrected,
        n_comparisons=2,
        n_seeds=2,
        n_rows=540,
    )


def comparison() -> Comparison:
    """No winner: the best is not significantly better than the next."""
    return Comparison(
        metric="accuracy",
        arms=(
            _arm("full", 0.9, 90.0, 90_000_000),
            _arm("head", 0.89, 9.0, 90_100_000),
            _arm("baseline", 0.7, 1.0, 400_000),
        ),
        left_out=(("scratch", f"it takes 9 hours {hand_made.SCRIPT}"),),
        differences=(_difference("head", 0.01, 0.6), _difference("baseline", 0.2, 0.002)),
        verdict=f"'full' has the best accuracy {hand_made.SCRIPT}, but is not better than 'head'.",
        winner=None,
        tied=("head", "full"),
        seeds=(0, 1),
        budget=Budget(hours=0.5),
        n_test=540,
        n_groups=520,
        ledger=hand_made.recommendation().ledger,
        pareto=(
            ParetoPoint(
                kind="full",
                form="as trained",
                quality=0.9,
                p50_ms=10.0,
                disk_bytes=90_000_000,
                dominated_by=None,
            ),
        ),
        notes=(f"A note {hand_made.SCRIPT}.",),
    )
