"""Keep what was forecast beside what came of it."""

from typing import Annotated

from zenml import step

from zenml_ftvr.decide import record_of
from zenml_ftvr.materializers import ForecastRecordMaterializer
from zenml_ftvr.steps.cache import CACHE_POLICY
from zenml_ftvr.values import Evaluation, ForecastRecord, Recommendation

__all__ = ["record_outcome"]


@step(cache_policy=CACHE_POLICY, output_materializers=ForecastRecordMaterializer)
def record_outcome(
    recommendation: Recommendation, evaluation: Evaluation
) -> Annotated[ForecastRecord, "forecast_record"]:
    """Every trained arm with its forecast, its test score, and its predicted and actual hours.

    Each run adds a version; `decide.track_record` sums up as many as are loaded.
    """
    return record_of(recommendation, evaluation)
