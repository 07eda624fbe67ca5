"""A report with everything in it, made by hand; its texts are hostile where a user's may be."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import hand_made
from hand_made_foresight import HOURS, LAWS, N_TRAIN, decision_map, foresight, hours_at, pilots

from zenml_ftvr.values import (
    ALL_APPROACHES,
    Approach,
    ApproachDifference,
    ArmResult,
    BatchLatency,
    Budget,
    Comparison,
    Evaluation,
    Forecast,
    ForecastRecord,
    Forgetting,
    Kind,
    LabelDoubt,
    Ledger,
    LedgerEntry,
    ModelTest,
    Outcome,
    ParetoPoint,
    ProbabilityCheck,
    RankedArm,
    Recommendation,
    Reliability,
    ReliabilityBin,
    Score,
    SeedResult,
    ServingCost,
    SliceScore,
    TrainedModel,
)

__all__ = [
    "LAWS",
    "SERVED",
    "comparison",
    "decision_map",
    "evaluation",
    "foresight",
    "pilots",
    "probabilities",
    "recommendation",
    "record",
    "serving",
    "trained_models",
]

APPROACHES: dict[Kind, Approach] = {one.kind: one for one in ALL_APPROACHES}


def recommendation() -> Recommendation:
    """As `hand_made.recommendation`, with pilots and what they foresee."""
    plain = hand_made.recommendation()
    found, measured, full = foresight(), plain.arms[0].cost, hand_made.trained_model("full")
    assert measured is not None
    arms = []
    for kind in [one.kind for one in found.choice.standings]:
        forecast = found.forecast(kind)
        assert forecast is not None
        score = Score(
            metric="accuracy",
            value=forecast.mean,
            low=forecast.low,
            high=forecast.high,
            n_rows=270,
            level=0.9,
            method="pilots",
        )
        arms.append(
            RankedArm(
                approach=APPROACHES[kind],
                feasible=True,
                reasons=(),
                forecast=Forecast(
                    score=score,
                    basis="piloted",
                    evidence=("3 pilots at 158, 315, 630 rows; the forecast is extrapolated.",),
                ),
                cost=dataclasses.replace(
                    measured,
                    hours=hours_at(kind, N_TRAIN),
                    usd=0.4 * hours_at(kind, N_TRAIN),
                ),
                plan=dataclasses.replace(full.plan, approach=APPROACHES[kind]),
            )
        )
    lora = next(arm for arm in plain.arms if arm.kind == "lora")
    return dataclasses.replace(
        plain,
        arms=(*arms, lora),
        choice=found.choice.kind,
        verdict=f"Fine-tune the last layers of minilm: forecast accuracy "
        f"{found.choice.chosen.mean:.3f}; 'head' is next.",
        pilots=pilots(),
        foresight=found,
    )


def trained_models() -> tuple[TrainedModel, ...]:
    """The chosen one has curves."""
    full = hand_made.trained_model("full")
    partial = dataclasses.replace(
        full,
        plan=dataclasses.replace(full.plan, approach=APPROACHES["partial"]),
        path="/models/partial",
        notes=("Out of memory at 16 rows at once: 8 were computed at once, for the same batch.",),
    )
    return partial, hand_made.trained_model("baseline"), hand_made.trained_model("full")


def _reliability(shift: float, ece: float) -> Reliability:
    bins = []
    for index in range(10):
        low, high = 0.25 + 0.075 * index, 0.25 + 0.075 * (index + 1)
        middle = (low + high) / 2
        n_rows = 8 + 12 * index if index else 0
        bins.append(
            ReliabilityBin(
                low=low,
                high=high,
                n_rows=n_rows,
                mean_confidence=middle if n_rows else None,
                share_right=max(0.0, middle - shift * (1.2 - middle)) if n_rows else None,
            )
        )
    return Reliability(bins=tuple(bins), ece=ece, ece_if_calibrated=0.011, log_loss=0.31 + ece)


def probabilities(ece: float) -> ProbabilityCheck:
    return ProbabilityCheck(
        as_trained=_reliability(0.32, ece),
        scaled=_reliability(0.04, 0.014),
        temperature=1.62,
        n_fitted=270,
        binning="Rows are in bins of equal width.",
        bias="With few rows a bin, the error of a perfectly calibrated model is not zero.",
    )


def _slices() -> tuple[SliceScore, ...]:
    parts = (
        ("plan", f"premium | {hand_made.SCRIPT}", 64, 0.79, 0.91, 0.004),
        ("length", "1 to 40 characters", 131, 0.87, 0.9, 0.41),
        ("length", "41 to 96 characters", 210, 0.9, 0.89, 0.9),
        ("plan", "free", 476, 0.91, 0.79, 0.012),
    )
    return tuple(
        SliceScore(
            column=column,
            value=value,
            score=Score(
                metric="accuracy", value=score, low=score - 0.05, high=score + 0.04, n_rows=n_rows
            ),
            rest=rest,
            p_value=p_value / 4,
            p_corrected=p_value,
            n_comparisons=4,
            is_worse=p_value < 0.05 and score < rest,
        )
        for column, value, n_rows, score, rest, p_value in parts
    )


def _doubts() -> tuple[LabelDoubt, ...]:
    texts = (
        f"Please cancel my order {hand_made.SCRIPT} | now, `thanks` @everyone",
        "the delivery arrived two days late and the box was open, but the colleague on the phone "
        "was very kind and sent another one at once, which I had not expected; thank you! " * 2,
        "ok",
    )
    return tuple(
        LabelDoubt(
            row_id=f"{index:02d}abcdef0123456789",
            split="test" if index % 2 else "validation",
            text=texts[index % 3],
            given=hand_made.LABELS[index % 4],
            suggested=hand_made.LABELS[(index + 1) % 4],
            probability_given=0.001 * (index + 1),
            probability_suggested=0.998 - 0.002 * index,
        )
        for index in range(24)
    )


SERVED: dict[Kind, tuple[float, int, int]] = {
    "baseline": (0.7, 2_100_000, 5_200_000),
    "head": (9.1, 91_000_000, 90_000_000),
    "partial": (9.4, 91_500_000, 90_900_000),
    "full": (9.5, 91_500_000, 90_900_000),
    "lora": (11.8, 92_900_000, 91_700_000),
    "scratch": (1.9, 14_000_000, 13_100_000),
}


def serving(kind: Kind) -> tuple[ServingCost, ...]:
    p50, disk, memory = SERVED[kind]

    def latency(batch_size: int, factor: float) -> BatchLatency:
        return BatchLatency(
            batch_size=batch_size,
            n_calls=400,
            p50_ms=p50 * factor,
            p95_ms=1.3 * p50 * factor,
            p99_ms=1.9 * p50 * factor,
            rows_per_second=1000 * batch_size / (p50 * factor),
        )

    one = ServingCost(
        form="as trained",
        device="cpu",
        n_threads=2,
        latencies=(latency(1, 1.0), latency(32, 14.0)),
        disk_bytes=disk,
        memory_bytes=memory,
        usd_per_million=0.4 / 3600 * p50 * 14 / 32 * 1000,
    )
    return (one,)


def _forgetting(after: float) -> Forgetting:
    return Forgetting(
        measure="neighbour agreement",
        text="paragraphs of the language reference that comes with Python",
        n_texts=256,
        before=1.0,
        after=after,
        low=after - 1.04,
        high=after - 0.96,
        n_neighbours=10,
        by_chance=0.04,
    )


def evaluation() -> Evaluation:
    """Everything that can be measured of a classifier."""
    plain = hand_made.evaluation()
    kinds: tuple[Kind, ...] = ("partial", "baseline", "full")
    quality = (0.894, 0.839, 0.894)
    models = tuple(
        dataclasses.replace(
            model,
            kind=kind,
            probabilities=probabilities(0.03 + 0.02 * index),
            slices=_slices() if index == 0 else (),
            label_doubts=_doubts() if index == 0 else (),
            serving=serving(kind),
            forgetting=None if kind == "baseline" else _forgetting(0.71 - 0.2 * (index == 2)),
            notes=("Latency at batch 32 was timed 40 times only.",) if index == 2 else (),
        )
        for index, (kind, model) in enumerate(zip(kinds, plain.models, strict=True))
    )
    return dataclasses.replace(
        plain,
        choice="partial",
        models=models,
        differences=tuple(
            dataclasses.replace(one, first="partial" if one.first == "head" else one.first)
            for one in plain.differences
        ),
        metric="accuracy",
        tests=_tests(kinds),
        pareto=tuple(
            ParetoPoint(
                kind=kind,
                form="as trained",
                quality=score,
                p50_ms=SERVED[kind][0],
                disk_bytes=SERVED[kind][1],
                dominated_by="partial" if kind == "full" else None,
            )
            for kind, score in zip(kinds, quality, strict=True)
        ),
        n_groups=538,
    )


def _tests(kinds: Sequence[Kind]) -> tuple[ModelTest, ...]:
    pairs = [(kinds[0], kinds[1]), (kinds[0], kinds[2]), (kinds[2], kinds[1])]
    return tuple(
        ModelTest(
            first=first,
            second=second,
            metric=metric,
            test="McNemar, mid-p" if metric == "accuracy" else "paired bootstrap",
            difference=0.055 if second == "baseline" else 0.0,
            low=0.031 if second == "baseline" else -0.012,
            high=0.08 if second == "baseline" else 0.012,
            p_value=0.00002 if second == "baseline" else 0.94,
            p_corrected=0.00006 if second == "baseline" else 0.94,
            n_comparisons=3,
            n_rows=540,
            only_first_right=48 if metric == "accuracy" else None,
            only_second_right=18 if metric == "accuracy" else None,
        )
        for first, second in pairs
        for metric in ("accuracy", "macro_f1")
    )


def comparison() -> Comparison:
    """Six arms, three seeds each; one was left out."""
    means: dict[Kind, float] = {
        "partial": 0.898,
        "lora": 0.893,
        "full": 0.89,
        "head": 0.871,
        "baseline": 0.842,
        "scratch": 0.81,
    }
    arms = tuple(
        ArmResult(
            kind=kind,
            seeds=tuple(
                SeedResult(
                    seed=seed,
                    score=mean + 0.004 * (seed - 1),
                    train_seconds=3600 * hours_at(kind if kind in HOURS else "full", N_TRAIN),
                    stopped_by_budget=kind == "full" and seed == 2,
                )
                for seed in range(3)
            ),
            scores=tuple(
                Score(
                    metric=metric,
                    value=mean - drop,
                    low=mean - drop - 0.02,
                    high=mean - drop + 0.02,
                    n_rows=540,
                )
                for metric, drop in (("accuracy", 0.0), ("macro_f1", 0.06))
            ),
            deviation=0.004,
            train_seconds=3600 * hours_at(kind if kind in HOURS else "full", N_TRAIN),
            usd=0.4 * hours_at(kind if kind in HOURS else "full", N_TRAIN),
            n_params=22_713_216,
            n_trainable=3_551_234,
            serving=serving(kind),
        )
        for kind, mean in means.items()
    )
    return Comparison(
        metric="accuracy",
        arms=arms,
        left_out=(("contrastive", "it needs 1.2 h for its pairs; each training has 0.5 h."),),
        differences=tuple(
            ApproachDifference(
                first="partial",
                second=kind,
                metric="accuracy",
                mean=0.898 - mean,
                low=0.898 - mean - 0.016,
                high=0.898 - mean + 0.016,
                p_value=0.2 if mean > 0.88 else 0.0004,
                p_corrected=0.4 if mean > 0.88 else 0.002,
                n_comparisons=5,
                n_seeds=3,
                n_rows=540,
            )
            for kind, mean in means.items()
            if kind != "partial"
        ),
        verdict="Last layers is best (accuracy 0.898), but lora and full are not told apart from "
        "it; the cheapest of the three is last layers.",
        winner=None,
        tied=("partial", "lora", "full"),
        seeds=(0, 1, 2),
        budget=Budget(hours=0.5),
        n_test=540,
        n_groups=538,
        ledger=Ledger(
            entries=tuple(
                LedgerEntry(
                    what="training",
                    kind=arm.kind,
                    seconds=3 * arm.train_seconds,
                    predicted_seconds=3.3 * arm.train_seconds,
                )
                for arm in arms
            ),
            usd_per_hour=0.4,
        ),
        pareto=tuple(
            ParetoPoint(
                kind=kind,
                form="as trained",
                quality=mean,
                p50_ms=SERVED[kind][0],
                disk_bytes=SERVED[kind][1],
                dominated_by={"lora": "partial", "full": "partial", "scratch": "baseline"}.get(
                    kind
                ),
            )
            for kind, mean in means.items()
        ),
        notes=("Full fine-tuning was stopped by the clock once.",),
    )


def record() -> ForecastRecord:
    """Three arms were trained; the baseline's forecast missed."""
    recommended, evaluated = recommendation(), evaluation()
    outcomes = tuple(
        Outcome(
            kind=model.kind,
            chosen=model.kind == evaluated.choice,
            basis=recommended.arm(model.kind).forecast.basis,
            forecast=recommended.arm(model.kind).forecast.score,
            support="extrapolated",
            score=dataclasses.replace(model.score("accuracy"), value=value),
            predicted_hours=0.25,
            hours=None if model.kind == "baseline" else 0.27,
        )
        for model, value in zip(evaluated.models, (0.894, 0.9, 0.88), strict=True)
    )
    return ForecastRecord(
        data_fingerprint=hand_made.DATA,
        model=f"minilm {hand_made.SCRIPT}",
        device_name="A processor <of some make>",
        metric="accuracy",
        n_train=N_TRAIN,
        n_test=540,
        verdict=recommended.verdict,
        outcomes=outcomes,
    )
