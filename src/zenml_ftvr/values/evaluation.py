"""How good a trained model is on rows that nothing was fitted to."""

from __future__ import annotations

from dataclasses import dataclass

from zenml_ftvr.values.approach import Kind
from zenml_ftvr.values.budget import Ledger
from zenml_ftvr.values.decision import PairedDifference, Score
from zenml_ftvr.values.task import Metric

__all__ = ["Evaluation", "LabelScore", "ModelEvaluation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScore:
    """One class on the test rows."""

    label: str
    precision: float
    recall: float
    f1: float
    n_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvaluation:
    """One model on the test split."""

    kind: Kind
    scores: tuple[Score, ...]
    labels: tuple[LabelScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows: true label; columns: predicted label; in the order of `labels`."""
    seconds: float
    rows_per_second: float

    def score(self, metric: Metric) -> Score:
        return next(score for score in self.scores if score.metric == metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The chosen model, the baseline and any companion, on the same test rows."""

    choice: Kind
    models: tuple[ModelEvaluation, ...]
    """The chosen model first."""
    differences: tuple[PairedDifference, ...]
    """Each model minus the baseline, for every metric."""
    majority_accuracy: float | None
    """Of always answering with the training split's most frequent class; None without classes."""
    n_test: int
    ledger: Ledger
    """Everything from calibration to this evaluation, predicted beside actual."""

    def model(self, kind: Kind) -> ModelEvaluation:
        return next(one for one in self.models if one.kind == kind)
