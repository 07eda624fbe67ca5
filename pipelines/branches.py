"""The steps that train or measure, with the stack's tracker and trainer where it has them."""

from typing import Any, assert_never

from zenml.client import Client

from zenml_ftvr.stack import trainer_name
from zenml_ftvr.steps import (
    calibrate,
    finetune_contrastive,
    finetune_full,
    finetune_head,
    finetune_lora,
    finetune_partial,
    run_pilots,
    train_baseline,
    train_from_scratch,
)
from zenml_ftvr.values import Kind

__all__ = ["TRAINING_STEPS", "calibration_step", "pilot_step", "training_step"]

TRAINING_STEPS = [
    train_baseline,
    finetune_head,
    finetune_contrastive,
    finetune_partial,
    finetune_full,
    finetune_lora,
    train_from_scratch,
]


def training_step(kind: Kind) -> Any:
    """The step that trains this approach; each training is a run of the tracker's own."""
    match kind:
        case "baseline":
            step = train_baseline
        case "head":
            step = finetune_head
        case "contrastive":
            step = finetune_contrastive
        case "partial":
            step = finetune_partial
        case "full":
            step = finetune_full
        case "lora":
            step = finetune_lora
        case "scratch":
            step = train_from_scratch
        case _:
            assert_never(kind)
    tracker = Client().active_stack.experiment_tracker
    if tracker is not None:
        step = step.with_options(experiment_tracker=tracker.name)
    return _on_the_trainer(step)


def calibration_step() -> Any:
    """Where the training will run, so that it measures the same machine under the same limits."""
    return _on_the_trainer(calibrate)


def pilot_step() -> Any:
    """Where the training will run: its seconds are those of that machine."""
    return _on_the_trainer(run_pilots)


def _on_the_trainer(step: Any) -> Any:
    name = trainer_name()
    return step if name is None else step.with_options(step_operator=name)
