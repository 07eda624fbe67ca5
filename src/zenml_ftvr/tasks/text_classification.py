"""A text's label, its set of labels, or a number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zenml_ftvr.tasks.answers import Answers, ClassAnswers, NumberAnswers, SetAnswers
from zenml_ftvr.tasks.encoded import EncodedRows, ragged
from zenml_ftvr.tasks.labelled import LabelledWork
from zenml_ftvr.tasks.predictions import NumberPrediction, Prediction, SetPrediction
from zenml_ftvr.tasks.work import Collate, HeadKind, TargetKind
from zenml_ftvr.values import TextClassification

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Rows

    Scores = npt.NDArray[np.float32]

__all__ = ["TextWork", "encode", "label_predictions", "label_settings", "token_ids"]

TOKENISER_BATCH = 1_000  # texts a call: enough for the tokenizer's own parallelism


def encode(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """Token ids of each text, special tokens included, cut at `max_length`."""
    ids: list[list[int]] = []
    for start in range(0, len(texts), TOKENISER_BATCH):
        batch = list(texts[start : start + TOKENISER_BATCH])
        ids.extend(tokenizer(batch, truncation=True, max_length=max_length)["input_ids"])
    return ids


def token_ids(tokenizer: Any, rows: Rows, max_length: int) -> Iterator[list[int]]:
    """As `encode`, row by row, with no more than a thousand texts in memory at once."""
    for batch in rows.batches(TOKENISER_BATCH):
        yield from encode(tokenizer, batch.texts, max_length)


def label_settings(labels: Sequence[str]) -> dict[str, Any]:
    """The names of classes, as a transformers configuration holds them."""
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
    }


def label_predictions(logits: Scores, labels: Sequence[str]) -> list[Prediction]:
    """Logits [rows, classes] as labels with their probabilities (softmax)."""
    import numpy as np

    scores = logits.astype(np.float64)
    scores -= scores.max(axis=1, keepdims=True)
    exponentials = np.exp(scores)
    answers = []
    for row in exponentials / exponentials.sum(axis=1, keepdims=True):
        best = int(row.argmax())
        answers.append(
            Prediction(
                label=labels[best],
                probability=float(row[best]),
                probabilities=dict(zip(labels, map(float, row), strict=True)),
            )
        )
    return answers


@dataclass(frozen=True, slots=True, kw_only=True)
class TextWork(LabelledWork[TextClassification]):
    """Text classification on one data set."""

    @property
    def target(self) -> TargetKind:
        return self.task.target

    @property
    def head(self) -> HeadKind:
        return "sequence-classification"

    def model_settings(self) -> dict[str, Any]:
        """Classes by name, and which loss the head is trained with."""
        match self.task.target:
            case "single":
                return {
                    **label_settings(self.labels),
                    "problem_type": "single_label_classification",
                }
            case "multi":
                return {**label_settings(self.labels), "problem_type": "multi_label_classification"}
            case "regression":
                return {"num_labels": 1, "problem_type": "regression"}

    def targets(self, rows: Rows) -> npt.NDArray[Any]:
        """Class ids [rows], 0 and 1 for each label [rows, labels], or numbers [rows]."""
        import numpy as np

        return self._targets(rows, np.float64 if self.task.target == "regression" else np.int64)

    def _targets(self, rows: Rows, kind: Any) -> npt.NDArray[Any]:
        """As `targets`, of numbers of this kind, from a batch of rows at a time."""
        import numpy as np

        multi = self.task.target == "multi"
        found = np.zeros((len(rows), len(self.labels)) if multi else len(rows), kind)
        place = {label: index for index, label in enumerate(self.labels)}
        start = 0
        for batch in rows.batches():
            stop = start + len(batch)
            match self.task.target:
                case "single":
                    found[start:stop] = [place[label] for label in batch.targets]
                case "multi":
                    for row, labels in enumerate(batch.targets, start):
                        found[row, [place[label] for label in labels]] = 1
                case "regression":
                    found[start:stop] = batch.targets
            start = stop
        return found

    def encode(self, processor: Any, rows: Rows) -> EncodedRows:
        """Token ids, cut at the task's length; labels as the loss wants them."""
        import numpy as np

        kinds = {
            "single": np.int32,
            "multi": np.float16,  # the loss wants 0.0 and 1.0, which two bytes hold
            "regression": np.float64,
        }
        labels = self._targets(rows, kinds[self.task.target])
        if self.task.target == "regression":
            labels = (labels - self.scale.mean) / self.scale.deviation
        return EncodedRows(ragged(token_ids(processor, rows, self.task.max_length)), labels)

    def collator(self, processor: Any, model: Any) -> Collate:
        """Pads each batch to its own longest row."""
        from transformers import DataCollatorWithPadding

        pad: Collate = DataCollatorWithPadding(processor)
        return pad

    def reduced(self, logits: Any, labels: Any) -> Any:
        """All of them: one number a class."""
        return logits

    def answers_in_training(self, kept: Any, labels: Any, rows: Any) -> Answers:
        import numpy as np

        if self.task.target == "regression":
            truth, said = (np.asarray(one, dtype=np.float64).ravel() for one in (labels, kept))
            mean, deviation = self.scale.mean, self.scale.deviation
            return NumberAnswers(truth * deviation + mean, said * deviation + mean)
        return self._answers(np.asarray(kept), np.asarray(labels).astype(np.int64))

    def answers(self, outputs: Scores, rows: Rows) -> Answers:
        """Outputs [rows, classes], or [rows, 1] in the units of the rows' numbers."""
        return self._answers(outputs, self.targets(rows))

    def _answers(self, outputs: Scores, truth: npt.NDArray[Any]) -> Answers:
        scores = outputs.astype(float)
        match self.task.target:
            case "single":
                return ClassAnswers(truth, scores)
            case "multi":
                return SetAnswers(truth, scores)
            case "regression":
                return NumberAnswers(truth, scores[:, 0])

    def predictions(self, outputs: Scores, inputs: Sequence[Any]) -> list[Any]:
        """A label, a set of labels, or a number for each row."""
        import numpy as np

        match self.task.target:
            case "single":
                return label_predictions(outputs, self.labels)
            case "regression":
                return [NumberPrediction(value=float(row[0])) for row in outputs]
            case "multi":
                answers = []
                for row in 1 / (1 + np.exp(-outputs.astype(np.float64))):
                    probabilities = dict(zip(self.labels, map(float, row), strict=True))
                    chosen = tuple(label for label, p in probabilities.items() if p > 0.5)
                    answers.append(SetPrediction(labels=chosen, probabilities=probabilities))
                return answers
