"""The tasks: rows to batches, a model's outputs to answers, answers to scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from zenml_ftvr.tasks.answers import (
    Answers,
    ClassAnswers,
    NumberAnswers,
    SetAnswers,
    TagAnswers,
    score,
    unit_weights,
)
from zenml_ftvr.tasks.causal_lm import CausalWork
from zenml_ftvr.tasks.encoded import EncodedRows
from zenml_ftvr.tasks.image_classification import ImageWork
from zenml_ftvr.tasks.packing import PackedRows
from zenml_ftvr.tasks.seq2seq import SeqToSeqWork
from zenml_ftvr.tasks.text_classification import TextWork
from zenml_ftvr.tasks.token_classification import TagWork
from zenml_ftvr.tasks.work import HeadKind, Outputs, RowWork, TargetKind, TargetScale, Work
from zenml_ftvr.values import (
    CausalLM,
    ImageClassification,
    Seq2Seq,
    Task,
    TextClassification,
    TokenClassification,
)

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = [
    "Answers",
    "CausalWork",
    "ClassAnswers",
    "EncodedRows",
    "HeadKind",
    "NumberAnswers",
    "Outputs",
    "PackedRows",
    "RowWork",
    "SeqToSeqWork",
    "SetAnswers",
    "TagAnswers",
    "TargetKind",
    "TargetScale",
    "Work",
    "make_work",
    "score",
    "unit_weights",
    "work_for",
]


def make_work(task: Task, labels: tuple[str, ...], scale: TargetScale) -> Work:
    """What the task needs, from what a trained model's folder remembers."""
    match task:
        case TextClassification():
            return TextWork(task=task, labels=labels, scale=scale)
        case TokenClassification():
            return TagWork(task=task, labels=labels)
        case ImageClassification():
            return ImageWork(task=task, labels=labels)
        case CausalLM():
            return CausalWork(task=task)
        case Seq2Seq():
            return SeqToSeqWork(task=task)
        case _:
            assert_never(task)


def work_for(task: Task, dataset: Dataset) -> Work:
    """What the task needs of a data set; scales are of the training split."""
    scale = TargetScale()
    if isinstance(task, TextClassification) and task.target == "regression":
        import numpy as np

        numbers = np.asarray(dataset.train.targets, dtype=np.float64)
        scale = TargetScale(mean=float(numbers.mean()), deviation=float(numbers.std()) or 1.0)
    return make_work(task, dataset.labels, scale)
