"""A whole recommendation, three trained models and their evaluation, made by hand.

Names and labels hold what HTML and Markdown would take for markup.
"""

from __future__ import annotations

import dataclasses

from zenml_ftvr.values import (
    ArmCalibration,
    Baseline,
    Budget,
    Calibration,
    ClassCount,
    CostEstimate,
    CostLimits,
    CurvePoint,
    DataChecks,
    DataProfile,
    Evaluation,
    Forecast,
    Full,
    Hardware,
    Head,
    Kind,
    LabelScore,
    Ledger,
    LedgerEntry,
    Lora,
    MeasuredScore,
    Metric,
    ModelEvaluation,
    ModelSource,
    PairedDifference,
    PilotEvidence,
    PilotRun,
    Quantiles,
    RankedArm,
    Recommendation,
    Score,
    Scratch,
    ScreeningEvidence,
    TextClassification,
    TokenProfile,
    TrackedRun,
    TrainedModel,
    TrainingPlan,
)

__all__ = [
    "CREATED",
    "LABELS",
    "SOURCE",
    "TITLE",
    "VERSIONS",
    "calibration",
    "data_checks",
    "data_profile",
    "evaluation",
    "model_evaluation",
    "pilots",
    "recommendation",
    "trained_model",
    "trained_models",
]

SCRIPT = "<script>alert(1)</script>"
LABELS = ("pipes | and `ticks`", "plain", SCRIPT, "\"double\" and 'single' & more")
SOURCE = f"tickets | of `March` {SCRIPT} \"new\" 'old'.csv"
TITLE = f"Which approach for {SOURCE}?"
VERSIONS = {"python": "3.11.7", "zenml-ftvr": "0.1.0", "torch": "2.13.0"}
CREATED = "2026-11-24 06:00 UTC"

DATA = "d" * 64
WEIGHTS = "b" * 64
USD_PER_HOUR = 0.4


def data_profile() -> DataProfile:
    """Four classes of unequal size."""
    counts = ((1_400, 300, 300), (700, 150, 150), (350, 75, 75), (70, 15, 15))
    return DataProfile(
        source=SOURCE,
        fingerprint=DATA,
        n_rows=3_600,
        n_train=2_520,
        n_validation=540,
        n_test=540,
        classes=tuple(
            ClassCount(label=label, train=train, validation=validation, test=test)
            for label, (train, validation, test) in zip(LABELS, counts, strict=True)
        ),
        n_duplicates=12,
        n_conflicts=1,
        n_dropped=0,
        characters=Quantiles(minimum=3, p50=80, p90=200, p99=900, maximum=4_000, mean=110.5),
        words=Quantiles(minimum=1, p50=14, p90=36, p99=160, maximum=720, mean=19.25),
        tokens=TokenProfile(
            tokenizer="minilm",
            vocabulary_size=30_522,
            tokens=Quantiles(minimum=3, p50=19, p90=48, p99=200, maximum=900, mean=25.5),
            total_train_tokens=64_260,
            pieces_per_word=1.31,
            unknown_share=0.001,
            truncated_share=0.06,
            max_length=128,
        ),
        warnings=(
            "1 text occurs under more than one label: no model can be right on all of them.",
        ),
    )


def data_checks() -> DataChecks:
    """A few near-duplicates, one of them across splits, and a row that is far too long."""
    return DataChecks(
        n_leaked_test=0,
        n_leaked_validation=0,
        n_distinct=3_588,
        n_compared=3_588,
        n_near_duplicates=14,
        n_near_leaked_test=1,
        n_near_leaked_validation=2,
        n_far_longer=1,
        far_longer_than=9_000,
        n_misencoded=0,
    )


