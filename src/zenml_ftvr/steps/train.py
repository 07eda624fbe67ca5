"""One step an approach. Each trains one model, in one W&B run."""

import dataclasses
from typing import Annotated, Any

from zenml import step

from zenml_ftvr.api import plan_for
from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import TrainingError
from zenml_ftvr.hardware import detect, installed_versions
from zenml_ftvr.materializers import TrainedModelMaterializer, work_folder
from zenml_ftvr.stack import trainer_usd_per_hour
from zenml_ftvr.stack.remote_files import files_of_active_store
from zenml_ftvr.stack.step_run import experiment_of, open_step_run, tracked_run
from zenml_ftvr.steps.cache import TRAINING_CACHE_POLICY
from zenml_ftvr.steps.texts_seen import remember_texts
from zenml_ftvr.tracking import data_artifact, model_artifact, ranking_table
from zenml_ftvr.train import granted_team, print_progress, run_plan, tracked_before
from zenml_ftvr.values import (
    Approach,
    Baseline,
    Contrastive,
    Full,
    Head,
    Lora,
    ModelSource,
    Partial,
    Recommendation,
    Scratch,
    Task,
    TextClassification,
    TrackingSettings,
    TrainedModel,
    TrainingPlan,
)

__all__ = [
    "finetune_contrastive",
    "finetune_full",
    "finetune_head",
    "finetune_lora",
    "finetune_partial",
    "train_baseline",
    "train_from_scratch",
]


@step(cache_policy=TRAINING_CACHE_POLICY, output_materializers=TrainedModelMaterializer)
def train_baseline(
    dataset: Dataset,
    recommendation: Recommendation | None = None,
    approach: Baseline = Baseline(),  # noqa: B008  (frozen)
    task: Task = TextClassification(),  # noqa: B008
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008
    seed: int = 0,
) -> Annotated[TrainedModel, "model"]:
    """Train word counts and logistic regression. With a recommendation, by its plan."""
    plan = _plan(dataset, recommendation, approach, ModelSource(), task, seed)
    return _train(plan, dataset, recommendation, tracking)


@step(cache_policy=TRAINING_CACHE_POLICY, output_materializers=TrainedModelMaterializer)
def finetune_head(
    dataset: Dataset,
    recommendation: Recommendation | None = None,
    approach: Head = Head(),  # noqa: B008
    base_model: ModelSource = ModelSource(),  # noqa: B008
    task: Task = TextClassification(),  # noqa: B008
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008
    seed: int = 0,
) -> Annotated[TrainedModel, "model"]:
    """Fit a linear head on frozen features. With a recommendation, by its plan."""
    plan = _plan(dataset, recommendation, approach, base_model, task, seed)
    return _train(plan, dataset, recommendation, tracking)


@step(cache_policy=TRAINING_CACHE_POLICY, output_materializers=TrainedModelMaterializer)
def finetune_contrastive(
    dataset: Dataset,
    recommendation: Recommendation | None = None,
    approach: Contrastive = Contrastive(),  # noqa: B008
    base_model: ModelSource = ModelSource(),  # noqa: B008
    task: Task = TextClassification(),  # noqa: B008
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008
    seed: int = 0,
) -> Annotated[TrainedModel, "model"]:
    """Train the encoder on pairs of texts, then a head. With a recommendation, by its plan."""
    plan = _plan(dataset, recommendation, approach, base_model, task, seed)
    return _train(plan, dataset, recommendation, tracking)


@step(cache_policy=TRAINING_CACHE_POLICY, output_materializers=TrainedModelMaterializer)
def finetune_partial(
    dataset: Dataset,
    recommendation: Recommendation | None = None,
    approach: Partial = Partial(),  # noqa: B008
    base_model: ModelSource = ModelSource(),  # noqa: B008
    task: Task = TextClassification(),  # noqa: B008
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008
    seed: int = 0,
) -> Annotated[TrainedModel, "model"]:
    """Train the last layers of the base model. With a recommendation, by its plan."""
    plan = _plan(dataset, recommendation, approach, base_model, task, seed)
    return _train(plan, dataset, recommendation, tracking)


@step(cache_policy=TRAINING_CACHE_POLICY, output_materializers=TrainedModelMaterializer)
def finetune_full(
    dataset: Dataset,
    recommendation: Recommendation | None = None,
    approach: Full = Full(),  # noqa: B008
    base_model: ModelSource = ModelSource(),  # noqa: B008
    task: Task = TextClassification(),  # noqa: B008
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008
    seed: int = 0,
) -> Annotated[TrainedModel, "model"]:
    """Train every weight of the base model. With a recommendation, by its plan."""
    plan = _plan(dataset, recommendation, approach, base_model, task, seed)
    return _train(plan, dataset, recommendation, tracking)


