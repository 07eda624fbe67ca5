"""What a user asks of an evaluation beyond its scores."""

from __future__ import annotations

from dataclasses import dataclass, field

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values.written import UserWritten

__all__ = ["EvaluationSettings", "ForgettingSettings", "ServingSettings"]

REFERENCE_TEXT = "python-reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings(UserWritten):
    """How the cost of use is measured."""

    batch_sizes: tuple[int, ...] = (1, 32)
    seconds: float = 2.0
    """The most that the timed calls of one batch size take. A judgement: a hundred calls of a small
    model at one row, so that its 99th percentile is one that was seen."""
    usd_per_hour: float | None = None
    """Of the machine that will answer; None: the price of the one that trained, if it has one."""

    def __post_init__(self) -> None:
        if not self.batch_sizes or any(size < 1 for size in self.batch_sizes):
            raise ConfigurationError(
                f"ServingSettings.batch_sizes is {list(self.batch_sizes)}; give numbers of rows "
                f"from 1 up, such as [1, 32]."
            )
        if not self.seconds > 0:
            raise ConfigurationError(
                f"ServingSettings.seconds is {self.seconds}; it must be above 0. Write "
                f"`serving: null` for no measurement."
            )
        if self.usd_per_hour is not None and not self.usd_per_hour > 0:
            raise ConfigurationError(
                f"ServingSettings.usd_per_hour is {self.usd_per_hour}; it must be above 0. Leave "
                f"it out for the price of the machine that trained."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgettingSettings(UserWritten):
    """On what text the base model's own ability is measured, before and after."""

    texts: str = REFERENCE_TEXT
    """`python-reference` (paragraphs of the language reference that comes with Python: technical
    English), or a file of texts of your own that the base model is good at."""
    text_column: str = "text"
    """Of that file."""
    n_texts: int = 128
    """Drawn by the seed. A judgement: some ten thousand tokens, which take seconds."""

    def __post_init__(self) -> None:
        if not self.texts.strip():
            raise ConfigurationError(
                f"ForgettingSettings.texts is empty. Give '{REFERENCE_TEXT}' or a file."
            )
        if self.n_texts < 20:
            raise ConfigurationError(
                f"ForgettingSettings.n_texts is {self.n_texts}; it must be at least 20, or nearest "
                f"texts mean nothing. Write `forgetting: null` for no measurement."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings(UserWritten):
    """What is measured on the test rows besides scores; each can be left out by `null`."""

    slice_columns: tuple[str, ...] = ()
    """Columns of the data whose values make slices, beside those by length."""
    serving: ServingSettings | None = field(default_factory=ServingSettings)
    """None: latency, throughput and memory are not measured."""
    forgetting: ForgettingSettings | None = field(default_factory=ForgettingSettings)
    """None: the base model's own ability is not measured."""

    def __post_init__(self) -> None:
        if any(not column.strip() for column in self.slice_columns):
            raise ConfigurationError(
                "EvaluationSettings.slice_columns holds an empty name. Name columns of the data."
            )
        if len(set(self.slice_columns)) < len(self.slice_columns):
            raise ConfigurationError(
                f"EvaluationSettings.slice_columns names a column twice: "
                f"{', '.join(self.slice_columns)}. Keep one of each."
            )
