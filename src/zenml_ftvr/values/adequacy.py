"""Whether what a pretrained model knows fits the data at hand."""

from __future__ import annotations

from dataclasses import dataclass

from zenml_ftvr.values.score import Score

__all__ = ["Adequacy", "Gap", "OtherBase", "Pieces", "Predictability"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """How a tokenizer cuts texts that it was not trained on."""

    per_word: float
    unknown_share: float
    """Of the pieces."""
    vocabulary_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A score minus another's on the same rows, with the limits of a paired bootstrap."""

    mean: float
    low: float
    high: float
    level: float = 0.95

    @property
    def is_significant(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictability:
    """Bits for each byte of the same texts, fewer meaning that they are better foretold."""

    by_model: float
    """As the base model was published, nothing learnt."""
    by_ngrams: float
    """Of byte n-grams that were counted on other texts of the same data."""
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adequacy:
    """What explains whether fine-tuning has something to build on. It decides nothing: the pilots
    do. Parts are None where the task, the data or the model has none of the kind."""

    n_rows: int
    """Training rows that were looked at."""
    seconds: float
    pieces: Pieces | None = None
    """Of the base model's tokenizer."""
    own_pieces: Pieces | None = None
    """Of a tokenizer trained on other texts of the same data."""
    probe: Score | None = None
    """Of a linear head on the base model's features, out of fold."""
    twin: Score | None = None
    """The same on features of a model of the same shape with random weights."""
    without: Score | None = None
    """The task's baseline, which knows no model."""
    over_twin: Gap | None = None
    """`probe` minus `twin`: what pretraining put in."""
    over_baseline: Gap | None = None
    """`probe` minus `without`."""
    predictability: Predictability | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherBase:
    """Another base model on offer, by a linear head on its features."""

    name: str
    score: Score | None = None
    """Out of fold on the training split; None where it was skipped."""
    gain: Gap | None = None
    """Its score minus that of the same head on the request's base model."""
    skipped: str | None = None
    """Why nothing was measured."""
