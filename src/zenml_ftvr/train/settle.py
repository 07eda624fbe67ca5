"""Knobs that the machine decides, and what a model needs before its first step."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from zenml_ftvr.approaches import Architecture, memory_bytes
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.hardware import detect
from zenml_ftvr.models import this_device, training_precision
from zenml_ftvr.tasks import Work
from zenml_ftvr.train.warm_start import start_from_solved_head
from zenml_ftvr.values import (
    Approach,
    Full,
    Hardware,
    Lora,
    Partial,
    Scratch,
    Task,
    TextClassification,
    TrainingPlan,
)

if TYPE_CHECKING:
    from zenml_ftvr.models import ResolvedModel, Trainable

__all__ = ["make_ready", "settled"]

GIB = 2**30


def settled(
    approach: Approach, architecture: Architecture | None, length: int, hardware: Hardware
) -> Approach:
    """The approach with nothing left on `auto`, for rows of at most `length` tokens.

    Activations are recomputed where the arithmetic says that they would not fit otherwise; weights
    come out the same either way. Raises `ConfigurationError` where the device cannot.
    """
    match approach:
        case Partial() | Scratch() | Full() | Lora():
            precision = training_precision(approach, this_device())
            approach = dataclasses.replace(approach, precision=precision)
        case _:
            return approach
    if isinstance(approach, Full | Lora) and approach.gradient_checkpointing == "auto":
        keeping = dataclasses.replace(approach, gradient_checkpointing="never")
        needed = memory_bytes(keeping, architecture, length, device=hardware.device)
        fits = needed <= hardware.training_memory_gib * GIB
        return keeping if fits else dataclasses.replace(approach, gradient_checkpointing="always")
    return approach


def make_ready(
    plan: TrainingPlan,
    work: Work,
    trainable: Trainable,
    base: ResolvedModel | None,
    encoded: Any,
) -> None:
    """Bring a freshly built model to where its first step begins.

    Its head is solved for on the encoded training rows where the plan wants that, and its
    activations are recomputed where they would not fit.
    """
    match plan.approach:
        case Partial() | Full() | Lora() as approach if approach.start == "solved_head":
            _solve_head(plan, work, trainable, encoded)
    architecture = None if base is None else base.architecture
    match settled(plan.approach, architecture, max(encoded.lengths), detect()):
        case Full(gradient_checkpointing="always") | Lora(gradient_checkpointing="always"):
            trainable.model.activation_checkpointing_enable()


def _solve_head(plan: TrainingPlan, work: Work, trainable: Trainable, encoded: Any) -> None:
    match plan.task:
        case TextClassification(target="single"):
            start_from_solved_head(trainable, list(encoded.input_ids), encoded.labels, plan.seed)
        case _:
            raise ConfigurationError(
                f"start is 'solved_head', which needs one label a text, but the task is "
                f"{plan.task.kind}{_target_words(plan.task)}. Use 'random_head'."
            )


def _target_words(task: Task) -> str:
    return f" of target '{task.target}'" if isinstance(task, TextClassification) else ""