@step(cache_policy=TRAINING_CACHE_POLICY, output_materializers=TrainedModelMaterializer)
def finetune_lora(
    dataset: Dataset,
    recommendation: Recommendation | None = None,
    approach: Lora = Lora(),  # noqa: B008
    base_model: ModelSource = ModelSource(),  # noqa: B008
    task: Task = TextClassification(),  # noqa: B008
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008
    seed: int = 0,
) -> Annotated[TrainedModel, "model"]:
    """Train low-rank adapters in the base model. With a recommendation, by its plan."""
    plan = _plan(dataset, recommendation, approach, base_model, task, seed)
    return _train(plan, dataset, recommendation, tracking)


@step(cache_policy=TRAINING_CACHE_POLICY, output_materializers=TrainedModelMaterializer)
def train_from_scratch(
    dataset: Dataset,
    recommendation: Recommendation | None = None,
    approach: Scratch = Scratch(),  # noqa: B008
    task: Task = TextClassification(),  # noqa: B008
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008
    seed: int = 0,
) -> Annotated[TrainedModel, "model"]:
    """Train a tokenizer and a transformer from nothing. With a recommendation, by its plan."""
    plan = _plan(dataset, recommendation, approach, ModelSource(), task, seed)
    return _train(plan, dataset, recommendation, tracking)


def _plan(
    dataset: Dataset,
    recommendation: Recommendation | None,
    approach: Approach,
    base_model: ModelSource,
    task: Task,
    seed: int,
) -> TrainingPlan:
    if recommendation is None:
        return plan_for(dataset, approach, base_model, task, seed)
    arms = {arm.kind: arm for arm in recommendation.arms}
    arm = arms.get(approach.kind)
    if arm is not None and arm.plan is not None:
        return arm.plan
    if approach.kind == "baseline" and recommendation.chosen.plan is not None:
        # Not on offer, but trained all the same: the reference of the comparison.
        chosen = recommendation.chosen.plan
        return plan_for(dataset, approach, base_model, chosen.task, chosen.seed)
    why = "it was not on offer" if arm is None else " ".join(arm.reasons)
    raise TrainingError(
        f"the recommendation holds no plan for '{approach.kind}': {why}. Train the recommended "
        f"'{recommendation.choice}', or leave the recommendation out."
    )


def _train(
    plan: TrainingPlan,
    dataset: Dataset,
    recommendation: Recommendation | None,
    tracking: TrackingSettings,
) -> TrainedModel:
    price = (
        trainer_usd_per_hour()
        if recommendation is None
        else recommendation.calibration.hardware.usd_per_hour
    )
    hardware = detect(price)
    name, tags = f"{plan.kind}-{plan.fingerprint[:6]}", (plan.kind, plan.task.kind)
    config = _tracked_config(plan, dataset, recommendation)
    experiment = experiment_of(tracking)
    mirror = files_of_active_store()
    before = tracked_before(plan, mirror)
    with (
        open_step_run(tracking, "train", name, tags, config, continues=before) as run,
        work_folder() as work,
    ):
        remember_texts(plan.approach)
        run.uses(data_artifact(experiment, dataset.fingerprint, config["rows"]))
        folder = work / "model"
        model = run_plan(
            plan,
            dataset,
            folder,
            hardware,
            log=run.log,
            progress=print_progress(),
            team=granted_team(plan, hardware),
            mirror=mirror,
            tracked=run.tracked(),
        )
        run.summarize(
            {
                "cost/seconds": model.seconds,
                "cost/predicted_seconds": (plan.predicted_hours or 0.0) * 3600,
                "cost/peak_memory_gib": model.peak_memory_gib,
                **({} if model.ledger.usd is None else {"cost/usd": model.ledger.usd}),
                "final/parameters": model.n_params,
                "final/trained_parameters": model.n_trainable,
                "final/stopped_by": model.stopped_by,
                **{f"final/{point.metric}": point.value for point in model.curve},
            }
        )
        if recommendation is not None:
            run.attach("ftvr/recommendation", *ranking_table(recommendation))
        run.makes(model_artifact(experiment, model))
        return dataclasses.replace(model, tracked=tracked_run(run))


def _tracked_config(
    plan: TrainingPlan, dataset: Dataset, recommendation: Recommendation | None
) -> dict[str, Any]:
    """The plan and the recommendation; no text or label of the user's."""
    config = dataclasses.asdict(plan)
    del config["labels"], config["reasons"]
    config["n_classes"] = len(plan.labels)
    config["plan_fingerprint"] = plan.fingerprint
    config["rows"] = {
        "train": len(dataset.train),
        "validation": len(dataset.validation),
        "test": len(dataset.test),
    }
    config["versions"] = installed_versions()
    if recommendation is not None:
        config["recommendation"] = {
            "choice": recommendation.choice,
            "verdict": recommendation.verdict,
            "hours_allowed": recommendation.hours_allowed,
        }
    return config
