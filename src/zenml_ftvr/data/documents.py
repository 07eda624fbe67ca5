"""Running text, cut into pieces that a language model learns from, and split by position."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from zenml_ftvr.data.rows import row_id_of
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource

__all__ = ["PIECE_CHARACTERS", "pieces_of", "splits_by_position"]

PIECE_CHARACTERS = 10_000
"""Characters of a piece: some 2,500 tokens of English, longer than what models here are trained on
at once (a judgement), so that little is lost at its ends; and still small beside memory."""
FEWEST_FILES = 10
"""Files from which on each is in one split as a whole: with fewer, the fractions are far off."""


def pieces_of(lines: Iterable[str]) -> Iterator[str]:
    """Consecutive pieces of about `PIECE_CHARACTERS`, cut at line ends; a longer line is cut up."""
    held: list[str] = []
    size = 0
    for line in lines:
        for start in range(0, len(line), PIECE_CHARACTERS):
            part = line[start : start + PIECE_CHARACTERS]
            held.append(part)
            size += len(part)
            if size >= PIECE_CHARACTERS:
                text = "".join(held)
                held, size = [], 0
                if text.strip():
                    yield text
    text = "".join(held)
    if text.strip():
        yield text


def splits_by_position(source: DataSource, n_pieces: Sequence[tuple[str, int]]) -> list[str]:
    """The split of every piece of text files, given with how many pieces each has.

    A file's first pieces train, the next validate, its last test: a hash would put neighbours,
    which share names and topics, on both sides. Of ten files or more each is in one split, and a
    hash of their names decides which; no file is then on two sides.
    """
    test = 0.0 if source.test_file is not None else source.test_fraction
    validation = 0.0 if source.validation_file is not None else source.validation_fraction
    if len(n_pieces) < FEWEST_FILES:
        splits = [one for _, n in n_pieces for one in _in_order(n, validation, test)]
    else:
        # Their last parts: the same on another machine. Equal ones have their places in the order.
        order = sorted(range(len(n_pieces)), key=lambda at: (row_id_of(_last(n_pieces[at][0])), at))
        of_file = dict(zip(order, _in_order(len(order), validation, test), strict=True))
        splits = [of_file[at] for at, (_, n) in enumerate(n_pieces) for _ in range(n)]
    for name, fraction in (("train", 1.0), ("validation", validation), ("test", test)):
        if fraction and name not in splits:
            raise DataError(
                f"{source.name} has {len(splits)} pieces of {PIECE_CHARACTERS:,} characters, of "
                f"which none is left for the {name} split. Give more text, or rows in JSONL."
            )
    return splits


def _last(file: str) -> str:
    return PurePosixPath(file.replace("\\", "/")).name


def _in_order(n: int, validation: float, test: float) -> list[str]:
    """Train, then validation, then test; where there are three, none is left out for rounding."""
    n_test = max(1, round(n * test)) if test else 0
    n_validation = max(1, round(n * validation)) if validation else 0
    n_train = max(0, n - n_validation - n_test)
    return (["train"] * n_train + ["validation"] * n_validation + ["test"] * n_test)[:n]
