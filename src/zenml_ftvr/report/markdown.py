"""The report in short as Markdown, for pull requests; and the card beside a model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import get_args

from zenml_ftvr.approaches import most_tokens
from zenml_ftvr.report import sections
from zenml_ftvr.report import wording as w
from zenml_ftvr.report.usage import usage_lines
from zenml_ftvr.values import Evaluation, Metric, Recommendation, TaskKind, TrainedModel

__all__ = ["model_card", "render_markdown"]


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


def _plain(text: object) -> str:
    """Text that Markdown and HTML take for text, on one line."""
    escaped = re.sub(r"([\\`*_{}\[\]|#~])", r"\\\1", " ".join(str(text).split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    cells = [
        [cell if index == 1 else _plain(cell) for cell in line] for index, line in enumerate(lines)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _list(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {_plain(sentence)}" for sentence in sentences)


def _fenced(text: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}python\n{text}\n{fence}"


def render_markdown(
    recommendation: Recommendation,
    models: Sequence[TrainedModel],
    evaluation: Evaluation,
    *,
    title: str,
    versions: Mapping[str, str],
    created: str,
) -> str:
    """The same content as the page, without its pictures."""
    ranked = _table(
        ["", "Approach", "Score [95 %]", "Time", "Dollars", "Fits the budget"],
        [
            [
                str(place),
                w.approach_name(arm.kind),
                "not measured" if (score := arm.forecast.score) is None else w.score_text(score),
                "–" if arm.cost is None else w.duration(arm.cost.hours * 3600),
                "–" if arm.cost is None else w.dollars(arm.cost.usd),
                "yes" if arm.feasible else " ".join(arm.reasons),
            ]
            for place, arm in enumerate(recommendation.arms, start=1)
        ],
    )
    tested = _table(
        ["Model", *(f"{w.metric_name(one.metric)} [95 %]" for one in evaluation.models[0].scores)],
        [
            [w.approach_name(model.kind), *(w.score_text(score) for score in model.scores)]
            for model in evaluation.models
        ],
    )
    differences = _list(
        [
            f"{w.approach_name(one.first)} minus {w.approach_name(one.second).lower()}, "
            f"{w.metric_words(one.metric)}: {w.difference_text(one)}, "
            f"{'significant' if one.is_significant else 'within chance'}."
            for one in evaluation.differences
        ]
    )
    spent = _table(
        ["What", "Predicted", "Actual"],
        [
            [
                entry.what
                if entry.kind is None
                else f"{entry.what}, {w.approach_name(entry.kind)}",
                w.duration(entry.predicted_seconds),
                w.duration(entry.seconds),
            ]
            for entry in evaluation.ledger.entries
        ],
    )
    ours, plain = usage_lines(models[0], models[0].path)
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    parts = [
        f"# {_plain(title)}",
        f"**{_plain(recommendation.verdict)}**",
        _list(sections.disappointments(recommendation, evaluation)),
        "## The approaches, ranked",
        ranked,
        "## Why this one",
        _list(recommendation.reasons),
        f"## On {w.count(evaluation.n_test)} unseen rows",
        tested,
        differences,
        "## Cost, predicted and actual",
        spent,
        "## Use the model",
        _fenced(ours),
        "Without this package:",
        _fenced(plain),
        "## What was not checked",
        _list(sections.limits(recommendation, evaluation)),
        "## Where this comes from",
        _list(
            [
                f"{w.approach_name(model.kind)}: plan {model.plan.fingerprint}, seed "
                f"{model.plan.seed}, data {model.plan.data_fingerprint}"
                for model in models
            ]
        ),
        f"Versions: {_plain(listed)}. {_plain(created)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


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
        f"Trained: {w.what_trains(model.kind)}; {w.count(model.n_trainable)} of "
        f"{w.count(model.n_params)} parameters.",
        f"Labels: {', '.join(plan.labels)}." if plan.labels else "",
        *(_plain(note) for note in model.notes),
        f"Longest input: {most_tokens(plan.task)} tokens; what is beyond is cut.",
        f"Steps: {w.count(model.steps_done)} of batch size {w.count(plan.batch_size)}"
        + (f", learning rate {plan.learning_rate:g}." if plan.learning_rate else "."),
        f"Seed {plan.seed}; plan {plan.fingerprint}; data {plan.data_fingerprint}.",
        f"Fingerprint of the training, versions included: {model.fingerprint}."
        if model.fingerprint
        else "",
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
        _list([fact for fact in facts if fact]),
        "## Use it",
        _fenced(ours),
        "Without zenml-ftvr:",
        _fenced(plain),
    ]
    return "\n\n".join(parts) + "\n"