def calibration() -> Calibration:
    """Four arms timed, and one that was not tried."""

    def arm(kind: Kind, seconds: float, gib: float, n_trainable: int) -> ArmCalibration:
        return ArmCalibration(
            kind=kind,
            seconds_per_step=seconds,
            batch_size=16,
            n_steps_timed=5,
            seconds_per_eval_row=seconds / 48,
            setup_seconds=1.25,
            save_seconds=0.2,
            peak_memory_gib=gib,
            n_params=22_713_216,
            n_trainable=n_trainable,
        )

    return Calibration(
        hardware=Hardware(
            device="cpu",
            device_name="A processor <of some make>",
            n_devices=1,
            cores=2,
            memory_gib=15.5,
            device_memory_gib=None,
            usd_per_hour=USD_PER_HOUR,
        ),
        model=ModelSource(),
        data_fingerprint=DATA,
        arms=(
            arm("baseline", 0.75, 0.05, 40_004),
            arm("head", 0.5, 0.4, 1_540),
            arm("full", 1.5, 0.9, 22_713_216),
            arm("scratch", 0.1, 0.2, 420_000),
        ),
        process_memory_gib=0.5,
        seconds=30.0,
        skipped=(("lora", "it needs about 20.0 GiB by arithmetic; the machine has 15.5 GiB."),),
    )


def _score(metric: Metric, value: float, n_rows: int) -> Score:
    return Score(
        metric=metric,
        value=value,
        low=round(value - 0.02, 3),
        high=round(value + 0.02, 3),
        n_rows=n_rows,
    )


def _scores(accuracy: float, macro_f1: float, n_rows: int) -> tuple[Score, Score]:
    return _score("accuracy", accuracy, n_rows), _score("macro_f1", macro_f1, n_rows)


def _difference(first: Kind, metric: Metric, mean: float, n_rows: int) -> PairedDifference:
    return PairedDifference(
        first=first,
        second="baseline",
        metric=metric,
        mean=mean,
        low=round(mean - 0.015, 3),
        high=round(mean + 0.015, 3),
        regret_of_first=0.0,
        regret_of_second=mean,
        n_rows=n_rows,
    )


def _plan(kind: Kind) -> TrainingPlan:
    approaches = {
        "baseline": Baseline(),
        "head": Head(),
        "full": Full(learning_rate=5e-5, epochs=4, batch_size=16),
    }
    steps = 630 if kind == "full" else 0
    return TrainingPlan(
        approach=approaches[kind],
        task=TextClassification(),
        model=None if kind == "baseline" else ModelSource(),
        model_fingerprint=None if kind == "baseline" else WEIGHTS,
        data_fingerprint=DATA,
        labels=LABELS,
        max_steps=steps,
        batch_size=16,
        learning_rate=5e-5 if kind == "full" else None,
        warmup_steps=steps // 10,
        weight_decay=0.01 if kind == "full" else 0.0,
        eval_every_steps=79 if kind == "full" else 0,
        seed=7,
        wall_seconds=900.0 if kind == "full" else None,
        predicted_hours=0.25 if kind == "full" else 0.01,
        reasons=("4 epochs: as many as there is time for.",) if kind == "full" else (),
    )


def pilots() -> PilotEvidence:
    """Three pilots, one of them lost, and an arm without any."""
    return PilotEvidence(
        metric="accuracy",
        runs=(
            PilotRun(kind="head", n_train=90, seed=0, status="scored", score=0.71, seconds=1.5),
            PilotRun(
                kind="full",
                n_train=90,
                seed=0,
                status="collapsed",
                score=None,
                seconds=20.25,
                learning_rate=1e-4,
                detail=f"it gave every row that it was judged on '{SCRIPT}'.",
            ),
            PilotRun(
                kind="full",
                n_train=90,
                seed=10_007,
                status="scored",
                score=0.68,
                seconds=21.0,
                learning_rate=1e-4,
            ),
        ),
        n_select=270,
        seconds=42.75,
        seconds_allowed=60.0,
        skipped=(("lora", "its first pilots would take about 3.2 min."),),
        stopped="The next pilots would take about 40 s, and 17 s were left.",
    )


