"""The training step of each approach, with the stack's experiment tracker where there is one."""

from typing import Any, assert_never

from zenml.client import Client

from zenml_ftvr.steps import (
    finetune_contrastive,
    finetune_full,
    finetune_head,
    finetune_lora,
    finetune_partial,
    train_baseline,
    train_from_scratch,
)
from zenml_ftvr.values import Kind

__all__ = ["TRAINING_STEPS", "training_step"]

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
    return step if tracker is None else step.with_options(experiment_tracker=tracker.name)
