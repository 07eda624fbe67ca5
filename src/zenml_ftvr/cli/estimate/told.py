"""The answer as a table with sentences, and as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from pydantic import TypeAdapter

from zenml_ftvr.approaches.memory import memory_settings, training_memory
from zenml_ftvr.cli.estimate.asked import Answer
from zenml_ftvr.decide.estimate import EstimatedArm
from zenml_ftvr.decide.memory import checkpoint_bytes, kv_cache_bytes
from zenml_ftvr.decide.shapes import ModelShape
from zenml_ftvr.values import Hardware
from zenml_ftvr.values.words import duration

__all__ = ["shown", "written"]

GIB = 2**30


def as_json(answer: Answer) -> dict[str, Any]:
    """All of it, for other programs."""
    shape = answer.model.shape
    return {
        "model": {
            "name": answer.model.name,
            "parameters": shape.architecture.n_params,
            "layers": shape.architecture.layers,
            "hidden": shape.architecture.hidden,
            "kv_cache_bytes_per_token": kv_cache_bytes(shape, 1, 1),
        },
        "rows": {
            "train": answer.profile.n_train,
            "validation": answer.profile.n_validation,
            "test": answer.profile.n_test,
            "classes": answer.profile.n_classes,
            "mean_tokens": answer.basis.facts.mean_tokens,
        },
        "machine": TypeAdapter(Hardware).dump_python(answer.calibration.hardware, mode="json"),
        "basis": answer.calibration.basis,
        "said": list(answer.said),
        "arms": [_arm_json(one, answer) for one in answer.arms],
    }


def _arm_json(arm: EstimatedArm, answer: Answer) -> dict[str, Any]:
    cost = arm.priced.cost
    return {
        "kind": arm.kind,
        "feasible": not arm.priced.problems,
        "problems": list(arm.priced.problems),
        "evidence": list(arm.evidence),
        "hours": None if cost is None else cost.hours,
        "usd": None if cost is None else cost.usd,
        "peak_memory_gib": None if cost is None else cost.peak_memory_gib,
        "limits": None if cost is None or cost.limits is None else dataclasses.asdict(cost.limits),
        "parameters": arm.n_params,
        "trained_parameters": arm.n_trainable,
        "flops_per_token": arm.flops_per_token,
        "memory_bytes": _memory_json(arm, answer),
        "notes": [] if arm.priced.plan is None else list(arm.priced.plan.reasons),
    }


def _memory_json(arm: EstimatedArm, answer: Answer) -> dict[str, int] | None:
    """Bytes by what they hold; None without a neural model."""
    from zenml_ftvr.decide.transfer import model_of

    base = model_of(arm.priced.approach, answer.basis, answer.basis.max_length)
    if base is None or arm.kind == "baseline":
        return None
    length = answer.basis.facts.longest_tokens or answer.basis.max_length
    settings = dataclasses.replace(
        memory_settings(arm.priced.approach, base, length),
        device=answer.calibration.hardware.device,
    )
    memory = training_memory(arm.priced.approach, base, settings)
    shape = ModelShape(model_type="", architecture=base)
    return {
        "weights": memory.weights,
        "gradients": memory.gradients,
        "optimiser": memory.optimiser,
        "activations": memory.activations,
        "outputs": memory.outputs,
        "peak": memory.peak,
        "checkpoint": checkpoint_bytes(arm.priced.approach, shape, settings),
    }


def shown(answer: Answer) -> list[str]:
    """The answer as lines: what it rests on, a table, and why what does not fit does not."""
    architecture = answer.model.shape.architecture
    lines = [
        f"{answer.model.name}: {architecture.n_params:,} parameters, {architecture.layers} layers "
        f"of width {architecture.hidden}.",
        *answer.said,
        "",
        f"{'':2}{'approach':<12}{'time':>9}{'dollars':>10}{'memory':>11}{'checkpoint':>12}"
        f"{'trained':>14}",
    ]
    for place, arm in enumerate(answer.arms, start=1):
        lines.append(_row(place, arm, answer))
    lines += ["", *_how_far_off(answer)]
    lines += [f"{arm.kind}: {problem}" for arm in answer.arms for problem in arm.priced.problems]
    shortened = [
        f"{arm.kind}: {arm.priced.plan.reasons[0]}"
        for arm in answer.arms
        if arm.priced.plan is not None and " steps (" in "".join(arm.priced.plan.reasons[:1])
    ]
    lines += shortened
    lines += [f"{arm.kind}: {sentence}" for arm in answer.arms for sentence in arm.evidence[:1]]
    lines.append(
        "The order is that of published evidence, before anything is known of this data; - does "
        "not fit."
    )
    return lines


def _how_far_off(answer: Answer) -> list[str]:
    """The limits in a sentence: as shares they are the same for every arm."""
    costs = [cost for arm in answer.arms if (cost := arm.priced.cost) is not None]
    told = next((one for one in costs if one.limits is not None and one.hours > 0), None)
    if told is None or told.limits is None:
        return []
    times, memory = told.limits.hours[1] / told.hours, told.limits.peak_memory_gib
    held = min(told.peak_memory_gib, answer.calibration.process_memory_gib)
    if answer.calibration.hardware.device_memory_gib is not None:
        held = 0.0
    wider = (memory[1] - held) / max(1e-9, told.peak_memory_gib - held)
    return [
        f"Of trainings {told.limits.level:.0%} are to take between 1/{times:.2f} and {times:.2f} "
        f"times as long, and 1/{wider:.2f} and {wider:.2f} times the memory beyond what imports "
        f"take."
    ]


def _row(place: int, arm: EstimatedArm, answer: Answer) -> str:
    cost, memory = arm.priced.cost, _memory_json(arm, answer)
    number = "- " if arm.priced.problems else f"{place} "
    if cost is None:
        return f"{number}{arm.kind:<12}{'–':>9}{'–':>10}{'–':>11}{'–':>12}{'–':>14}"
    dollars = "–" if cost.usd is None else f"${cost.usd:,.2f}"
    checkpoint = "–" if not memory or not memory["checkpoint"] else _gib(memory["checkpoint"] / GIB)
    trained = f"{arm.n_trainable:,}" if arm.n_trainable else "–"
    return (
        f"{number}{arm.kind:<12}{duration(cost.hours * 3600):>9}{dollars:>10}"
        f"{_gib(cost.peak_memory_gib):>11}{checkpoint:>12}{trained:>14}"
    )


def _gib(value: float) -> str:
    return f"{value:.2f} GiB" if value < 10 else f"{value:,.0f} GiB"


def written(answer: Answer) -> str:
    """The answer as JSON."""
    return json.dumps(as_json(answer), indent=1, ensure_ascii=False)