def recommendation() -> Recommendation:
    """A frozen head is recommended; fine-tuning is trained beside it."""

    def cost(hours: float, gib: float) -> CostEstimate:
        low, high = 0.87 * hours, 1.15 * hours
        return CostEstimate(
            hours=hours,
            usd=hours * USD_PER_HOUR,
            peak_memory_gib=gib,
            basis="calibrated",
            limits=CostLimits(
                level=0.8,
                hours=(low, high),
                usd=(low * USD_PER_HOUR, high * USD_PER_HOUR),
                peak_memory_gib=(0.9 * gib, 1.12 * gib),
            ),
        )

    measured = Forecast(
        score=_score("accuracy", 0.871, 2_520),
        basis="measured",
        evidence=("Cross-validated on the training split, 5 folds.",),
    )
    unmeasured = Forecast(
        score=None, basis="prior", evidence=("Kumar et al. 2022, arXiv 2202.10054, table 1.",)
    )
    arms = (
        RankedArm(
            approach=Head(),
            feasible=True,
            reasons=(),
            forecast=measured,
            cost=cost(0.01, 0.4),
            plan=_plan("head"),
        ),
        RankedArm(
            approach=Full(),
            feasible=True,
            reasons=(),
            forecast=unmeasured,
            cost=cost(0.27, 0.9),
            plan=_plan("full"),
        ),
        RankedArm(
            approach=Baseline(),
            feasible=True,
            reasons=(),
            forecast=dataclasses.replace(measured, score=_score("accuracy", 0.842, 2_520)),
            cost=cost(0.0005, 0.05),
            plan=_plan("baseline"),
        ),
        RankedArm(
            approach=Scratch(),
            feasible=False,
            reasons=("it needs 1.2 h for 4 epochs; the budget leaves 0.5 h.",),
            forecast=unmeasured,
            cost=cost(1.2, 0.2),
            plan=None,
        ),
        RankedArm(
            approach=Lora(),
            feasible=False,
            reasons=("it needs about 20.0 GiB by arithmetic; the machine has 15.5 GiB.",),
            forecast=unmeasured,
            cost=None,
            plan=None,
        ),
    )
    return Recommendation(
        arms=arms,
        choice="head",
        verdict="Keep minilm frozen and train a linear head on its features.",
        reasons=(
            f"The smallest class, {LABELS[2]}, has 70 rows.",
            "Choosing word counts over the head would cost 0.029 in expectation.",
        ),
        budget=Budget(hours=0.52),
        hours_allowed=0.5,
        profile=dataclasses.replace(data_profile(), checks=data_checks()),
        calibration=calibration(),
        evidence=ScreeningEvidence(
            measured=tuple(
                MeasuredScore(kind=kind, scores=_scores(*scores, 2_520), folds=5, seconds=20.0)
                for kind, scores in (("baseline", (0.842, 0.7)), ("head", (0.871, 0.76)))
            ),
            differences=(
                _difference("head", "accuracy", 0.029, 2_520),
                _difference("head", "macro_f1", 0.06, 2_520),
            ),
            majority_share=0.556,
            seconds=42.0,
        ),
        metric="accuracy",
        tolerance=0.005,
        ledger=Ledger(
            entries=(
                LedgerEntry(what="calibration", kind=None, seconds=30.0),
                LedgerEntry(what="cross-validation", kind=None, seconds=42.0),
            ),
            usd_per_hour=USD_PER_HOUR,
        ),
        companion="full",
    )


