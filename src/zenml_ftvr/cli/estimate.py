"""What each approach would cost, before anything runs: from sizes, in seconds."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from zenml_ftvr.approaches.memory import memory_settings, training_memory
from zenml_ftvr.decide import PlanBasis, plan_basis
from zenml_ftvr.decide.accelerators import ACCELERATORS, accelerator_named
from zenml_ftvr.decide.estimate import (
    ACCELERATOR_UTILISATION,
    PROCESSOR_UTILISATION,
    EstimatedArm,
    Rate,
    arithmetic_calibration,
    estimate_arms,
)
from zenml_ftvr.decide.memory import checkpoint_bytes, kv_cache_bytes
from zenml_ftvr.decide.shapes import ModelShape
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.hardware import detect_without_torch, matrix_flops_per_second
from zenml_ftvr.models.described import DescribedModel, described, fast_tokenizer_view
from zenml_ftvr.values import (
    ALL_APPROACHES,
    Accelerator,
    Approach,
    Budget,
    Calibration,
    ClassCount,
    DataProfile,
    Full,
    Hardware,
    Limits,
    Lora,
    ModelSource,
    Partial,
    Quantiles,
    Scratch,
    TextClassification,
    TokenProfile,
)
from zenml_ftvr.values.words import duration
from zenml_ftvr.values.written import name_or_guess, user_path

__all__ = ["Answer", "Asked", "estimated", "shown", "written"]

GIB = 2**30
TEST_SHARE = VALIDATION_SHARE = 0.15  # as data.assign splits, where rows are only counted
WORDS_A_TOKEN = 0.75  # OpenAI's help centre, "What are tokens and how to count them": 100 are 75
NO_BUDGET_HOURS = 1e6  # a century: no limit


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command's arguments and options."""

    model: str
    rows: int | None = None
    tokens: float | None = None
    classes: int = 2
    data: str | None = None
    text_column: str = "text"
    label_column: str = "label"
    max_length: int = 128
    accelerator: str | None = None
    devices: int = 1
    utilisation: float | None = None
    usd_per_hour: float | None = None
    hours: float | None = None
    usd: float | None = None
    calibration: str | None = None
    limits: Limits = dataclasses.field(default_factory=Limits)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was worked out, and from what."""

    model: DescribedModel
    profile: DataProfile
    calibration: Calibration
    arms: tuple[EstimatedArm, ...]
    basis: PlanBasis
    said: tuple[str, ...]
    """What the numbers rest on, each a sentence."""


def estimated(asked: Asked) -> Answer:
    """Work out every arm; raises an `FtvrError` that says what to mend."""
    _refuse_what_cannot_be(asked)
    model = described(asked.model)
    task = TextClassification(max_length=asked.max_length)
    profile, counted = _profile(asked, model)
    basis = dataclasses.replace(
        plan_basis(profile, task, ModelSource(name=asked.model), "", 0, model.shape.architecture),
        limits=asked.limits,
    )
    if asked.calibration is not None:
        approaches: Sequence[Approach] = ALL_APPROACHES
        calibration = _stored(asked)
        why = (
            f"Hours and memory are corrected by the calibration {asked.calibration}, made on "
            f"{calibration.hardware.device_name}."
        )
    else:
        hardware, rate = _machine(asked)
        approaches = [_rounded(one, hardware) for one in ALL_APPROACHES]
        calibration = arithmetic_calibration(approaches, basis, model.shape, hardware, rate)
        why = (
            f"{rate.why} Nothing was measured: zenml-ftvr's pipelines calibrate before they train."
        )
    limited = asked.hours is not None or asked.usd is not None
    budget = Budget(
        hours=asked.hours if limited else NO_BUDGET_HOURS, usd=asked.usd if limited else None
    )
    arms = estimate_arms(profile, basis, calibration, approaches, model.shape, budget)
    return Answer(
        model=model,
        profile=profile,
        calibration=calibration,
        arms=arms,
        basis=basis,
        said=(counted, why),
    )


def _refuse_what_cannot_be(asked: Asked) -> None:
    if (asked.rows is None) == (asked.data is None):
        raise ConfigurationError(
            "say how much data there is: --rows N (and --tokens, --classes), or --data FILE to "
            "count them."
        )
    positive = ("rows", "tokens", "max_length", "devices", "utilisation", "usd_per_hour")
    for name in positive:
        value = getattr(asked, name)
        if value is not None and not value > 0:
            raise ConfigurationError(f"--{name.replace('_', '-')} is {value}; it must be above 0.")
    if asked.rows is not None and asked.rows < 10:
        raise ConfigurationError(f"--rows is {asked.rows}; fewer than 10 cannot be split.")
    if asked.classes < 2:
        raise ConfigurationError(f"--classes is {asked.classes}; sorting takes at least 2.")
    if asked.utilisation is not None and asked.utilisation > 1:
        raise ConfigurationError(f"--utilisation is {asked.utilisation}; it is a share, at most 1.")
    if asked.calibration is not None and (asked.accelerator or asked.utilisation):
        raise ConfigurationError(
            "a calibration is of the machine it was made on. Leave out --accelerator and "
            "--utilisation, or --calibration."
        )


def _profile(asked: Asked, model: DescribedModel) -> tuple[DataProfile, str]:
    """The data in numbers, and what they rest on."""
    if asked.data is None:
        mean = min(asked.tokens or asked.max_length, asked.max_length)
        said = "as was said" if asked.tokens else "as many as a text is cut at (--tokens N)"
        counted = f"{asked.rows:,} rows of {mean:,.0f} tokens, {said}."
        return _counted_profile(asked, mean), counted
    from zenml_ftvr.data import load_dataset
    from zenml_ftvr.profile import profile_data
    from zenml_ftvr.values import DataSource

    source = DataSource(
        name=asked.data, text_column=asked.text_column, label_column=asked.label_column
    )
    dataset = load_dataset(source, TextClassification(max_length=asked.max_length))
    view = fast_tokenizer_view(model)
    profile = profile_data(dataset, view, asked.max_length)
    tokens = (
        f"no tokenizer.json beside {asked.model}'s configuration, so that each row counts as "
        f"{asked.max_length} tokens"
    )
    if profile.tokens is not None:
        tokens = f"{profile.tokens.tokens.mean:,.0f} tokens a row, as its tokenizer cuts them"
    return profile, f"{profile.n_rows:,} rows in {profile.n_classes} classes; {tokens}."


def _counted_profile(asked: Asked, mean: float) -> DataProfile:
    """A profile of rows that nobody has seen: only their number and length are known."""
    rows = asked.rows or 0
    n_test, n_validation = round(TEST_SHARE * rows), round(VALIDATION_SHARE * rows)
    n_train = rows - n_test - n_validation
    words = _all(WORDS_A_TOKEN * mean)
    return DataProfile(
        source="",
        fingerprint="",
        n_rows=rows,
        n_train=n_train,
        n_validation=n_validation,
        n_test=n_test,
        classes=tuple(
            ClassCount(
                label=str(one),
                train=n_train // asked.classes,
                validation=n_validation // asked.classes,
                test=n_test // asked.classes,
            )
            for one in range(asked.classes)
        ),
        n_duplicates=0,
        n_conflicts=0,
        n_dropped=0,
        characters=_all(0.0),
        words=words,
        tokens=TokenProfile(
            tokenizer=asked.model,
            vocabulary_size=0,
            tokens=dataclasses.replace(_all(mean), maximum=float(asked.max_length)),
            total_train_tokens=round(mean * n_train),
            pieces_per_word=1 / WORDS_A_TOKEN,
            unknown_share=0.0,
            truncated_share=0.0,
            max_length=asked.max_length,
        ),
    )


def _all(value: float) -> Quantiles:
    return Quantiles(minimum=value, p50=value, p90=value, p99=value, maximum=value, mean=value)


def _stored(asked: Asked) -> Calibration:
    """A calibration as the pipelines' artifact, or as plain JSON of its fields."""
    path = user_path(str(asked.calibration))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        fields = content.get("value", content)
        found = TypeAdapter(Calibration).validate_python(fields)
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(
            f"--calibration {path} holds no calibration ({reason}). Give value.json of the "
            f"artifact that the step calibrate stored."
        ) from error
    price = asked.usd_per_hour or found.hardware.usd_per_hour
    hardware = dataclasses.replace(found.hardware, usd_per_hour=price)
    return dataclasses.replace(found, hardware=hardware, seconds=0.0)


