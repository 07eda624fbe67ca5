"""Where rows come from, and what is known about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values.written import UserWritten

__all__ = ["ClassCount", "DataProfile", "DataSource", "Quantiles", "TokenProfile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource(UserWritten):
    """Which rows to read, and how to split them.

    `name` is a built-in corpus (`docstrings`, `docstrings-cipher`), a local path or a URI of a CSV,
    JSONL or Parquet file, or the id of a data set on the Hugging Face Hub.
    """

    name: str
    text_column: str = "text"
    label_column: str = "label"
    encoding: str = "utf-8"
    """Of CSV and JSONL files."""
    revision: str | None = None
    """Commit, tag or branch; Hub data sets only."""
    subset: str | None = None
    """The configuration's name; Hub data sets only."""
    hub_split: str = "train"
    """Which published split to read; Hub data sets only. We make our own splits of it."""
    validation_fraction: float = 0.15
    test_fraction: float = 0.15
    rare_labels: Literal["error", "drop"] = "error"
    """What to do with a class too rare to be in every split."""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ConfigurationError(
                "DataSource.name is empty. Give a file, a Hub id, or 'docstrings'."
            )
        if self.text_column == self.label_column:
            raise ConfigurationError(
                f"DataSource.text_column and label_column are both '{self.text_column}'. Name the "
                f"column with the labels."
            )
        for field in ("validation_fraction", "test_fraction"):
            value = getattr(self, field)
            if not 0.01 <= value <= 0.5:
                raise ConfigurationError(
                    f"DataSource.{field} is {value}; it must lie between 0.01 and 0.5."
                )
        if self.validation_fraction + self.test_fraction > 0.8:
            raise ConfigurationError(
                f"DataSource.validation_fraction + test_fraction is "
                f"{self.validation_fraction + self.test_fraction:.2f}; at most 0.8, or too little "
                f"is left to train on."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCount:
    """How many rows of one class each split has."""

    label: str
    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        return self.train + self.validation + self.test


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """A distribution in six numbers."""

    minimum: float
    p50: float
    p90: float
    p99: float
    maximum: float
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenProfile:
    """What the base model's tokenizer makes of the training texts."""

    tokenizer: str
    vocabulary_size: int
    tokens: Quantiles
    """Tokens a text, special tokens included, before truncation."""
    total_train_tokens: int
    pieces_per_word: float
    """Mean pieces that one whitespace-separated word becomes, special tokens excluded."""
    unknown_share: float
    """Share of pieces that are the unknown token, 0 to 1."""
    truncated_share: float
    """Share of all tokens cut off at `max_length`, 0 to 1."""
    max_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataProfile:
    """What a data set is like, before anything is trained on it."""

    source: str
    fingerprint: str
    """sha256 over the rows of every split and their ids, 64 hex digits."""
    n_rows: int
    n_train: int
    n_validation: int
    n_test: int
    classes: tuple[ClassCount, ...]
    n_duplicates: int
    """Rows beyond the first of those with equal normalised text; all of them on one side."""
    n_conflicts: int
    """Distinct normalised texts that occur under more than one label."""
    n_dropped: int
    """Rows left out because their class was too rare (only when the user asked for it)."""
    characters: Quantiles
    words: Quantiles
    tokens: TokenProfile | None
    """None when no base model was given."""
    warnings: tuple[str, ...] = ()
    """What a user should know and nothing forbids, each a full sentence."""

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    @property
    def majority_share(self) -> float:
        """Share of the most frequent class among the training rows, 0 to 1."""
        return max(count.train for count in self.classes) / self.n_train
