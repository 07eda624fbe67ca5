"""What training and judging a model need to know of a task, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from zenml_ftvr.tasks.answers import Answers
from zenml_ftvr.values import Metric, Task

if TYPE_CHECKING:
    import numpy.typing as npt

    from zenml_ftvr.data import Rows

__all__ = ["Collate", "HeadKind", "Outputs", "RowWork", "TargetKind", "TargetScale", "Work"]

HeadKind: TypeAlias = Literal[
    "sequence-classification",
    "token-classification",
    "causal-lm",
    "seq2seq",
    "image-classification",
]
"""What a transformer ends in."""

Collate: TypeAlias = Callable[[list[dict[str, Any]]], Any]
"""Rows to a padded batch."""

Outputs: TypeAlias = Any
"""What a model says of rows, one entry a row: an array or a list. Its form is the task's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetScale:
    """How numbers to be predicted are brought to mean 0 and deviation 1 for training."""

    mean: float = 0.0
    deviation: float = 1.0


TargetKind: TypeAlias = Literal["single", "multi", "regression"]
"""One class a row, any number of labels, or a number."""


class Work(Protocol):
    """One task on one data set."""

    @property
    def task(self) -> Task: ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes or tags, a label's place being its id; empty where there are none."""

    @property
    def scale(self) -> TargetScale:
        """Of the numbers to be predicted; as it is by default where there are none."""

    @property
    def head(self) -> HeadKind: ...

    @property
    def selects_by(self) -> Metric | Literal["loss"]:
        """What the best checkpoint is picked by, on the validation split."""

    @property
    def in_training(self) -> tuple[Metric, ...]:
        """What is measured on the validation split while training goes on."""

    def model_settings(self) -> dict[str, Any]:
        """What a transformers configuration says of the head."""

    def encode(self, processor: Any, rows: Rows) -> Any:
        """Rows as numbers: a map-style data set with `lengths` and `subset`."""

    def collator(self, processor: Any, model: Any) -> Collate: ...

    def reduced(self, logits: Any, labels: Any) -> Any:
        """What is kept of one batch's logits, so that a whole split's need not fit memory."""

    def answers_in_training(self, kept: Any, labels: Any, rows: Any) -> Answers:
        """Answers from what was kept of every batch; `rows` are the encoded rows."""

    def answers(self, outputs: Outputs, rows: Rows) -> Answers:
        """A model's outputs beside the truth."""

    def predictions(self, outputs: Outputs, inputs: Sequence[Any]) -> list[Any]:
        """A model's outputs as people read them."""


class RowWork(Work, Protocol):
    """A task that answers a whole row at once, so that a linear head on its features can."""

    @property
    def target(self) -> TargetKind: ...

    def targets(self, rows: Rows) -> npt.NDArray[Any]:
        """Class ids [rows], 0 and 1 for each label [rows, labels], or numbers [rows]."""
