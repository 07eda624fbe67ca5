"""Fine-tune by the approach that is named, beside the baseline; test both on unseen rows."""

from zenml import pipeline

from zenml_ftvr.approaches import NEEDS_BASE_MODEL
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.steps import evaluate_model, load_data, profile_data
from zenml_ftvr.values import (
    Approach,
    Budget,
    DataSource,
    EvaluationSettings,
    Full,
    ModelSource,
    Request,
    Task,
    TextClassification,
    TrackingSettings,
)

from .branches import TRAINING_STEPS, training_step

__all__ = ["finetune"]


@pipeline(dynamic=True, depends_on=[load_data, profile_data, *TRAINING_STEPS, evaluate_model])
def finetune(
    data: DataSource,
    approach: Approach = Full(),  # noqa: B008  (frozen, as are those below)
    base_model: ModelSource = ModelSource(),  # noqa: B008
    task: Task = TextClassification(),  # noqa: B008
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008
    evaluation: EvaluationSettings = EvaluationSettings(),  # noqa: B008
    seed: int = 0,
) -> None:
    """No recommendation and no budget: all epochs of the approach's defaults."""
    if approach.kind not in NEEDS_BASE_MODEL:
        raise ConfigurationError(
            f"approach '{approach.kind}' fine-tunes nothing. Name one of "
            f"{', '.join(sorted(NEEDS_BASE_MODEL))}, or run the pipeline from_scratch."
        )
    dataset = load_data(data, task)
    request = Request(
        budget=Budget(hours=1.0),  # any: profiling does not look at it
        approaches=(approach,),
        base_model=base_model,
        task=task,
    )
    profile_data(dataset, request)
    baseline = training_step("baseline")(dataset, task=task, tracking=tracking, seed=seed)
    model = training_step(approach.kind)(
        dataset,
        approach=approach,
        base_model=base_model,
        task=task,
        tracking=tracking,
        seed=seed,
    )
    evaluate_model(
        dataset,
        model,
        baseline=baseline,
        tracking=tracking,
        evaluation=evaluation,
        seed=seed,
    )
