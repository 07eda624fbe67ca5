"""The built-in corpora: real text that every Python has, and its cipher.

`docstrings`: docstrings of the running interpreter's standard library; the label is the top-level
module or package that a docstring comes from. `docstrings-cipher`: the same texts with every letter
replaced by another, always the same one: a data type that no model was pretrained on, with the same
labels. No text is shipped: both are read from the interpreter at hand.
"""

from __future__ import annotations

import ast
import inspect
import random
import string
import sysconfig
import unicodedata
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from zenml_ftvr.data.rows import normalise
from zenml_ftvr.errors import DataError

__all__ = ["CORPORA", "encipher", "read_corpus"]

CORPORA = ("docstrings", "docstrings-cipher")

N_CLASSES = 10  # the largest modules: below them a class has too few texts to be split
MIN_WORDS = 4  # shorter docstrings ("See above.") say nothing of where they are from
NOT_LIBRARY = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "lib2to3"})
"""Folders that hold other packages, tests, or sample code."""
ALEF, BET = (unicodedata.lookup(f"HEBREW LETTER {name}") for name in ("ALEF", "BET"))


def read_corpus(name: str, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts and labels of a built-in corpus; `seed` draws the order and the cipher."""
    pairs = _docstrings()
    random.Random(seed).shuffle(pairs)  # noqa: S311  (no secret)
    texts, labels = [text for text, _ in pairs], [label for _, label in pairs]
    if name == "docstrings-cipher":
        texts = encipher(texts, seed)
    return texts, labels


def _docstrings() -> list[tuple[str, str]]:
    root = Path(sysconfig.get_path("stdlib"))
    modules_of: dict[str, set[str]] = defaultdict(set)
    first: dict[str, str] = {}
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        if NOT_LIBRARY.intersection(parts) or parts[0].startswith(("_", "config-")):
            continue
        for text in _docstrings_of(file):
            if len(text.split()) >= MIN_WORDS:
                key = normalise(text)
                modules_of[key].add(parts[0])
                first.setdefault(key, text)
    # A text that two modules share belongs to neither: its label would be an accident of order.
    unique = {key: modules.pop() for key, modules in modules_of.items() if len(modules) == 1}
    largest = [module for module, _ in Counter(unique.values()).most_common(N_CLASSES)]
    if len(largest) < N_CLASSES:
        raise DataError(
            f"the built-in corpora need the sources of Python's standard library, and {root} holds "
            f"docstrings of {len(largest)} modules. Use an interpreter installed with its sources, "
            f"or your own data."
        )
    chosen = frozenset(largest)
    return sorted((first[key], module) for key, module in unique.items() if module in chosen)


def _docstrings_of(file: Path) -> Iterator[str]:
    """Docstrings of a source file, cleaned of their indentation; nothing is imported."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old escapes in the library's own strings
            tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError):  # a template, or bytes of another encoding
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text:
                yield inspect.cleandoc(text)


def encipher(texts: list[str], seed: int) -> list[str]:
    """Replace every letter by another, the same one everywhere; case is kept.

    One cycle through a to z and all the letters that occur (Sattolo's algorithm), so that none
    stays itself.
    """
    lower = set(string.ascii_lowercase)
    other: set[str] = set()
    for character in sorted(set().union(*texts)):
        if not character.isalpha():
            continue
        small = character.lower()
        large = small.upper()
        paired = len(small) == len(large) == 1 and small == large.lower() != large
        if paired and character in (small, large):
            lower.add(small)
        else:
            other.add(character)
    rng = random.Random(seed)  # noqa: S311  (no secret)
    table = _one_cycle(sorted(lower), rng)
    table |= {letter.upper(): to.upper() for letter, to in table.items()}
    if len(other) == 1:  # a lone letter without case has no partner: it gets another script's
        other.add(BET if ALEF in other else ALEF)
    table |= _one_cycle(sorted(other), rng)
    translation = str.maketrans(table)
    return [text.translate(translation) for text in texts]


def _one_cycle(letters: list[str], rng: random.Random) -> dict[str, str]:
    images = list(letters)
    for index in range(len(images) - 1, 0, -1):
        other = rng.randrange(index)
        images[index], images[other] = images[other], images[index]
    return dict(zip(letters, images, strict=True))
