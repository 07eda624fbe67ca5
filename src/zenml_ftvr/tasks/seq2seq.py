"""A text for a text: translation, summaries, rewriting."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from zenml_ftvr.tasks.answers import Answers, LanguageAnswers
from zenml_ftvr.tasks.causal_lm import counts_of_batch
from zenml_ftvr.tasks.encoded import EncodedRows, ragged
from zenml_ftvr.tasks.predictions import TextPrediction
from zenml_ftvr.tasks.text_answers import TextAnswers
from zenml_ftvr.tasks.text_classification import token_ids
from zenml_ftvr.tasks.work import Collate, HeadKind, TargetScale
from zenml_ftvr.values import Metric, Seq2Seq

if TYPE_CHECKING:
    from zenml_ftvr.data import Rows

__all__ = ["SeqToSeqWork"]

TEXTS_AT_ONCE = 1_000  # a tokenizer's call: enough for its own parallelism


def target_ids(tokenizer: Any, rows: Rows, max_length: int) -> Iterator[list[int]]:
    """Token ids of each wanted text, special tokens included, cut at `max_length`."""
    for batch in rows.batches(TEXTS_AT_ONCE):
        made = tokenizer(text_target=batch.targets, truncation=True, max_length=max_length)
        yield from made["input_ids"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeqToSeqWork:
    """Sequence to sequence on one data set."""

    task: Seq2Seq
    labels: tuple[str, ...] = ()
    scale: TargetScale = dataclasses.field(default_factory=TargetScale)

    @property
    def head(self) -> HeadKind:
        return "seq2seq"

    @property
    def selects_by(self) -> Metric | Literal["loss"]:
        return "loss"

    @property
    def in_training(self) -> tuple[Metric, ...]:
        """Of tokens whose forerunners are given: writing whole texts at each look would cost more
        than the training."""
        return ("token_accuracy",)

    def model_settings(self) -> dict[str, Any]:
        """None: the head is the pretrained one."""
        return {}

    def encode(self, processor: Any, rows: Rows) -> EncodedRows:
        """Token ids of given and wanted texts, each cut at its length."""
        return EncodedRows(
            ragged(token_ids(processor, rows, self.task.max_length)),
            ragged(target_ids(processor, rows, self.task.max_target_length)),
        )

    def collator(self, processor: Any, model: Any) -> Collate:
        """Pads both sides of each batch; the decoder reads the wanted text moved by one."""
        from transformers import DataCollatorForSeq2Seq

        pad: Collate = DataCollatorForSeq2Seq(processor, model=model)
        return pad

    def reduced(self, logits: Any, labels: Any) -> Any:
        """Sums of each row, [rows, 3]; besides logits the model gives what its encoder said."""
        return counts_of_batch(logits[0] if isinstance(logits, tuple) else logits, labels)

    def answers_in_training(self, kept: Any, labels: Any, rows: Any) -> Answers:
        """Of tokens alone: no bytes are counted."""
        import numpy as np

        nll, tokens, hits = np.asarray(kept, dtype=np.float64).T
        return LanguageAnswers(nll, tokens, np.zeros_like(tokens), hits)

    def answers(self, outputs: Sequence[str], rows: Rows) -> Answers:
        """Outputs: a text a row."""
        return TextAnswers(rows.targets, outputs)

    def predictions(self, outputs: Sequence[str], inputs: Sequence[Any]) -> list[Any]:
        """What was written for each input."""
        return [TextPrediction(text=text) for text in outputs]
