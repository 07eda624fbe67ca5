"""Words and their tags in columns, as of the CoNLL-2003 shared task (Tjong Kim Sang and De Meulder
2003): a word a line, its tag last, blanks between, and an empty line after each sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zenml_ftvr.errors import DataError

__all__ = ["TAGS", "WORDS", "sentences"]

WORDS, TAGS = "words", "tags"
"""What the columns of such a file are called where one asks for them."""
DOCUMENT = "-DOCSTART-"  # the word of a line between documents


def sentences(name: str, lines: Iterable[str]) -> Iterator[tuple[int, list[str], list[str]]]:
    """Every sentence: the line that it begins in, its words, and the last column of each."""
    start = 0
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields or fields[0] == DOCUMENT:
            if words:
                yield start, words, tags
            start, words, tags = 0, [], []
            continue
        if len(fields) < 2:
            raise DataError(
                f"{name}, line {number}: {line.strip()[:60]!r} has one column. Write a word, a "
                f"blank and its tag a line, and an empty line between sentences."
            )
        start = start or number
        words.append(fields[0])
        tags.append(fields[-1])
    if words:
        yield start, words, tags
