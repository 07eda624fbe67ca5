"""The card beside a model, in the format of the Hugging Face Hub."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from zenml_ftvr.approaches import most_tokens
from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Bullets
from zenml_ftvr.report.markdown import fenced, markdown_of
from zenml_ftvr.report.usage import usage_lines
from zenml_ftvr.values import (
    CurvePoint,
    ImageClassification,
    Metric,
    TaskKind,
    TrainedModel,
    metrics_of,
)

__all__ = ["model_card"]


PIPELINE_TAGS: dict[TaskKind, str] = {
    "text-classification": "text-classification",
    "token-classification": "token-classification",
    "causal-lm": "text-generation",
    "seq2seq": "text2text-generation",
    "image-classification": "image-classification",
}
"""What the Hugging Face Hub calls a task: huggingface.co/docs/hub/models-tasks."""

FOLDER = "path/to/this/folder"


def model_card(model: TrainedModel, versions: Mapping[str, str]) -> str:
    """A model card in the format of the Hugging Face Hub: metadata, then text."""
    ours, plain = usage_lines(model, FOLDER)
    parts = [
        _metadata(model),
        f"# {w.approach_name(model.kind)}, {model.plan.task.kind}",
        markdown_of((Bullets(_facts(model)),)),
        "## Use it",
        fenced(ours),
        "Without zenml-ftvr:",
        fenced(plain),
        "## How it was trained",
        markdown_of((Bullets(_training(model, versions)),)),
        "## Limits",
        markdown_of((Bullets(_limits(model)),)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _metadata(model: TrainedModel) -> str:
    """YAML that the Hub reads, huggingface.co/docs/hub/model-cards; texts are quoted as JSON."""
    plan = model.plan
    library = {"baseline": "sklearn", "lora": "peft"}.get(model.kind, "transformers")
    lines = ["---", f"library_name: {library}", f"pipeline_tag: {PIPELINE_TAGS[plan.task.kind]}"]
    if plan.model is not None and re.fullmatch(r"[\w.-]+/[\w.-]+", plan.model.name):
        relation = "adapter" if model.kind == "lora" else "finetune"
        lines.append(f"base_model: {json.dumps(plan.model.name)}")
        lines.append(f"base_model_relation: {relation}")
    lines += ["tags:", "- zenml-ftvr", f"- {model.kind}"]
    measured = [metric for metric in metrics_of(plan.task) if _last(model, metric) is not None]
    if measured:
        lines += ["metrics:", *(f"- {metric}" for metric in measured)]
    return "\n".join([*lines, "---"])


def _last(model: TrainedModel, metric: Metric) -> CurvePoint | None:
    points = [point for point in model.curve if point.metric == f"eval/{metric}"]
    return points[-1] if points else None


def _facts(model: TrainedModel) -> tuple[str, ...]:
    plan = model.plan
    facts = [
        f"Trained: {w.what_trains(model.kind, plan.task)}; {w.count(model.n_trainable)} of "
        f"{w.count(model.n_params)} parameters.",
        *([f"Labels: {', '.join(plan.labels)}."] if plan.labels else []),
        *_longest(model),
    ]
    if plan.model is not None:
        facts.append(f"Base model: {plan.model.name}, sha256 {plan.model_fingerprint}.")
    facts += [f"Allowed by the user: {allowed}." for allowed in w.allowed_of_base(plan)]
    last = [
        f"{metric} {point.value:.3f} at step {point.step}"
        for metric in metrics_of(plan.task)
        if (point := _last(model, metric)) is not None and math.isfinite(point.value)
    ]
    if last:
        facts.append(f"On the validation rows at the end: {', '.join(last)}.")
    return tuple(facts)


def _longest(model: TrainedModel) -> list[str]:
    if isinstance(model.plan.task, ImageClassification):
        return []
    return [f"Longest input: {most_tokens(model.plan.task)} tokens; what is beyond is cut."]


def _training(model: TrainedModel, versions: Mapping[str, str]) -> tuple[str, ...]:
    plan = model.plan
    rate = f", learning rate {plan.learning_rate:g}." if plan.learning_rate else "."
    ended = "; the clock ended it before the plan did" if model.stopped_by == "budget" else ""
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"Steps: {w.count(model.steps_done)} of batch size {w.count(plan.batch_size)}{rate}",
        f"Time: {w.duration(model.seconds)}{ended}.",
        f"Seed {plan.seed}; plan {plan.fingerprint}; data {plan.data_fingerprint}.",
        *(
            [f"Fingerprint of the training, versions included: {model.fingerprint}."]
            if model.fingerprint
            else []
        ),
        *plan.reasons,
        *model.notes,
        f"Versions: {listed}.",
    )


def _limits(model: TrainedModel) -> tuple[str, ...]:
    licences = "the data it was trained on"
    if model.plan.model is not None:
        licences = f"its base model and {licences}"
    return (
        "Scores above are of validation rows, by which the weights were picked; unseen rows are "
        "judged apart, in the report of the run.",
        "It knows what its training rows show: other sources, other languages and later data can "
        "be harder, and what is unfair in the rows is learnt with them.",
        f"The licences of {licences} hold for it; this card does not know them.",
    )
