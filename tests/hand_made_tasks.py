"""A report for every task, made by hand: each speaks of its own task."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import hand_made
import hand_made_findings as findings

from zenml_ftvr.values import (
    CausalLM,
    DataProfile,
    Evaluation,
    Forgetting,
    Generation,
    GenerationSample,
    ImageClassification,
    Kind,
    LabelScore,
    Metric,
    MetricNote,
    Mistake,
    ModelEvaluation,
    NumberErrors,
    NumberSample,
    PairedDifference,
    ParetoPoint,
    Quantiles,
    RankedArm,
    Recommendation,
    Score,
    Seq2Seq,
    Task,
    TextClassification,
    TokenClassification,
    TrainedModel,
    metrics_of,
)

__all__ = ["TASKS", "report_of"]

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
                    LabelScore(label=label, precision=0.8, recall=0.75, f1=0.77, n_rows=n_rows)
                    for label, n_rows in zip(labels, (300, 150, 75, 18), strict=False)
                ),
                confusion=confusion if name in ("images", "tags") else (),
                spans=_spans() if name == "tags" else (),
                mistakes=_mistakes() if name in ("tags", "labels") else (),
                numbers=_number_errors(0.4 * index) if name == "numbers" else None,
                seconds=2.5,
                rows_per_second=216.0,
                probabilities=findings.probabilities(0.04) if one_label else None,
                serving=findings.serving(kind),  # type: ignore[arg-type]
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
                p50_ms=findings.SERVED[one.kind][0],
                disk_bytes=findings.SERVED[one.kind][1],
                dominated_by=None,
            )
            for one in models
        ),
    )


def _spans() -> tuple[LabelScore, ...]:
    return tuple(
        LabelScore(label=kind, precision=0.9, recall=0.8, f1=f1, n_rows=90)
        for kind, f1 in (("name", 0.85), (hand_made.SCRIPT, 0.41))
    )


def _mistakes() -> tuple[Mistake, ...]:
    return (
        Mistake(
            row_id="abad1dea" * 4,
            text=f"Anna {hand_made.SCRIPT} met *Bruno* | in Oslo",
            truth=("Anna (name)", f"Oslo ({hand_made.SCRIPT})"),
            answered=(),
        ),
    )


def _number_errors(worse: float) -> NumberErrors:
    truth = [-3.5 + 1.7 * place for place in range(60)]
    pairs = tuple((one, one + (-1) ** round(one) * (1.5 + worse)) for one in truth)
    return NumberErrors(
        bias=0.25 + worse,
        median=1.5 + worse,
        p90=4.75 + worse,
        largest=1_204.5,
        rmse_of_mean=29.3,
        pairs=pairs,
        worst=(
            NumberSample(
                row_id="c0ffee" * 5,
                text=f"{hand_made.SCRIPT} | *far*",
                truth=1_200.0,
                answered=-4.5,
            ),
            NumberSample(row_id="beef" * 8, text="too high", truth=3.0, answered=9.25),
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
