"""Measure on this hardware, and recommend."""

import dataclasses
from typing import Annotated

from zenml import step

from zenml_ftvr.api import (
    calibrate_arms,
    gather_pilots,
    recommend_from_evidence,
    resolve_base,
)
from zenml_ftvr.data import Dataset
from zenml_ftvr.materializers import (
    CalibrationMaterializer,
    PilotEvidenceMaterializer,
    RecommendationMaterializer,
)
from zenml_ftvr.stack import trainer_usd_per_hour
from zenml_ftvr.steps.cache import CACHE_POLICY, MEASURED_CACHE_POLICY
from zenml_ftvr.train import print_progress
from zenml_ftvr.values import (
    Calibration,
    DataProfile,
    PilotEvidence,
    Recommendation,
    Request,
)

__all__ = ["calibrate", "recommend_approach", "run_pilots"]


@step(cache_policy=MEASURED_CACHE_POLICY, output_materializers=CalibrationMaterializer)
def calibrate(
    dataset: Dataset, profile: DataProfile, request: Request
) -> Annotated[Calibration, "calibration"]:
    """Take a few real steps of every approach. Run it where training will run.

    A request without a price takes that of the active stack's trainer.
    """
    if request.usd_per_hour is None:
        request = dataclasses.replace(request, usd_per_hour=trainer_usd_per_hour())
    return calibrate_arms(dataset, profile, resolve_base(request), request, print_progress())


@step(cache_policy=MEASURED_CACHE_POLICY, output_materializers=PilotEvidenceMaterializer)
def run_pilots(
    dataset: Dataset, profile: DataProfile, calibration: Calibration, request: Request
) -> Annotated[PilotEvidence, "pilots"]:
    """Train every feasible approach on small subsets, within a share of the budget.

    Run it where training will run.
    """
    base = resolve_base(request)
    return gather_pilots(dataset, profile, calibration, base, request, print_progress())


@step(cache_policy=CACHE_POLICY, output_materializers=RecommendationMaterializer)
def recommend_approach(
    dataset: Dataset,
    profile: DataProfile,
    calibration: Calibration,
    pilots: PilotEvidence,
    request: Request,
) -> Annotated[Recommendation, "recommendation"]:
    """Rank the approaches for this data, hardware and budget, and choose one."""
    return recommend_from_evidence(
        dataset, profile, calibration, resolve_base(request), request, print_progress(), pilots
    )
