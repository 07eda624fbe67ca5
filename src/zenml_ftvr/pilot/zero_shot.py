"""What a sentence encoder makes of texts and the names of their labels, without any training."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from zenml_ftvr.data import rows_of_inputs
from zenml_ftvr.evaluate import scores_with_intervals
from zenml_ftvr.models import ResolvedModel, cached_features
from zenml_ftvr.tasks import work_for
from zenml_ftvr.train import Progress
from zenml_ftvr.values import MeasuredScore, Task, TextClassification, metrics_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Dataset

    Array = npt.NDArray[np.float32]

__all__ = ["is_sentence_encoder", "label_text", "measure_zero_shot", "why_not_zero_shot"]

SENTENCE_FILES = ("modules.json", "config_sentence_transformers.json")
"""What sentence-transformers writes beside a model that was trained to compare texts."""


def is_sentence_encoder(base: ResolvedModel) -> bool:
    """Whether the base model was trained so that features of like texts point one way."""
    return any((base.folder / name).is_file() for name in SENTENCE_FILES)


def label_text(label: str) -> str:
    """A label as words: `card_not_working` is `card not working`."""
    return " ".join(label.replace("_", " ").split())


def why_not_zero_shot(dataset: Dataset, base: ResolvedModel | None, task: Task) -> str | None:
    """Why labels are not compared with texts, in a sentence; None where they are."""
    if not isinstance(task, TextClassification) or task.target != "single":
        return "labels are compared with texts only where a text has one label."
    if base is None:
        return "no base model was given that could compare texts with labels."
    if not is_sentence_encoder(base):
        return (
            f"{base.source.name} is no sentence encoder: its features of texts and of labels "
            f"were not trained to be compared."
        )
    nameless = [label for label in dataset.labels if not any(map(str.isalpha, label))]
    if nameless:
        return f"label '{nameless[0]}' names nothing that a text could be compared with."
    return None


def measure_zero_shot(
    dataset: Dataset,
    base: ResolvedModel,
    task: Task,
    device: str,
    seed: int,
    progress: Progress,
) -> MeasuredScore:
    """Scores on the training split where each text gets the label whose name is nearest.

    By the cosine of mean-pooled features. No row's label is looked at before it is scored, so that
    all rows count; the features are those that `head` takes, and are kept.
    """
    import numpy as np

    started = time.monotonic()
    names = rows_of_inputs([label_text(label) for label in dataset.labels], task)

    def report(done: int, total: int) -> None:
        progress("features, train", done, total)

    texts = _of_length_one(cached_features(base, dataset.train, task, device, report))
    labels = _of_length_one(cached_features(base, names, task, device))
    answers = work_for(task, dataset).answers(
        np.asarray(texts @ labels.T, dtype=np.float32), dataset.train
    )
    return MeasuredScore(
        kind="baseline",
        scores=scores_with_intervals(answers, metrics_of(task), seed),
        folds=0,
        seconds=time.monotonic() - started,
    )


def _of_length_one(features: Array) -> Array:
    import numpy as np

    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    result: Array = features / np.maximum(lengths, np.finfo(np.float32).tiny)
    return result
