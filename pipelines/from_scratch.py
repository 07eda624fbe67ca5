"""Train a tokenizer and a transformer from nothing, beside the baseline; test both."""

from zenml import pipeline

from zenml_ftvr.steps import evaluate_model, load_data, train_baseline, train_from_scratch
from zenml_ftvr.values import (
    DataSource,
    EvaluationSettings,
    Scratch,
    Task,
    TextClassification,
    TrackingSettings,
)

from .branches import training_step

__all__ = ["from_scratch"]


@pipeline(dynamic=True, depends_on=[load_data, train_baseline, train_from_scratch, evaluate_model])
def from_scratch(
    data: DataSource,
    approach: Scratch = Scratch(),  # noqa: B008  (frozen, as are those below)
    task: Task = TextClassification(),  # noqa: B008
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008
    evaluation: EvaluationSettings = EvaluationSettings(),  # noqa: B008
    seed: int = 0,
) -> None:
    """No recommendation and no budget: all epochs of the approach's defaults."""
    dataset = load_data(data, task)
    baseline = training_step("baseline")(dataset, task=task, tracking=tracking, seed=seed)
    model = training_step("scratch")(
        dataset, approach=approach, task=task, tracking=tracking, seed=seed
    )
    evaluate_model(
        dataset,
        model,
        baseline=baseline,
        tracking=tracking,
        evaluation=evaluation,
        seed=seed,
    )
