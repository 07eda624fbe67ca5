"""How our values become ZenML artifacts, each with a page for the dashboard."""

from zenml_ftvr.materializers.folders import (
    DatasetMaterializer,
    TrainedModelMaterializer,
    work_folder,
)
from zenml_ftvr.materializers.values import (
    CalibrationMaterializer,
    ComparisonMaterializer,
    DataProfileMaterializer,
    EvaluationMaterializer,
    ForecastRecordMaterializer,
    PilotEvidenceMaterializer,
    RecommendationMaterializer,
)

__all__ = [
    "CalibrationMaterializer",
    "ComparisonMaterializer",
    "DataProfileMaterializer",
    "DatasetMaterializer",
    "EvaluationMaterializer",
    "ForecastRecordMaterializer",
    "PilotEvidenceMaterializer",
    "RecommendationMaterializer",
    "TrainedModelMaterializer",
    "work_folder",
]
