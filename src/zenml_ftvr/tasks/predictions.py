"""The answer for one row, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["NumberPrediction", "Prediction", "SetPrediction", "TagPrediction", "TextPrediction"]


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
