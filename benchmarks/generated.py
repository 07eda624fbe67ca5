"""Data sets that are made by a rule, so that it is known what there is to learn."""

from __future__ import annotations

import random
from typing import Any

__all__ = ["tagged_sentences"]

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
