"""One label a text: texts to batches, predictions to scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.values import Metric

__all__ = ["METRICS", "ClassificationRows", "collator", "encode", "score", "scores_of_counts"]

METRICS: tuple[Metric, ...] = ("accuracy", "macro_f1")

TOKENISER_BATCH = 1_000  # texts a call: enough for the tokenizer's own parallelism


def encode(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """Token ids of each text, special tokens included, cut at `max_length`."""
    ids: list[list[int]] = []
    for start in range(0, len(texts), TOKENISER_BATCH):
        batch = list(texts[start : start + TOKENISER_BATCH])
        ids.extend(tokenizer(batch, truncation=True, max_length=max_length)["input_ids"])
    return ids


class ClassificationRows:
    """A map-style data set of encoded texts for torch's loader and transformers' Trainer."""

    def __init__(self, input_ids: list[list[int]], label_ids: Sequence[int]) -> None:
        self._input_ids = input_ids
        self._label_ids = list(label_ids)

    def __len__(self) -> int:
        return len(self._input_ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        ids = self._input_ids[index]
        return {
            "input_ids": ids,
            "attention_mask": [1] * len(ids),
            "labels": self._label_ids[index],
        }

    @property
    def input_ids(self) -> list[list[int]]:
        """The token ids of each row."""
        return self._input_ids

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(ids) for ids in self._input_ids]

    def subset(self, indices: Sequence[int]) -> ClassificationRows:
        """The rows at `indices`, in that order."""
        return ClassificationRows(
            [self._input_ids[index] for index in indices],
            [self._label_ids[index] for index in indices],
        )


def collator(tokenizer: Any) -> Any:
    """Pads each batch to its own longest row."""
    from transformers import DataCollatorWithPadding

    return DataCollatorWithPadding(tokenizer)


def score(metric: Metric, truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> float:
    """`metric` of `predicted` against `truth` (both [rows], class ids), between 0 and 1.

    Macro F1 is the unweighted mean over the classes that occur in either, as in scikit-learn.
    """
    import numpy as np

    n_classes = int(max(truth.max(), predicted.max())) + 1
    counts = np.bincount(truth * n_classes + predicted, minlength=n_classes**2)
    return float(scores_of_counts(metric, counts.reshape(1, n_classes, n_classes))[0])


def scores_of_counts(metric: Metric, counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """`metric` of confusion counts [draws, true class, predicted class]; returns [draws]."""
    import numpy as np

    hits = np.einsum("dcc->dc", counts).astype(np.float64)
    if metric == "accuracy":
        accuracy: npt.NDArray[np.float64] = hits.sum(1) / counts.sum((1, 2))
        return accuracy
    support = counts.sum(2) + counts.sum(1)
    occurs = support > 0
    f1 = np.divide(2 * hits, support, out=np.zeros_like(hits), where=occurs)
    macro: npt.NDArray[np.float64] = f1.sum(1) / occurs.sum(1)
    return macro
