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
    record_outcome,
    run_pilots,
)
from zenml_ftvr.values import (
    ALL_APPROACHES,
    Approach,
    Budget,
    DataSource,
    EvaluationSettings,
    Kind,
    ModelSource,
    PilotSettings,
    Recommendation,
    Request,
    Task,
    TextClassification,
    TrackingSettings,
)

from .approval import Approval, is_approved
from .branches import TRAINING_STEPS, calibration_step, pilot_step, training_step

__all__ = ["recommend_and_train"]


@pipeline(
    dynamic=True,
    depends_on=[
        load_data,
        profile_data,
        calibrate,
        run_pilots,
        recommend_approach,
        *TRAINING_STEPS,
        evaluate_model,
        record_outcome,
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
    pilots: PilotSettings = PilotSettings(),  # noqa: B008
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008
    evaluation: EvaluationSettings = EvaluationSettings(),  # noqa: B008
    minimum_score: float | None = None,
    other_base_models: list[ModelSource] = [],  # noqa: B006
    approval: Approval = "none",
    report_folder: str = "ftvr_report",
    seed: int = 0,
) -> None:
    """Only the chosen branch runs, and the baseline that it is compared with.

    With `approval: ask` nothing is trained until somebody says yes to the choice and its cost.
    """
    request = Request(
        budget=budget,
        approaches=tuple(approaches),
        base_model=base_model,
        task=task,
        usd_per_hour=trainer_usd_per_hour() if usd_per_hour is None else usd_per_hour,
        tolerance=tolerance,
        also_train=also_train,
        pilots=pilots,
        minimum_score=minimum_score,
        other_base_models=tuple(other_base_models),
        seed=seed,
    )
    dataset = load_data(data, task)
    profile = profile_data(dataset, request)
    calibration = calibration_step()(dataset, profile, request)
    tried = pilot_step()(dataset, profile, calibration, request)
    recommendation = recommend_approach(dataset, profile, calibration, tried, request)
    decided: Recommendation = recommendation.load()
    if not is_approved(decided, approval):
        return
    baseline = _train("baseline", dataset, recommendation, tracking)
    model, reference = baseline, None
    if decided.choice != "baseline":
        model, reference = _train(decided.choice, dataset, recommendation, tracking), baseline
    companion = None
    if decided.companion is not None:
        companion = _train(decided.companion, dataset, recommendation, tracking)
    tested = evaluate_model(
        dataset,
        model,
        recommendation,
        reference,
        companion,
        tracking=tracking,
        evaluation=evaluation,
        seed=seed,
    )
    record_outcome(recommendation, tested)
    publish_report(
        recommendation,
        tested,
        model,
        reference,
        companion,
        report_folder=report_folder,
        tracking=tracking,
    )


def _train(kind: Kind, dataset: Any, recommendation: Any, tracking: TrackingSettings) -> Any:
    return training_step(kind)(dataset, recommendation, tracking=tracking)
