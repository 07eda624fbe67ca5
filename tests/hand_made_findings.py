"""A report with everything in it, and one for every task: typed values, made by hand.

Curves are power laws, the map follows from them, and the texts are hostile where a user's may be.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import hand_made

from zenml_ftvr.values import (
    ALL_APPROACHES,
    Approach,
    ApproachDifference,
    ArmResult,
    ArmStanding,
    BatchLatency,
    BreakEven,
    Budget,
    CausalLM,
    Choice,
    Comparison,
    DataProfile,
    DecisionMap,
    Evaluation,
    Forecast,
    Foresight,
    Forgetting,
    Generation,
    GenerationSample,
    ImageClassification,
    Kind,
    LabelDoubt,
    LabelScore,
    LabelValue,
    LearningCurve,
    Ledger,
    LedgerEntry,
    Metric,
    MetricNote,
    MinimumScore,
    ModelEvaluation,
    ModelTest,
    PairedDifference,
    ParetoPoint,
    PilotEvidence,
    PilotRun,
    PilotScore,
    ProbabilityCheck,
    Quantiles,
    RankedArm,
    Reach,
    Recommendation,
    Reliability,
    ReliabilityBin,
    Score,
    ScoreForecast,
    SeedResult,
    Seq2Seq,
    ServingCost,
    SliceScore,
    Task,
    TextClassification,
    TokenClassification,
    TrainedModel,
    metrics_of,
)

__all__ = [
    "TASKS",
    "comparison",
    "evaluation",
    "foresight",
    "pilots",
    "recommendation",
    "report_of",
    "trained_models",
]

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
APPROACHES: dict[Kind, Approach] = {one.kind: one for one in ALL_APPROACHES}


def _score_at(kind: Kind, n_train: float) -> float:
    top, gap, power = LAWS[kind]
    return max(0.05, top - gap * n_train**-power)


def _hours_at(kind: Kind, n_train: float) -> float:
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
            seconds=round(3600 * _hours_at(kind, size), 1),
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
    fitting = [kind for kind in LAWS if _hours_at(kind, n_train) <= hours]
    if not fitting:
        return None
    best = max(_score_at(kind, n_train) for kind in fitting)
    near = [kind for kind in fitting if _score_at(kind, n_train) >= best - 0.005]
    return min(near, key=lambda kind: _hours_at(kind, n_train))


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
            hours=_hours_at(kind, N_TRAIN),
            usd=0.4 * _hours_at(kind, N_TRAIN),
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
                    hours=_hours_at(kind, N_TRAIN),
                    usd=0.4 * _hours_at(kind, N_TRAIN),
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


def _probabilities(ece: float) -> ProbabilityCheck:
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


def _serving(kind: Kind) -> tuple[ServingCost, ...]:
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
            probabilities=_probabilities(0.03 + 0.02 * index),
            slices=_slices() if index == 0 else (),
            label_doubts=_doubts() if index == 0 else (),
            serving=_serving(kind),
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
                    train_seconds=3600 * _hours_at(kind if kind in HOURS else "full", N_TRAIN),
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
            train_seconds=3600 * _hours_at(kind if kind in HOURS else "full", N_TRAIN),
            usd=0.4 * _hours_at(kind if kind in HOURS else "full", N_TRAIN),
            n_params=22_713_216,
            n_trainable=3_551_234,
            serving=_serving(kind),
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


TASKS: dict[str, Task] = {
    "labels": TextClassification(target="multi"),
    "numbers": TextClassification(target="regression"),
    "tags": TokenClassification(),
    "language": CausalLM(),
    "chat": CausalLM(form="chat"),
    "texts": Seq2Seq(),
    "images": ImageClassification(),
}


def report_of(name: str) -> tuple[Recommendation, tuple[TrainedModel, ...], Evaluation]:
    """What a report of that task takes: `full` is chosen, `baseline` beside it."""
    task = TASKS[name]
    metrics = metrics_of(task)
    labels = hand_made.LABELS if name in ("labels", "images") else ()
    if name == "tags":
        labels = ("B-name", "I-name", "O", f"B-{hand_made.SCRIPT}")
    models = tuple(_model(task, labels, kind) for kind in ("full", "baseline"))
    recommended = dataclasses.replace(
        hand_made.recommendation(),
        arms=tuple(_arm(arm, task, labels) for arm in _arms()),
        choice="full",
        verdict="Fine-tune all of the base model, of the arms on offer.",
        reasons=("The one arm with published evidence for this situation.",),
        profile=_profile(name, labels),
        metric=metrics[0],
        evidence=dataclasses.replace(
            hand_made.recommendation().evidence, measured=(), differences=(), majority_share=None
        ),
        companion=None,
    )
    return recommended, models, _evaluation(name, metrics, labels)


def _arms() -> list[RankedArm]:
    plain = hand_made.recommendation()
    kinds: tuple[Kind, ...] = ("full", "baseline", "scratch", "lora")
    return [plain.arm(kind) for kind in kinds]


def _arm(arm: RankedArm, task: Task, labels: tuple[str, ...]) -> RankedArm:
    plan = arm.plan
    return dataclasses.replace(
        arm,
        forecast=dataclasses.replace(arm.forecast, score=None, basis="prior"),
        plan=None if plan is None else dataclasses.replace(plan, task=task, labels=labels),
    )


def _model(task: Task, labels: tuple[str, ...], kind: Kind) -> TrainedModel:
    model = hand_made.trained_model(kind)
    first, second = metrics_of(task)[:2]
    curve = tuple(
        dataclasses.replace(
            point,
            metric={"eval/accuracy": f"eval/{first}", "eval/macro_f1": f"eval/{second}"}.get(
                point.metric, point.metric
            ),
        )
        for point in model.curve
    )
    plan = dataclasses.replace(model.plan, task=task, labels=labels)
    return dataclasses.replace(model, plan=plan, curve=curve)


def _profile(name: str, labels: tuple[str, ...]) -> DataProfile:
    plain = dataclasses.replace(hand_made.data_profile(), checks=hand_made.data_checks())
    sides = Quantiles(minimum=64, p50=224, p90=512, p99=1_024, maximum=4_000, mean=300)
    if name == "images":
        return dataclasses.replace(plain, tokens=None, widths=sides, heights=sides)
    if name == "numbers":
        numbers = Quantiles(minimum=-3.5, p50=12.25, p90=40, p99=99, maximum=1_200, mean=19)
        return dataclasses.replace(plain, classes=(), numbers=numbers)
    return plain if labels else dataclasses.replace(plain, classes=())


VALUES: dict[Metric, float] = {"rmse": 3.41, "bits_per_byte": 1.284, "perplexity": 18.7}


def _task_score(metric: Metric, worse: float) -> Score:
    value = VALUES.get(metric, 0.74)
    value = value * (1 + worse) if metric in VALUES else value - worse
    return Score(metric=metric, value=value, low=0.97 * value, high=1.03 * value, n_rows=540)


def _evaluation(name: str, metrics: Sequence[Metric], labels: tuple[str, ...]) -> Evaluation:
    confusion = ((280, 12, 8, 0), (10, 130, 10, 0), (5, 5, 65, 0), (1, 6, 0, 8))
    one_label = name == "images"
    models = []
    for index, kind in enumerate(("full", "baseline")):
        models.append(
            ModelEvaluation(
                kind=kind,  # type: ignore[arg-type]
                scores=tuple(_task_score(metric, 0.09 * index) for metric in metrics),
                labels=tuple(
                    LabelScore(label=label, precision=0.8, recall=0.75, f1=0.77, n_rows=75)
                    for label in (labels if one_label else ())
                ),
                confusion=confusion if one_label else (),
                seconds=2.5,
                rows_per_second=216.0,
                probabilities=_probabilities(0.04) if one_label else None,
                serving=_serving(kind),  # type: ignore[arg-type]
                generation=_generation(name) if index == 0 else None,
                forgetting=Forgetting(
                    measure="causal loss",
                    text="a file of the user's",
                    n_texts=128,
                    before=3.12,
                    after=3.48,
                    low=0.3,
                    high=0.42,
                )
                if name in ("language", "chat") and index == 0
                else None,
            )
        )
    return Evaluation(
        choice="full",
        models=tuple(models),
        differences=(
            PairedDifference(
                first="full",
                second="baseline",
                metric=metrics[0],
                mean=0.09,
                low=0.05,
                high=0.13,
                regret_of_first=0.0,
                regret_of_second=0.09,
                n_rows=540,
            ),
        ),
        majority_accuracy=0.556 if one_label else None,
        n_test=540,
        ledger=hand_made.evaluation().ledger,
        metric=metrics[0],
        pareto=tuple(
            ParetoPoint(
                kind=one.kind,
                form="as trained",
                quality=one.scores[0].value,
                p50_ms=SERVED[one.kind][0],
                disk_bytes=SERVED[one.kind][1],
                dominated_by=None,
            )
            for one in models
        ),
    )


def _generation(name: str) -> Generation | None:
    if name not in ("texts", "chat", "language"):
        return None
    metrics: tuple[Metric, ...] = ("bleu", "chrf", "rouge_l", "exact_match")
    return Generation(
        scores=tuple(_task_score(metric, 0.0) for metric in metrics),
        notes=tuple(
            MetricNote(
                metric=metric,
                sees="runs of words that are in both texts",
                misses="the same said in other words, and what is left out",
            )
            for metric in metrics
        ),
        samples=tuple(
            GenerationSample(
                given=f"Summarise: {hand_made.SCRIPT} | the meeting of *March* was moved to May.",
                wanted="The meeting was moved to May.",
                written=written,
                scores=tuple((metric, value) for metric in metrics),
            )
            for written, value in (
                ("", 0.0),
                ("The meeting | was <b>moved</b>.", 0.55),
                ("The meeting was moved to May.", 1.0),
            )
        ),
        n_rows=540,
    )
