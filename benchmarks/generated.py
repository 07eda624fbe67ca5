"""Data sets that are made by a rule: what is to be learnt is known, and no label is guessed often.

Nothing is downloaded, and equal seeds give equal rows.
"""

from __future__ import annotations

import random

__all__ = ["WORDS", "reversed_sentences", "written_backwards"]

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
WORDS_KNOWN = 60  # as many as a small model learns to spell in minutes
LENGTHS = (2, 6)  # words a sentence
NEXT_VOWEL = str.maketrans(VOWELS, VOWELS[1:] + VOWELS[:1])


def _made_words() -> list[str]:
    """Words of two or three syllables, the same ones always."""
    rng = random.Random(0)  # noqa: S311  (no secret)
    words: dict[str, None] = {}
    while len(words) < WORDS_KNOWN:
        syllables = (rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(rng.randint(2, 3)))
        words["".join(syllables)] = None
    return list(words)


WORDS = _made_words()


def written_backwards(sentence: str) -> str:
    """The words in reverse order, each vowel moved on to the next (a to e, u to a): both places and
    letters have to be learnt."""
    return " ".join(reversed(sentence.translate(NEXT_VOWEL).split()))


def reversed_sentences(n_rows: int, seed: int) -> tuple[list[str], list[str]]:
    """Sentences of made-up words, and the same `written_backwards`; no sentence occurs twice.

    Always giving one answer scores next to nothing, copying gets the consonants of words in the
    wrong places, and the answer to the most similar sentence is right about some words only.
    """
    rng = random.Random(seed)  # noqa: S311  (no secret)
    sentences: dict[str, None] = {}
    while len(sentences) < n_rows:
        sentences[" ".join(rng.choices(WORDS, k=rng.randint(*LENGTHS)))] = None
    given = list(sentences)
    return given, [written_backwards(one) for one in given]
