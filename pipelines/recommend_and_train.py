"""Profile the data, recommend an approach for the budget, train it, prove it, report it."""

from typing import Any, Literal

from zenml import pipeline

from zenml_ftvr.stack import trainer_usd_per_hour
from zenml_ftvr.steps import (
    calibrate,
    evaluate_model,
    load_data,
    profile_data,
    publish_report,
    recommend_approach,
)
from zenml_ftvr.values import (
    ALL_APPROACHES,
    Approach,
    Budget,
    DataSource,
    Kind,
    Limits,
    ModelSource,
    Recommendation,
    Request,
    Task,
    TextClassification,
    TrackingSettings,
)

from .branches import TRAINING_STEPS, calibration_step, training_step

__all__ = ["recommend_and_train"]


@pipeline(
    dynamic=True,
    depends_on=[
        load_data,
        profile_data,
        calibrate,
        recommend_approach,
        *TRAINING_STEPS,
        evaluate_model,
        publish_report,
    ],
)
def recommend_and_train(
    data: DataSource,
    budget: Budget,
    base_model: ModelSource = ModelSource(),  # noqa: B008  (frozen, as are those below)
    approaches: list[Approach] = list(ALL_APPROACHES),  # noqa: B006
    task: Task = TextClassification(),  # noqa: B008
    usd_per_hour: float | None = None,
    also_train: Literal["nothing", "best_neural"] = "nothing",
    tolerance: float = 0.005,
    limits: Limits = Limits(),  # noqa: B008
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008
    report_folder: str = "ftvr_report",
    seed: int = 0,
) -> None:
    """Only the chosen branch runs, and the baseline that it is compared with."""
    request = Request(
        budget=budget,
        approaches=tuple(approaches),
        base_model=base_model,
        task=task,
        usd_per_hour=trainer_usd_per_hour() if usd_per_hour is None else usd_per_hour,
        tolerance=tolerance,
        limits=limits,
        also_train=also_train,
        seed=seed,
    )
    dataset = load_data(data, task)
    profile = profile_data(dataset, request)
    calibration = calibration_step()(dataset, profile, request)
    recommendation = recommend_approach(dataset, profile, calibration, request)
    decided: Recommendation = recommendation.load()
    baseline = _train("baseline", dataset, recommendation, tracking)
    model, reference = baseline, None
    if decided.choice != "baseline":
        model, reference = _train(decided.choice, dataset, recommendation, tracking), baseline
    companion = None
    if decided.companion is not None:
        companion = _train(decided.companion, dataset, recommendation, tracking)
    evaluation = evaluate_model(
        dataset, model, recommendation, reference, companion, tracking=tracking, seed=seed
    )
    publish_report(
        recommendation,
        evaluation,
        model,
        reference,
        companion,
        report_folder=report_folder,
        tracking=tracking,
    )


def _train(kind: Kind, dataset: Any, recommendation: Any, tracking: TrackingSettings) -> Any:
    return training_step(kind)(dataset, recommendation, tracking=tracking)