def _machine(asked: Asked) -> tuple[Hardware, Rate]:
    """The accelerator that was named, or this machine."""
    if asked.accelerator is not None:
        named = _named(asked.accelerator)
        return _with(named, asked), _rate_of(named, asked)
    here = detect_without_torch(asked.usd_per_hour)
    if here.device == "cuda":
        found = accelerator_named(here.device_name)
        if found is None:
            raise ConfigurationError(
                f"this machine has a {here.device_name}, which the catalogue does not list. Name "
                f"one like it with --accelerator. Known: {_names()}."
            )
        return here, _rate_of(found, asked)
    share = asked.utilisation or PROCESSOR_UTILISATION
    measured = matrix_flops_per_second()
    return here, Rate(
        flops_per_second=measured * share,
        why=(
            f"{here.device_name}, {here.cores} cores: {measured / 1e9:,.0f} GFLOP/s in products of "
            f"matrices just now, of which training reaches {share:.0%}."
        ),
    )


def _names() -> str:
    return ", ".join(one.name for one in ACCELERATORS)


def _named(name: str) -> Accelerator:
    for one in ACCELERATORS:
        if one.name.lower() == name.strip().lower():
            return one
    if (reported := accelerator_named(name)) is not None:
        return reported
    raise ConfigurationError(
        f"--accelerator '{name}' is unknown.{name_or_guess(name, [x.name for x in ACCELERATORS])}"
    )


def _with(found: Accelerator, asked: Asked) -> Hardware:
    return Hardware(
        device="cuda",
        device_name=found.name,
        n_devices=asked.devices,
        cores=1,
        memory_gib=found.memory_gib,
        device_memory_gib=found.memory_gib,
        usd_per_hour=asked.usd_per_hour,
    )


def _rate_of(found: Accelerator, asked: Asked) -> Rate:
    share = asked.utilisation or ACCELERATOR_UTILISATION
    precision, peak = ("bf16", found.peak("bf16")) if found.peak("bf16") else ("fp32", None)
    peak = peak or found.peak("fp32") or 0.0
    several = f"{asked.devices} x " if asked.devices > 1 else ""
    return Rate(
        flops_per_second=peak * share * asked.devices,
        why=(
            f"{several}{found.name}: {peak / 1e12:,.0f} TFLOP/s in {precision} ({found.source}), "
            f"of which training is taken to reach {share:.0%}"
            f"{'' if asked.utilisation else ', a guess (small fine-tunings: 10 to 35 %)'}."
        ),
    )


def _rounded(approach: Approach, hardware: Hardware) -> Approach:
    """The approach in what an accelerator with a fast 16-bit path computes in."""
    found = accelerator_named(hardware.device_name) or next(
        (one for one in ACCELERATORS if one.name == hardware.device_name), None
    )
    if found is None or found.peak("bf16") is None:
        return approach
    match approach:
        case Partial() | Full() | Lora() | Scratch() if approach.precision == "auto":
            return dataclasses.replace(approach, precision="bf16")
        case _:
            return approach


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