def trained_model(kind: Kind) -> TrainedModel:
    """`full` was stopped by the clock and has curves; the others are solved, not stepped."""
    plan = _plan(kind)
    curve = tuple(
        CurvePoint(step=0, metric=metric, value=value, seconds=4.0)
        for metric, value in (("eval/accuracy", 0.86), ("eval/macro_f1", 0.75))
    )
    if kind == "full":
        readings = (
            (79, 1.1, 0.9, 0.71, 0.5),
            (158, 0.7, 0.6, 0.82, 0.64),
            (237, 0.45, 0.5, 0.85, 0.7),
        )
        names = ("train/loss", "eval/loss", "eval/accuracy", "eval/macro_f1")
        curve = tuple(
            CurvePoint(step=step, metric=name, value=value, seconds=1.4 * step)
            for step, *values in readings
            for name, value in zip(names, values, strict=True)
        )
    seconds = {"baseline": 1.5, "head": 38.0, "full": 905.0}[kind]
    predicted = plan.predicted_hours
    tracked = {
        "baseline": None,
        "head": TrackedRun(
            run_id="abc123",
            name="head-1a2b3c",
            project="zenml-ftvr",
            url=None,
            offline_folder="/runs/wandb/offline-run-1-abc123",
        ),
        "full": TrackedRun(
            run_id="def456",
            name="full-4d5e6f",
            project="zenml-ftvr",
            url="https://wandb.example/team/zenml-ftvr/runs/def456",
            offline_folder=None,
        ),
    }[kind]
    return TrainedModel(
        path=f"/models/{kind} 'of' March",
        plan=plan,
        curve=curve,
        steps_done=237 if kind == "full" else 0,
        stopped_by="budget" if kind == "full" else "finished",
        seconds=seconds,
        peak_memory_gib=0.85,
        n_params=22_713_216,
        n_trainable=22_713_216 if kind == "full" else 1_540,
        n_bytes=91_000_000,
        ledger=Ledger(
            entries=(
                LedgerEntry(
                    what="training",
                    kind=kind,
                    seconds=seconds,
                    predicted_seconds=None if predicted is None else predicted * 3600,
                ),
            ),
            usd_per_hour=USD_PER_HOUR,
        ),
        tracked=tracked,
    )


def trained_models() -> tuple[TrainedModel, ...]:
    """The chosen model first."""
    return trained_model("head"), trained_model("baseline"), trained_model("full")


def model_evaluation(
    kind: Kind, labels: tuple[str, ...], confusion: tuple[tuple[int, ...], ...]
) -> ModelEvaluation:
    """Scores that follow from a confusion table."""
    n_rows = sum(map(sum, confusion))
    hits = sum(row[index] for index, row in enumerate(confusion))
    return ModelEvaluation(
        kind=kind,
        scores=_scores(round(hits / n_rows, 3), 0.75, n_rows),
        labels=tuple(
            LabelScore(
                label=label,
                precision=round(0.9 - 0.01 * index, 3),
                recall=round(row[index] / (sum(row) or 1), 3),
                f1=round(0.85 - 0.01 * index, 3),
                n_rows=sum(row),
            )
            for index, (label, row) in enumerate(zip(labels, confusion, strict=True))
        ),
        confusion=confusion,
        seconds=2.5,
        rows_per_second=216.0,
    )


def evaluation() -> Evaluation:
    """All three models on 540 test rows."""
    better = ((280, 12, 8, 0), (10, 130, 10, 0), (5, 5, 65, 0), (1, 6, 0, 8))
    worse = ((290, 8, 2, 0), (30, 110, 10, 0), (15, 10, 50, 0), (3, 9, 0, 3))
    models = recommendation().ledger
    for model in trained_models():
        models = models.with_entries(*model.ledger.entries)
    return Evaluation(
        choice="head",
        models=(
            model_evaluation("head", LABELS, better),
            model_evaluation("baseline", LABELS, worse),
            model_evaluation("full", LABELS, better),
        ),
        differences=(
            _difference("head", "accuracy", 0.056, 540),
            _difference("head", "macro_f1", 0.01, 540),
            _difference("full", "accuracy", 0.056, 540),
            _difference("full", "macro_f1", 0.01, 540),
        ),
        majority_accuracy=0.556,
        n_test=540,
        ledger=models.with_entries(
            LedgerEntry(what="evaluation", kind="head", seconds=3.0, predicted_seconds=2.0),
            LedgerEntry(what="evaluation", kind="baseline", seconds=0.5, predicted_seconds=0.5),
            LedgerEntry(what="evaluation", kind="full", seconds=5.0, predicted_seconds=4.0),
        ),
    )
