"""Measure the alphabet of texts."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

from zenml_ftvr.errors import DataError
from zenml_ftvr.values import Alphabet

__all__ = ["measure_alphabet"]

MOST_TEXTS = 20_000
"""Texts that are counted, evenly over the data; shares are then known to a third of a point."""

NO_TEXT = frozenset({"Cc", "Cn", "Co", "Cs"})
"""Unicode's categories of control codes and of what no character is assigned to."""

UNSPACED_BLOCKS = (
    (0x0E00, 0x0EFF),  # Thai and Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana and Katakana
    (0x3400, 0x4DBF),  # Chinese, extension A
    (0x4E00, 0x9FFF),  # Chinese
    (0xF900, 0xFAFF),  # Chinese, compatibility
    (0x20000, 0x323AF),  # Chinese, the further extensions
)
"""Unicode 15.1's blocks of scripts that are written without spaces between words (Unicode Standard
Annex 29, 4: word boundaries there need a dictionary)."""


def measure_alphabet(texts: Sequence[str]) -> Alphabet:
    """Count the characters of `texts` (of the training split, so that no other is looked at).

    Raises `DataError` where there is no text.
    """
    step = max(1, -(-len(texts) // MOST_TEXTS))
    counted = texts[::step]
    counts: Counter[str] = Counter()
    n_words = 0
    for text in counted:
        counts.update(text)
        n_words += len(text.split())
    total = counts.total()
    if not n_words:
        raise DataError(f"{len(texts):,} texts hold no character. Name a column with texts.")
    spaces = sum(count for character, count in counts.items() if character.isspace())
    return Alphabet(
        n_distinct=sum(not character.isspace() for character in counts),
        space_share=spaces / total,
        mean_word_length=(total - spaces) / n_words,
        control_share=_share(counts, _is_no_text),
        unspaced_share=_share(counts, _is_unspaced),
    )


def _share(counts: Counter[str], belongs: Callable[[str], bool]) -> float:
    return sum(count for one, count in counts.items() if belongs(one)) / counts.total()


def _is_no_text(character: str) -> bool:
    return unicodedata.category(character) in NO_TEXT and not character.isspace()


def _is_unspaced(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in UNSPACED_BLOCKS)
