"""The approaches and their knobs. `None` means: derived from data, model and budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values.written import UserWritten, name_or_guess

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
    "Precision",
    "Scratch",
    "Start",
    "TextClassification",
]

Kind: TypeAlias = Literal["baseline", "head", "contrastive", "partial", "full", "lora", "scratch"]
KINDS: tuple[Kind, ...] = get_args(Kind)


Precision: TypeAlias = Literal["auto", "fp32", "bf16", "fp16"]
"""Bits that layers compute with; weights and optimiser keep 32. `auto`: what the device does fast
and safely."""

Start: TypeAlias = Literal["random_head", "solved_head"]
"""What the last layer starts from: random weights, or logistic regression on the features that it
sees before any training (linear probing, then fine-tuning: Kumar et al. 2022, arXiv 2202.10054)."""


def _require_positive(owner: str, **values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not value > 0:
            raise ConfigurationError(f"{owner}.{name} is {value}; it must be above 0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextClassification(UserWritten):
    """One label a text."""

    kind: Literal["text-classification"] = "text-classification"
    metric: Literal["accuracy", "macro_f1"] = "accuracy"
    """What the recommendation is decided by; both are always reported."""
    max_length: int = 128
    """Tokens; a longer text is cut. The profile says what share of tokens that loses."""

    def __post_init__(self) -> None:
        if not 8 <= self.max_length <= 8192:
            raise ConfigurationError(
                f"TextClassification.max_length is {self.max_length}; it must lie between 8 and "
                f"8192."
            )


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
    precision: Precision = "auto"
    start: Start = "random_head"

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
    layer_decay: float = 1.0
    """Each layer's learning rate is that of the layer above it times this; 1 gives all the same.
    Howard & Ruder 2018, arXiv 1801.06146, 3.2 use 1/2.6; Clark et al. 2020, arXiv 2003.10555, 0.8
    and 0.9."""
    optimiser: Literal["adamw", "adamw_8bit"] = "adamw"
    """`adamw_8bit` keeps Adam's moments in a byte each: CUDA only, with the extra `cuda`."""
    gradient_checkpointing: Literal["auto", "always", "never"] = "auto"
    """Compute activations again in the backward pass instead of keeping them: a third more time,
    equal weights. `auto`: where they would not fit into memory."""
    precision: Precision = "auto"
    start: Start = "random_head"

    def __post_init__(self) -> None:
        _require_positive(
            "Full",
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
        )
        if not 0 < self.layer_decay <= 1:
            raise ConfigurationError(
                f"Full.layer_decay is {self.layer_decay}; it must be above 0 and at most 1, which "
                f"gives every layer the same learning rate."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora(UserWritten):
    """Low-rank adapters on all linear layers (PEFT), and the classification head."""

    kind: Literal["lora"] = "lora"
    learning_rate: float | None = None
    epochs: float | None = None
    batch_size: int | None = None
    rank: int | None = None
    variant: Literal["lora", "dora", "rslora"] = "lora"
    """`dora` learns the length of each weight column apart from its direction (Liu et al. 2024,
    arXiv 2402.09353); `rslora` scales by the root of the rank (Kalajdzievski 2023, arXiv
    2312.03732)."""
    plus_ratio: float = 1.0
    """How many times faster the B matrices learn than the A matrices: LoRA+, Hayou et al. 2024,
    arXiv 2402.12354, who find 16 good where the rate is then halved. 1 is plain LoRA."""
    quantise: Literal["nothing", "4bit"] = "nothing"
    """`4bit` holds the frozen base in 4 bits (QLoRA): CUDA only, with the extra `cuda`."""
    gradient_checkpointing: Literal["auto", "always", "never"] = "auto"
    """As in `Full`."""
    precision: Precision = "auto"
    start: Start = "random_head"

    def __post_init__(self) -> None:
        _require_positive(
            "Lora",
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            rank=self.rank,
        )
        if not self.plus_ratio >= 1:
            raise ConfigurationError(
                f"Lora.plus_ratio is {self.plus_ratio}; it must be at least 1, which is plain LoRA."
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
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        _require_positive(
            "Scratch",
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            depth=self.depth,
            vocabulary_size=self.vocabulary_size,
        )


class _KnownKind:
    """Answers an unknown `kind` with an error of ours, before pydantic's discriminator does."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        def check(value: Any) -> Any:
            if isinstance(value, str):
                value = {"kind": value}
            if isinstance(value, dict) and value.get("kind") not in KINDS:
                kind = str(value.get("kind"))
                raise ConfigurationError(
                    f"unknown approach kind '{kind}'.{name_or_guess(kind, list(KINDS))}"
                )
            return value

        return core_schema.no_info_before_validator_function(check, handler(source))


class _Tagged:
    """`pydantic.Field(discriminator="kind")`, made when pydantic asks: importing stays light."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        choices = {
            member.__dataclass_fields__["kind"].default: handler.generate_schema(member)
            for member in get_args(source)
        }
        return core_schema.tagged_union_schema(choices, discriminator="kind")


if TYPE_CHECKING:
    Approach: TypeAlias = Baseline | Head | Contrastive | Partial | Full | Lora | Scratch
else:
    Approach = Annotated[
        Baseline | Head | Contrastive | Partial | Full | Lora | Scratch, _Tagged(), _KnownKind()
    ]

ALL_APPROACHES: tuple[Approach, ...] = (
    Baseline(),
    Head(),
    Contrastive(),
    Partial(),
    Full(),
    Lora(),
    Scratch(),
)
