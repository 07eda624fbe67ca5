"""Our values as JSON with a schema version, each with a page for the dashboard."""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar

from pydantic import TypeAdapter
from zenml.enums import ArtifactType, VisualizationType
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.metadata.metadata_types import MetadataType

from zenml_ftvr import report
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import (
    Calibration,
    Comparison,
    DataProfile,
    Evaluation,
    ForecastRecord,
    PilotEvidence,
    Recommendation,
)

__all__ = [
    "CalibrationMaterializer",
    "ComparisonMaterializer",
    "DataProfileMaterializer",
    "EvaluationMaterializer",
    "ForecastRecordMaterializer",
    "PilotEvidenceMaterializer",
    "RecommendationMaterializer",
    "page",
    "read_value",
    "write_value",
]

VALUE_FILE = "value.json"
PAGE_FILE = "page.html"
SCHEMA_VERSION = 1


def write_value(materializer: BaseMaterializer, value: Any, kind: type[Any]) -> None:
    """Write `value` as JSON under the artifact's URI."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "type": kind.__name__,
        "value": TypeAdapter(kind).dump_python(value, mode="json"),
    }
    path = f"{materializer.uri}/{VALUE_FILE}"
    with materializer.artifact_store.open(path, "w") as stream:
        stream.write(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=True))


def read_value(materializer: BaseMaterializer, kind: type[Any]) -> Any:
    """Read back what `write_value` wrote; a newer schema is refused with the next move."""
    path = f"{materializer.uri}/{VALUE_FILE}"
    with materializer.artifact_store.open(path, "r") as stream:
        content = json.loads(stream.read())
    if content["schema_version"] > SCHEMA_VERSION:
        raise DataError(
            f"artifact {materializer.uri} has schema version {content['schema_version']}; this "
            f"version of zenml-ftvr reads up to {SCHEMA_VERSION}. Upgrade zenml-ftvr."
        )
    return TypeAdapter(kind).validate_python(content["value"])


def page(materializer: BaseMaterializer, html: str) -> dict[str, VisualizationType]:
    """Write a page for the dashboard beside the artifact."""
    path = f"{materializer.uri}/{PAGE_FILE}"
    with materializer.artifact_store.open(path, "w") as stream:
        stream.write(html)
    return {path: VisualizationType.HTML}


class _ValueMaterializer(BaseMaterializer):
    """What the materializers of all values share."""

    SKIP_REGISTRATION: ClassVar[bool] = True
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA_ANALYSIS

    def save(self, data: Any) -> None:
        """Write the value as JSON."""
        write_value(self, data, self.ASSOCIATED_TYPES[0])

    def load(self, data_type: type[Any]) -> Any:
        """Read the value from JSON."""
        return read_value(self, self.ASSOCIATED_TYPES[0])

    def compute_content_hash(self, data: Any) -> str | None:
        """Of the value itself, so that equal values keep what follows in the cache."""
        return hashlib.sha256(TypeAdapter(self.ASSOCIATED_TYPES[0]).dump_json(data)).hexdigest()


class DataProfileMaterializer(_ValueMaterializer):
    """`DataProfile`."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (DataProfile,)

    def save_visualizations(self, data: DataProfile) -> dict[str, VisualizationType]:
        """The data in numbers and bars."""
        return page(self, report.profile_page(data))

    def extract_metadata(self, data: DataProfile) -> dict[str, MetadataType]:
        """What is worth a line beside the artifact."""
        return {"rows": data.n_rows, "classes": data.n_classes, "duplicates": data.n_duplicates}


class CalibrationMaterializer(_ValueMaterializer):
    """`Calibration`."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Calibration,)

    def save_visualizations(self, data: Calibration) -> dict[str, VisualizationType]:
        """Seconds and memory, arm by arm."""
        return page(self, report.calibration_page(data))


class PilotEvidenceMaterializer(_ValueMaterializer):
    """`PilotEvidence`."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (PilotEvidence,)

    def save_visualizations(self, data: PilotEvidence) -> dict[str, VisualizationType]:
        """Every pilot with its score and seconds."""
        return page(self, report.pilots_page(data))

    def extract_metadata(self, data: PilotEvidence) -> dict[str, MetadataType]:
        """What is worth a line beside the artifact."""
        scored = sum(one.status == "scored" for one in data.runs)
        return {"pilots": len(data.runs), "scored": scored, "seconds": round(data.seconds, 1)}


class RecommendationMaterializer(_ValueMaterializer):
    """`Recommendation`."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Recommendation,)

    def save_visualizations(self, data: Recommendation) -> dict[str, VisualizationType]:
        """The ranking, the choice and the reasons."""
        return page(self, report.recommendation_page(data))

    def extract_metadata(self, data: Recommendation) -> dict[str, MetadataType]:
        """What is worth a line beside the artifact."""
        return {"choice": data.choice, "verdict": data.verdict}


class ForecastRecordMaterializer(_ValueMaterializer):
    """`ForecastRecord`."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (ForecastRecord,)

    def save_visualizations(self, data: ForecastRecord) -> dict[str, VisualizationType]:
        """Forecasts beside outcomes."""
        return page(self, report.record_page(data))

    def extract_metadata(self, data: ForecastRecord) -> dict[str, MetadataType]:
        """How many outcomes lay within their forecasts."""
        inside = [one.is_inside for one in data.outcomes if one.is_inside is not None]
        return {"forecasts": len(inside), "inside": sum(inside)}


class EvaluationMaterializer(_ValueMaterializer):
    """`Evaluation`."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Evaluation,)

    def save_visualizations(self, data: Evaluation) -> dict[str, VisualizationType]:
        """Scores with intervals, classes and confusions."""
        return page(self, report.evaluation_page(data))

    def extract_metadata(self, data: Evaluation) -> dict[str, MetadataType]:
        """The test scores of every model."""
        return {
            f"{model.kind}/{score.metric}": score.value
            for model in data.models
            for score in model.scores
        }


class ComparisonMaterializer(_ValueMaterializer):
    """`Comparison`."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Comparison,)

    def save_visualizations(self, data: Comparison) -> dict[str, VisualizationType]:
        """The verdict, the table, and how sure it is."""
        return page(self, report.comparison_page(data))

    def extract_metadata(self, data: Comparison) -> dict[str, MetadataType]:
        """The verdict, and every approach's mean."""
        return {
            "verdict": data.verdict,
            **{f"{arm.kind}/{data.metric}": arm.score(data.metric).value for arm in data.arms},
        }
