"""The approaches and their knobs. `None` means: derived from data, model and budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, get_args

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values.tagged import KnownKind, Tagged
from zenml_ftvr.values.written import UserWritten

__all__ = [
    "ALL_APPROACHES",
    "KINDS",
    "Approach",
    "Baseline",
    "Contrastive",
    "Full",
    "Head",
    "Kind",
    "Lora",
    "Partial",
    "Scratch",
]

Kind: TypeAlias = Literal["baseline", "head", "contrastive", "partial", "full", "lora", "scratch"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def _require_positive(owner: str, **values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not value > 0:
            raise ConfigurationError(f"{owner}.{name} is {value}; it must be above 0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline(UserWritten):
    """TF-IDF and logistic regression: nothing neural, the reference for every other arm."""

    kind: Literal["baseline"] = "baseline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head(UserWritten):
    """Logistic regression on frozen, mean-pooled features of the base model."""

    kind: Literal["head"] = "head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrastive(UserWritten):
    """The encoder on pairs of texts with equal and with different labels, then a linear head."""

    kind: Literal["contrastive"] = "contrastive"
    learning_rate: float | None = None
    pairs: int | None = None
    """Pairs to train on, half of them of equal label."""
    batch_size: int | None = None
    """Pairs a step."""

    def __post_init__(self) -> None:
        _require_positive(
            "Contrastive",
            learning_rate=self.learning_rate,
            pairs=self.pairs,
            batch_size=self.batch_size,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial(UserWritten):
    """The last layers of the base model and the head; what lies below is frozen, and run once."""

    kind: Literal["partial"] = "partial"
    learning_rate: float | None = None
    epochs: float | None = None
    batch_size: int | None = None
    layers: int | None = None
    """How many of the last layers are trained."""

    def __post_init__(self) -> None:
        _require_positive(
            "Partial",
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            layers=self.layers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Full(UserWritten):
    """Every weight of the base model is trained."""

    kind: Literal["full"] = "full"
    learning_rate: float | None = None
    epochs: float | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        _require_positive(
            "Full",
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora(UserWritten):
    """Low-rank adapters on all linear layers (PEFT), and the classification head."""

    kind: Literal["lora"] = "lora"
    learning_rate: float | None = None
    epochs: float | None = None
    batch_size: int | None = None
    rank: int | None = None

    def __post_init__(self) -> None:
        _require_positive(
            "Lora",
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            rank=self.rank,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch(UserWritten):
    """A tokenizer and a transformer of our own, trained from nothing on the training split."""

    kind: Literal["scratch"] = "scratch"
    learning_rate: float | None = None
    epochs: float | None = None
    batch_size: int | None = None
    depth: int | None = None
    """Layers; width, heads and feed-forward size follow from it."""
    vocabulary_size: int | None = None

    def __post_init__(self) -> None:
        _require_positive(
            "Scratch",
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            depth=self.depth,
            vocabulary_size=self.vocabulary_size,
        )


if TYPE_CHECKING:
    Approach: TypeAlias = Baseline | Head | Contrastive | Partial | Full | Lora | Scratch
else:
    _APPROACHES = Baseline | Head | Contrastive | Partial | Full | Lora | Scratch
    Approach = Annotated[_APPROACHES, Tagged(), KnownKind(_APPROACHES, "approach")]

ALL_APPROACHES: tuple[Approach, ...] = (
    Baseline(),
    Head(),
    Contrastive(),
    Partial(),
    Full(),
    Lora(),
    Scratch(),
)
