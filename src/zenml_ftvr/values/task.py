"""What a model is to learn, and what its answers are judged by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values.tagged import KnownKind, Tagged
from zenml_ftvr.values.written import UserWritten, name_or_guess

__all__ = [
    "LOWER_IS_BETTER",
    "CausalLM",
    "ImageClassification",
    "Metric",
    "Seq2Seq",
    "Task",
    "TaskKind",
    "TextClassification",
    "TokenClassification",
    "are_spans",
    "metric_of",
    "metrics_of",
]

TaskKind: TypeAlias = Literal[
    "text-classification",
    "token-classification",
    "causal-lm",
    "seq2seq",
    "image-classification",
]

Metric: TypeAlias = Literal[
    "accuracy",
    "macro_f1",
    "micro_f1",
    "mcc",
    "roc_auc",
    "subset_accuracy",
    "r2",
    "rmse",
    "entity_f1",
    "token_accuracy",
    "bits_per_byte",
    "perplexity",
    "bleu",
    "chrf",
    "rouge_l",
    "exact_match",
]

LOWER_IS_BETTER: frozenset[Metric] = frozenset({"rmse", "bits_per_byte", "perplexity"})
"""Of all other metrics a higher value is the better one, and 1 is the best."""

CLASS_METRICS: tuple[Metric, ...] = ("accuracy", "macro_f1", "mcc", "roc_auc")
"""Of one label a row."""
SET_METRICS: tuple[Metric, ...] = ("micro_f1", "macro_f1", "subset_accuracy", "roc_auc")
"""Of any number of labels a row."""
NUMBER_METRICS: tuple[Metric, ...] = ("r2", "rmse")
TAG_METRICS: tuple[Metric, ...] = ("entity_f1", "token_accuracy")
LANGUAGE_METRICS: tuple[Metric, ...] = ("bits_per_byte", "perplexity", "token_accuracy")
TEXT_METRICS: tuple[Metric, ...] = ("chrf", "bleu", "rouge_l", "exact_match")


def _check_length(owner: str, **lengths: int) -> None:
    for name, value in lengths.items():
        if not 8 <= value <= 8192:
            raise ConfigurationError(f"{owner}.{name} is {value}; it must lie between 8 and 8192.")


def _check_metric(owner: str, metric: Metric | None, known: Sequence[Metric]) -> None:
    if metric is not None and metric not in known:
        raise ConfigurationError(
            f"{owner}.metric is '{metric}'.{name_or_guess(str(metric), list(known))}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TextClassification(UserWritten):
    """A text's label, its set of labels, or a number."""

    kind: Literal["text-classification"] = "text-classification"
    target: Literal["single", "multi", "regression"] = "single"
    """`single`: one label a text. `multi`: any number of labels. `regression`: a number."""
    metric: Metric | None = None
    """What the recommendation is decided by; all are reported. None: accuracy, or macro-F1 where
    classes are imbalanced; micro-F1 of label sets; R2 of numbers."""
    max_length: int = 128
    """Tokens; a longer text is cut. The profile says what share of tokens that loses."""

    def __post_init__(self) -> None:
        if self.target not in ("single", "multi", "regression"):
            raise ConfigurationError(
                f"TextClassification.target is '{self.target}'."
                f"{name_or_guess(str(self.target), ['single', 'multi', 'regression'])}"
            )
        _check_length("TextClassification", max_length=self.max_length)
        _check_metric("TextClassification", self.metric, metrics_of(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClassification(UserWritten):
    """A tag for every word of a text, such as the names in it (IOB2) or parts of speech."""

    kind: Literal["token-classification"] = "token-classification"
    metric: Metric | None = None
    """None: entity-F1 where the tags are spans (B-, I-), else token accuracy."""
    max_length: int = 128
    """Tokens; words beyond it are not tagged, and count as wrong."""

    def __post_init__(self) -> None:
        _check_length("TokenClassification", max_length=self.max_length)
        _check_metric("TokenClassification", self.metric, metrics_of(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class CausalLM(UserWritten):
    """The next token of a text, of an answer to a prompt, or of a turn in a conversation."""

    kind: Literal["causal-lm"] = "causal-lm"
    form: Literal["text", "completion", "chat"] = "text"
    """`text`: every token is learnt. `completion`: the label column's text, given the text
    column's. `chat`: the assistant's turns, through the tokenizer's chat template."""
    metric: Metric | None = None
    """None: bits per byte, which tokenizers do not change."""
    max_length: int = 256
    """Tokens a packed row holds."""

    def __post_init__(self) -> None:
        if self.form not in ("text", "completion", "chat"):
            raise ConfigurationError(
                f"CausalLM.form is '{self.form}'."
                f"{name_or_guess(str(self.form), ['text', 'completion', 'chat'])}"
            )
        _check_length("CausalLM", max_length=self.max_length)
        _check_metric("CausalLM", self.metric, metrics_of(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seq2Seq(UserWritten):
    """A text for a text: translation, summaries, rewriting."""

    kind: Literal["seq2seq"] = "seq2seq"
    metric: Metric | None = None
    """None: chrF."""
    max_length: int = 128
    """Tokens of the given text; a longer one is cut."""
    max_target_length: int = 128
    """Tokens of the wanted text; a longer one is cut, and no longer one is written."""

    def __post_init__(self) -> None:
        _check_length(
            "Seq2Seq", max_length=self.max_length, max_target_length=self.max_target_length
        )
        _check_metric("Seq2Seq", self.metric, metrics_of(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageClassification(UserWritten):
    """One label an image."""

    kind: Literal["image-classification"] = "image-classification"
    metric: Metric | None = None
    """None: accuracy, or macro-F1 where classes are imbalanced."""
    image_size: int | None = None
    """Pixels a side, to which `scratch` scales images. None: the median of the training split's
    shorter sides, at most 224. A pretrained model brings its own."""

    def __post_init__(self) -> None:
        if self.image_size is not None and not 4 <= self.image_size <= 1024:
            raise ConfigurationError(
                f"ImageClassification.image_size is {self.image_size}; it must lie between 4 and "
                f"1024."
            )
        _check_metric("ImageClassification", self.metric, metrics_of(self))


if TYPE_CHECKING:
    Task: TypeAlias = (
        TextClassification | TokenClassification | CausalLM | Seq2Seq | ImageClassification
    )
else:
    _TASKS = TextClassification | TokenClassification | CausalLM | Seq2Seq | ImageClassification
    Task = Annotated[_TASKS, Tagged(), KnownKind(_TASKS, "task", "text-classification")]


def are_spans(tags: Iterable[str]) -> bool:
    """Whether tags say where spans begin and go on: B-X, I-X and their like."""
    return any(tag[:2] in ("B-", "I-", "S-", "E-") for tag in tags)


def metric_of(task: Task) -> Metric:
    """What a task is judged by: the metric it names, or the first that is reported."""
    return task.metric or metrics_of(task)[0]


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """Every metric that is reported for a task; the first is the default of balanced data."""
    match task:
        case TextClassification(target="multi"):
            return SET_METRICS
        case TextClassification(target="regression"):
            return NUMBER_METRICS
        case TextClassification() | ImageClassification():
            return CLASS_METRICS
        case TokenClassification():
            return TAG_METRICS
        case CausalLM():
            return LANGUAGE_METRICS
        case Seq2Seq():
            return TEXT_METRICS
