"""The card beside a model, in the format of the Hugging Face Hub."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import get_args

from zenml_ftvr.approaches import most_tokens
from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Bullets
from zenml_ftvr.report.markdown import fenced, markdown_of
from zenml_ftvr.report.usage import usage_lines
from zenml_ftvr.values import Metric, TaskKind, TrainedModel

__all__ = ["model_card"]


PIPELINE_TAGS: dict[TaskKind, str] = {
    "text-classification": "text-classification",
    "token-classification": "token-classification",
    "causal-lm": "text-generation",
    "seq2seq": "text2text-generation",
    "image-classification": "image-classification",
}
"""What the Hugging Face Hub calls a task: huggingface.co/docs/hub/models-tasks."""

SHOWN = {f"eval/{metric}" for metric in get_args(Metric)}
"""The readings of a training curve that are scores."""


def model_card(model: TrainedModel, versions: Mapping[str, str]) -> str:
    """A model card in the format of the Hugging Face Hub: metadata, then text."""
    plan = model.plan
    library = {"baseline": "sklearn", "lora": "peft"}.get(model.kind, "transformers")
    metadata = ["---", f"library_name: {library}", f"pipeline_tag: {PIPELINE_TAGS[plan.task.kind]}"]
    if plan.model is not None and re.fullmatch(r"[\w.-]+/[\w.-]+", plan.model.name):
        metadata.append(f"base_model: {json.dumps(plan.model.name)}")
    metadata += ["tags:", "- zenml-ftvr", f"- {model.kind}", "---"]
    ours, plain = usage_lines(model, "path/to/this/folder")
    facts = [
        f"Trained: {w.what_trains(model.kind, plan.task)}; {w.count(model.n_trainable)} of "
        f"{w.count(model.n_params)} parameters.",
        f"Labels: {', '.join(plan.labels)}." if plan.labels else "",
        *model.notes,
        f"Longest input: {most_tokens(plan.task)} tokens; what is beyond is cut.",
        f"Steps: {w.count(model.steps_done)} of batch size {w.count(plan.batch_size)}"
        + (f", learning rate {plan.learning_rate:g}." if plan.learning_rate else "."),
        f"Seed {plan.seed}; plan {plan.fingerprint}; data {plan.data_fingerprint}.",
        *(
            [f"Base model: {plan.model.name}, sha256 {plan.model_fingerprint}."]
            if plan.model is not None
            else []
        ),
        *(f"Allowed by the user: {allowed}." for allowed in w.allowed_of_base(plan)),
        "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
    ]
    last = [
        f"{point.metric.removeprefix('eval/')} {point.value:.3f} at step {point.step}"
        for point in model.curve
        if point.metric in SHOWN
    ][-2:]
    if last:
        facts.append(f"On the validation rows at the end: {', '.join(last)}.")
    parts = [
        "\n".join(metadata),
        f"# {w.approach_name(model.kind)}, {plan.task.kind}",
        markdown_of((Bullets(tuple(fact for fact in facts if fact)),)),
        "## Use it",
        fenced(ours),
        "Without zenml-ftvr:",
        fenced(plain),
    ]
    return "\n\n".join(parts) + "\n"
