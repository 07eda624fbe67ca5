"""Plan the same trainings for several seeds, and compare what came of them."""

import dataclasses
from typing import Annotated

from zenml import step

from zenml_ftvr.api import recommend_from_evidence, resolve_base
from zenml_ftvr.data import Dataset
from zenml_ftvr.evaluate import Contest, compare_trained
from zenml_ftvr.materializers import ComparisonMaterializer, RecommendationMaterializer
from zenml_ftvr.stack import trainer_usd_per_hour
from zenml_ftvr.stack.step_run import experiment_of, open_step_run
from zenml_ftvr.steps.cache import CACHE_POLICY
from zenml_ftvr.tracking import compared_scores, comparison_table, model_artifact
from zenml_ftvr.train import print_progress
from zenml_ftvr.values import (
    Calibration,
    Comparison,
    DataProfile,
    EvaluationSettings,
    Kind,
    Ledger,
    Recommendation,
    Request,
    TrackingSettings,
    TrainedModel,
)

__all__ = ["compare_models", "plan_comparison", "with_seed"]


@step(cache_policy=CACHE_POLICY, output_materializers=RecommendationMaterializer)
def plan_comparison(
    dataset: Dataset, profile: DataProfile, calibration: Calibration, request: Request
) -> Annotated[Recommendation, "recommendation"]:
    """A plan for every approach that fits the budget, without pilots: all of them are trained."""
    return recommend_from_evidence(
        dataset, profile, calibration, resolve_base(request), request, print_progress()
    )


@step(cache_policy=CACHE_POLICY, output_materializers=RecommendationMaterializer)
def with_seed(recommendation: Recommendation, seed: int) -> Annotated[Recommendation, "plans"]:
    """The same plans with another seed."""
    return dataclasses.replace(
        recommendation,
        arms=tuple(
            arm
            if arm.plan is None
            else dataclasses.replace(arm, plan=dataclasses.replace(arm.plan, seed=seed))
            for arm in recommendation.arms
        ),
    )


@step(cache_policy=CACHE_POLICY, output_materializers=ComparisonMaterializer)
def compare_models(
    dataset: Dataset,
    models: list[TrainedModel],
    recommendation: Recommendation | None = None,
    tracking: TrackingSettings = TrackingSettings(),  # noqa: B008  (frozen)
    evaluation: EvaluationSettings = EvaluationSettings(),  # noqa: B008
    seed: int = 0,
) -> Annotated[Comparison, "comparison"]:
    """Score trained models on the test split, once, and compare their approaches over seeds."""
    progress = print_progress()
    config = {"models": [one.plan.fingerprint for one in models], "seed": seed}
    kinds = tuple(dict.fromkeys(one.kind for one in models))
    name = f"compare-{dataset.fingerprint[:6]}"
    with open_step_run(tracking, "eval", name, kinds, config) as run:
        experiment = experiment_of(tracking)
        for one in models:
            run.uses(model_artifact(experiment, one))
        comparison = compare_trained(
            models,
            dataset,
            _contest(models, recommendation),
            evaluation,
            seed,
            lambda kind, done, total: progress(f"testing {kind}", done, total),
        )
        run.attach("ftvr/comparison", *comparison_table(comparison))
        run.summarize(compared_scores(comparison))
    return comparison


def _contest(models: list[TrainedModel], recommendation: Recommendation | None) -> Contest:
    """The budget and the arms that did not fit it, where the models are of one recommendation."""
    spent = (
        Ledger(usd_per_hour=trainer_usd_per_hour())
        if recommendation is None
        else recommendation.ledger
    )
    for one in models:
        spent = spent.with_entries(*one.ledger.entries)
    if recommendation is None:
        return Contest(spent=spent)
    trained = {one.kind for one in models}
    left_out: dict[Kind, str] = dict(recommendation.calibration.skipped)
    for arm in recommendation.arms:
        if not arm.feasible:
            left_out[arm.kind] = " ".join(arm.reasons)
    return Contest(
        budget=recommendation.budget,
        left_out=tuple((kind, why) for kind, why in left_out.items() if kind not in trained),
        spent=spent,
    )
