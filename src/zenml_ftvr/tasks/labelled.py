"""What the tasks share whose answers have names: classes of texts and images, tags of words."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from zenml_ftvr.tasks.work import TargetScale
from zenml_ftvr.values import Metric, TextClassification, metric_of, metrics_of
from zenml_ftvr.values.task import ImageClassification, TokenClassification

__all__ = ["LabelledWork"]

T = TypeVar("T", bound=TextClassification | TokenClassification | ImageClassification)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledWork(Generic[T]):
    """The labels of one data set; what is measured in training also picks the best checkpoint."""

    task: T
    labels: tuple[str, ...]
    scale: TargetScale = dataclasses.field(default_factory=TargetScale)
    """Of the numbers to be predicted; of no use where there are labels."""

    @property
    def selects_by(self) -> Metric | Literal["loss"]:
        return metric_of(self.task)

    @property
    def in_training(self) -> tuple[Metric, ...]:
        return metrics_of(self.task)
