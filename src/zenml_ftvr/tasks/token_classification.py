"""A tag for every word: words to pieces and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zenml_ftvr.tasks.answers import Answers, TagAnswers
from zenml_ftvr.tasks.encoded import EncodedRows, ragged_pairs
from zenml_ftvr.tasks.labelled import LabelledWork
from zenml_ftvr.tasks.predictions import TagPrediction
from zenml_ftvr.tasks.text_classification import TOKENISER_BATCH, label_settings
from zenml_ftvr.tasks.work import Collate, HeadKind
from zenml_ftvr.values import TokenClassification

if TYPE_CHECKING:
    from zenml_ftvr.data import Rows

__all__ = ["UNTAGGED", "PiecedRow", "TagWork", "align", "pieces"]

IGNORED = -100  # the label that torch's cross-entropy passes over, by its default
UNTAGGED = ""
"""What stands for the tag of a word that the model did not read: it is never right."""


@dataclass(frozen=True, slots=True)
class PiecedRow:
    """A row's token ids, and for every word the place of its first piece; None if it was cut."""

    input_ids: list[int]
    first_pieces: list[int | None]


def pieces(tokenizer: Any, rows: Rows, max_length: int) -> Iterator[PiecedRow]:
    """The pieces of every row's words, special tokens included, cut at `max_length`.

    A word of which the tokenizer makes nothing has no first piece.
    """
    for batch in rows.batches(TOKENISER_BATCH):
        words = [list(row) for row in batch.inputs]
        if not words:
            return
        encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=max_length)
        for place, row in enumerate(words):
            first: list[int | None] = [None] * len(row)
            for piece, word in enumerate(encoded.word_ids(place)):
                if word is not None and first[word] is None:
                    first[word] = piece
            yield PiecedRow(encoded["input_ids"][place], first)


def align(row: PiecedRow, tag_ids: Sequence[int]) -> list[int]:
    """A label a piece: the word's tag at its first piece, elsewhere what the loss passes over.

    Devlin et al. 2019, arXiv 1810.04805, 5.3: the first piece stands for its word.
    """
    labels = [IGNORED] * len(row.input_ids)
    for place, tag in zip(row.first_pieces, tag_ids, strict=True):
        if place is not None:
            labels[place] = tag
    return labels


@dataclass(frozen=True, slots=True, kw_only=True)
class TagWork(LabelledWork[TokenClassification]):
    """Token classification on one data set."""

    @property
    def head(self) -> HeadKind:
        return "token-classification"

    def model_settings(self) -> dict[str, Any]:
        """The tags by name."""
        return label_settings(self.labels)

    def encode(self, processor: Any, rows: Rows) -> EncodedRows:
        """Pieces, cut at the task's length, and a label for each."""
        place = {tag: index for index, tag in enumerate(self.labels)}
        tagged = (
            [place[tag] for tag in tags] for batch in rows.batches() for tags in batch.targets
        )
        found = pieces(processor, rows, self.task.max_length)
        return EncodedRows(
            *ragged_pairs(
                (row.input_ids, align(row, tags)) for row, tags in zip(found, tagged, strict=True)
            )
        )

    def collator(self, processor: Any, model: Any) -> Collate:
        """Pads each batch to its own longest row, labels too."""
        from transformers import DataCollatorForTokenClassification

        pad: Collate = DataCollatorForTokenClassification(processor, label_pad_token_id=IGNORED)
        return pad

    def reduced(self, logits: Any, labels: Any) -> Any:
        """The likeliest tag of each piece, [rows, pieces]."""
        return logits.argmax(-1)

    def answers_in_training(self, kept: Any, labels: Any, rows: Any) -> Answers:
        """Of the words that were read: what was cut is not in the labels."""
        truth, said = [], []
        for wanted, found in zip(labels.tolist(), kept.tolist(), strict=True):
            pairs = [(w, f) for w, f in zip(wanted, found, strict=True) if w != IGNORED]
            truth.append([self.labels[w] for w, _ in pairs])
            said.append([self.labels[f] for _, f in pairs])
        return TagAnswers(truth, said)

    def answers(self, outputs: Sequence[Sequence[str]], rows: Rows) -> Answers:
        """Outputs are a tag a word, `UNTAGGED` for words that were not read."""
        return TagAnswers([list(tags) for tags in rows.targets], outputs)

    def predictions(self, outputs: Sequence[Sequence[str]], inputs: Sequence[Any]) -> list[Any]:
        return [
            TagPrediction(words=tuple(words), tags=tuple(tag or None for tag in tags))
            for words, tags in zip(inputs, outputs, strict=True)
        ]
