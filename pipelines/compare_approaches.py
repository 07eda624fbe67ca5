"""Train every approach that fits the budget, with the same seeds, and compare them all."""

from zenml import pipeline

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.stack import trainer_usd_per_hour
from zenml_ftvr.steps import (
    calibrate,
    compare_models,
    load_data,
    plan_comparison,
    profile_data,
    with_seed,
)
from zenml_ftvr.values import (
    ALL_APPROACHES,
    Approach,
    Budget,
    DataSource,
    EvaluationSettings,
    ModelSource,
    PilotSettings,
    Recommendation,
    Request,
    Task,
    TextClassification,
    TrackingSettings,
)

from .branches import TRAINING_STEPS, calibration_step, training_step

__all__ = ["compare_approaches"]

SEEDS = [0, 1, 2]
"""Three are the fewest whose spread means something; more make a verdict surer. A judgement."""


@pipeline(
    dynamic=True,
    depends_on=[
        load_data,
        profile_data,
        calibrate,
        plan_comparison,
        with_seed,
        *TRAINING_STEPS,
        compare_models,
    ],
)
def compare_approaches(
    data: DataSource,
    budget: Budget,
    seeds: list[int] = SEEDS,
    base_model: ModelSource = ModelSource(),  # noqa: B008  (frozen, as are those below)
    approaches: list[Approach] = list(ALL_APPROACHES),  # noqa: B006
    task: Task = TextClassification(),  # noqa: B008
    usd_per_hour: float | None = None,
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008
    evaluation: EvaluationSettings = EvaluationSettings(),  # noqa: B008
) -> None:
    """`budget` is what each training may cost; it is multiplied by approaches and seeds."""
    if not seeds or len(set(seeds)) < len(seeds):
        raise ConfigurationError(
            f"seeds is {seeds}. List different ones, such as [0, 1, 2]: every approach is trained "
            f"once with each."
        )
    request = Request(
        budget=budget,
        approaches=tuple(approaches),
        base_model=base_model,
        task=task,
        usd_per_hour=trainer_usd_per_hour() if usd_per_hour is None else usd_per_hour,
        pilots=PilotSettings(share=0),
        seed=seeds[0],
    )
    dataset = load_data(data, task)
    profile = profile_data(dataset, request)
    calibration = calibration_step()(dataset, profile, request)
    recommendation = plan_comparison(dataset, profile, calibration, request)
    planned: Recommendation = recommendation.load()
    models = []
    for seed in seeds:
        plans = with_seed(recommendation, seed)
        for arm in planned.arms:
            if arm.feasible:
                models.append(training_step(arm.kind)(dataset, plans, tracking=tracking))
    compare_models(
        dataset,
        models,
        recommendation,
        tracking=tracking,
        evaluation=evaluation,
        seed=seeds[0],
    )
