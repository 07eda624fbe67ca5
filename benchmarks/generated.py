"""Data sets that are made by a rule: what is to be learnt is known, and no label is guessed often.

Nothing is downloaded, and equal seeds give equal rows.
"""

from __future__ import annotations

import random
from typing import Any

__all__ = ["WORDS", "reversed_sentences", "tagged_sentences", "written_backwards"]

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


FIRST = ("mira", "tobin", "elsa", "jarek", "noor", "paulo", "ines", "viggo")
NAMES = ("stone", "rivers", "marsh", "hill", "wood", "ford", "lake", "field")
"""Of people, after a first name, and of places."""
PLAIN = (
    "the a of and to in that it was for on are with as they at be this from have or one had by "
    "but not what all were we when your can said there use an each which she do how their if will "
    "up other about out many then them these so some her would make like him into time has look"
)
MENTIONS = (1, 3)  # names and places in a sentence, least and most
BETWEEN = (2, 6)  # plain words before each


def tagged_sentences(n: int, seed: int) -> list[dict[str, Any]]:
    """Rows with `text`, a list of words, and `label`, a tag (IOB2) for each.

    The rule: a first name and the word after it are a person (B-PER, I-PER); `near` is followed
    by a place (B-LOC), or by `north` or `south` and a place (B-LOC, I-LOC); every other word is O.
    Last names and places are the same words, which also occur as plain ones: what such a word is
    follows from the word before it, and after `north` and `south` from the two before. Most words
    are O, so that answering O throughout finds no entity.
    """
    rng = random.Random(seed)  # noqa: S311  (no secret)
    return [_sentence(rng) for _ in range(n)]


def _sentence(rng: random.Random) -> dict[str, Any]:
    words: list[str] = []
    tags: list[str] = []
    for _ in range(rng.randint(*MENTIONS)):
        plain = [rng.choice(PLAIN.split()) for _ in range(rng.randint(*BETWEEN))]
        if rng.random() < 0.5:  # a word that is a name elsewhere, or a side that is no place
            place = rng.randrange(len(plain))  # with a plain word behind, as names have
            plain[place:place] = [rng.choice(("the", "north", "south")), rng.choice(NAMES)]
        words += plain
        tags += ["O"] * len(plain)
        kind = rng.choice(("person", "place", "side"))
        if kind == "person":
            words += [rng.choice(FIRST), rng.choice(NAMES)]
            tags += ["B-PER", "I-PER"]
        elif kind == "place":
            words += ["near", rng.choice(NAMES)]
            tags += ["O", "B-LOC"]
        else:
            words += ["near", rng.choice(("north", "south")), rng.choice(NAMES)]
            tags += ["O", "B-LOC", "I-LOC"]
    end = rng.choice(PLAIN.split())
    return {"text": [*words, end], "label": [*tags, "O"]}
