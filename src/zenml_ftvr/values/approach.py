"""The approaches and their knobs. `None` means: derived from data, model and budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, get_args

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values.tagged import KnownKind, Tagged
from zenml_ftvr.values.written import UserWritten, name_or_guess

__all__ = [
    "ALL_APPROACHES",
    "KINDS",
    "Approach",
    "Baseline",
    "Contrastive",
    "Form",
    "Full",
    "Head",
    "Kind",
    "Lora",
    "Partial",
    "Precision",
    "Scratch",
    "Start",
    "TokenizerKind",
]

Kind: TypeAlias = Literal["baseline", "head", "contrastive", "partial", "full", "lora", "scratch"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Form: TypeAlias = Literal["encoder", "decoder", "encoder-decoder", "image-encoder"]
"""What a model of our own is built as; the task decides."""

TokenizerKind: TypeAlias = Literal["bpe", "wordpiece", "unigram", "characters", "bytes"]
TOKENIZER_KINDS: tuple[TokenizerKind, ...] = get_args(TokenizerKind)


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


def _require_texts_to_pretrain_on(owner: str, texts: str | None, epochs: float | None) -> None:
    if texts is not None and not texts.strip():
        raise ConfigurationError(
            f"{owner}.pretrain_on is empty. Give a file with unlabelled texts, or leave it out."
        )
    if epochs is not None and texts is None:
        raise ConfigurationError(
            f"{owner}.pretrain_epochs is {epochs:g}, but no texts are named to pretrain on. Set "
            f"{owner}.pretrain_on, or leave pretrain_epochs out."
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
    pretrain_on: str | None = None
    """Unlabelled texts (a file or a built-in corpus) for continued pretraining before the labels;
    validation and test rows among them are left out. None: none."""
    pretrain_epochs: float | None = None
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
            pretrain_epochs=self.pretrain_epochs,
        )
        _require_texts_to_pretrain_on("Full", self.pretrain_on, self.pretrain_epochs)
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
    pretrain_on: str | None = None
    """Unlabelled texts (a file or a built-in corpus) for continued pretraining before the labels;
    validation and test rows among them are left out. None: none."""
    pretrain_epochs: float | None = None
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
            pretrain_epochs=self.pretrain_epochs,
            rank=self.rank,
        )
        _require_texts_to_pretrain_on("Lora", self.pretrain_on, self.pretrain_epochs)
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
    tokenizer: TokenizerKind | None = None
    """How text is cut into pieces; None: by the alphabet of the data."""
    pretrain_on: str | None = None
    """Unlabelled texts (a file or a built-in corpus) on which the model learns the language before
    the labels; validation and test rows among them are left out. None: no such training."""
    pretrain_epochs: float | None = None
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        _require_positive(
            "Scratch",
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            depth=self.depth,
            vocabulary_size=self.vocabulary_size,
            pretrain_epochs=self.pretrain_epochs,
        )
        if self.tokenizer is not None and self.tokenizer not in TOKENIZER_KINDS:
            raise ConfigurationError(
                f"unknown Scratch.tokenizer '{self.tokenizer}'."
                f"{name_or_guess(self.tokenizer, list(TOKENIZER_KINDS))}"
            )
        _require_texts_to_pretrain_on("Scratch", self.pretrain_on, self.pretrain_epochs)


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
