"""ZenML steps, thin: each unpacks, calls the domain, and returns."""

from zenml_ftvr.steps.compare import compare_models, plan_comparison, with_seed
from zenml_ftvr.steps.data import load_data, profile_data
from zenml_ftvr.steps.decide import calibrate, recommend_approach, run_pilots
from zenml_ftvr.steps.evaluate import evaluate_model, predict
from zenml_ftvr.steps.publish import publish_report
from zenml_ftvr.steps.record import record_outcome
from zenml_ftvr.steps.train import (
    finetune_contrastive,
    finetune_full,
    finetune_head,
    finetune_lora,
    finetune_partial,
    train_baseline,
    train_from_scratch,
)

__all__ = [
    "calibrate",
    "compare_models",
    "evaluate_model",
    "finetune_contrastive",
    "finetune_full",
    "finetune_head",
    "finetune_lora",
    "finetune_partial",
    "load_data",
    "plan_comparison",
    "predict",
    "profile_data",
    "publish_report",
    "recommend_approach",
    "record_outcome",
    "run_pilots",
    "train_baseline",
    "train_from_scratch",
    "with_seed",
]
