"""What the characters of the texts are: from it follows how text is cut into pieces."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Alphabet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alphabet:
    """The characters of the training texts, counted; shares are of all characters."""

    n_distinct: int
    """Characters that occur, white space apart."""
    space_share: float
    """White space."""
    mean_word_length: float
    """Characters between white space."""
    control_share: float
    """Control codes, private and unassigned characters: bytes that are no text."""
    unspaced_share: float
    """Letters of scripts that put no space between words: Chinese, Japanese, Thai and the like."""
