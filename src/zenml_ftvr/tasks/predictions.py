"""The answer for one row, as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "NumberPrediction",
    "Prediction",
    "SetPrediction",
    "TagPrediction",
    "TextPrediction",
    "answer_columns",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One label."""

    label: str
    probability: float
    """Of `label`."""
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPrediction:
    """Any number of labels: each whose probability is above one half."""

    labels: tuple[str, ...]
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberPrediction:
    """A number, in the units of the training rows."""

    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TagPrediction:
    """A tag for every word; None for words beyond what the model reads."""

    words: tuple[str, ...]
    tags: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPrediction:
    """A written text."""

    text: str


def answer_columns(predictions: Sequence[Any]) -> dict[str, list[Any]]:
    """Predictions of one kind as the columns of a table."""
    match predictions:
        case [Prediction(), *_]:
            return {
                "label": [one.label for one in predictions],
                "probability": [one.probability for one in predictions],
            }
        case [SetPrediction(), *_]:
            return {"labels": [list(one.labels) for one in predictions]}
        case [NumberPrediction(), *_]:
            return {"value": [one.value for one in predictions]}
        case [TagPrediction(), *_]:
            return {"tags": [list(one.tags) for one in predictions]}
        case [TextPrediction(), *_]:
            return {"written": [one.text for one in predictions]}
        case _:
            return {}
