"""Where it all comes from: what would be needed to do it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zenml_ftvr.approaches import most_tokens
from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Heading, Paragraph, Table
from zenml_ftvr.values import Calibration, CausalLM, ImageClassification, TrainedModel

__all__ = ["plan_table", "provenance"]


def plan_table(model: TrainedModel) -> Blocks:
    """What was run, to the number."""
    plan = model.plan
    learning_rate = w.NOTHING if plan.learning_rate is None else f"{plan.learning_rate:g}"
    rows = [
        ("Approach", w.approach_name(plan.kind)),
        ("Plan", plan.fingerprint),
        ("Data", plan.data_fingerprint),
        ("Base model", "none" if plan.model is None else _base_name(model)),
        *(("Allowed by the user", allowed) for allowed in w.allowed_of_base(plan)),
        ("Steps", f"{w.count(model.steps_done)} of {w.count(plan.max_steps)}"),
        ("Batch size", w.count(plan.batch_size)),
        ("Learning rate", learning_rate),
        ("Weight decay", f"{plan.weight_decay:g}"),
        ("Warm-up steps", w.count(plan.warmup_steps)),
        *_longest(model),
        ("Seed", str(plan.seed)),
        ("Parameters", f"{w.count(model.n_params)}, {w.count(model.n_trainable)} of them trained"),
        ("Size on disk", w.size(model.n_bytes)),
        ("Peak memory", f"{w.gib(model.peak_memory_gib)} above what was held before"),
        *(("Note", note) for note in model.notes),
        ("W&B run", _tracked(model)),
    ]
    return (Table(header=("", ""), rows=tuple(rows)),)


def _longest(model: TrainedModel) -> list[tuple[str, str]]:
    if isinstance(model.plan.task, ImageClassification):
        return []
    name = "Tokens a block" if isinstance(model.plan.task, CausalLM) else "Most tokens a text"
    return [(name, w.count(most_tokens(model.plan.task)))]


def _base_name(model: TrainedModel) -> str:
    source = model.plan.model
    if source is None:
        return w.NOTHING
    revision = f" at {source.revision}" if source.revision else ""
    return f"{source.name}{revision}, sha256 {model.plan.model_fingerprint}"


def _tracked(model: TrainedModel) -> str:
    tracked = model.tracked
    if tracked is None:
        return "not tracked"
    if tracked.url is not None:
        return f"{tracked.name}: {tracked.url}"
    return f"{tracked.name}, offline; upload it with: {tracked.sync_command}"


def provenance(
    models: Sequence[TrainedModel], measured: Calibration, versions: Mapping[str, str]
) -> Blocks:
    """Plans, hardware and versions."""
    hardware = measured.hardware
    machine = (
        f"{hardware.device_name} ({hardware.device}), {hardware.cores} cores, "
        f"{w.gib(hardware.memory_gib)} of memory"
    )
    if hardware.device_memory_gib is not None:
        machine += f", {hardware.n_devices} accelerators of {w.gib(hardware.device_memory_gib)}"
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        *(
            block
            for model in models
            for block in (Heading(w.approach_name(model.kind)), *plan_table(model))
        ),
        Paragraph(f"Hardware: {machine}."),
        Paragraph(f"Versions: {listed}."),
    )
