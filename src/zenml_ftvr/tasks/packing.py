"""Documents packed into blocks: no place is left to padding, no token sees another document.

A document longer than a block is cut into pieces; each but the first begins with the token before
it, which is seen and not learnt, so that every token is learnt once. Pieces go whole into blocks.
"""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zenml_ftvr.tasks.encoded import Ragged, ragged

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["IGNORED", "Document", "PackedRows", "fill_blocks", "pack", "pieces_of"]

PIECES_AT_ONCE = 10_000  # that are Python's objects
IGNORED = -100  # the label that torch's cross-entropy leaves out


@dataclass(frozen=True, slots=True)
class Document:
    """Token ids, and the labels of those that are learnt; `IGNORED` at the others."""

    ids: Sequence[int]
    labels: Sequence[int]
    n_bytes: int
    """Of what is learnt, in UTF-8."""


def pieces_of(document: Document, size: int) -> Iterator[tuple[list[int], list[int]]]:
    """Ids and labels of consecutive pieces of at most `size` tokens."""
    ids, labels = list(document.ids), list(document.labels)
    if labels:
        labels[0] = IGNORED  # nothing comes before it that could foretell it
    yield ids[:size], labels[:size]
    for start in range(size - 1, len(ids) - 1, size - 1):
        yield ids[start : start + size], [IGNORED, *labels[start + 1 : start + size]]


def fill_blocks(lengths: Sequence[int] | npt.NDArray[np.int64], size: int) -> Ragged:
    """Places of the pieces that share a block, each block of at most `size` tokens.

    Best fit, longest first: Ding et al. 2024, arXiv 2404.10830.
    """
    import numpy as np

    sizes = np.asarray(lengths, np.int32)
    order = np.argsort(-sizes, kind="stable").astype(np.int32)
    block_of = np.empty(len(sizes), np.int32)  # of the pieces in that order
    shortest = sizes.min(initial=size)
    n_blocks = 0
    with_room: dict[int, list[int]] = {}  # free places: blocks
    rooms: list[int] = []  # the keys of it, sorted
    for at, length in enumerate(_one_by_one(sizes[order])):
        found = bisect.bisect_left(rooms, length)
        if found == len(rooms):
            block, room = n_blocks, size
            n_blocks += 1
        else:
            room = rooms[found]
            block = with_room[room].pop()
            if not with_room[room]:
                del with_room[room]
                rooms.pop(found)
        block_of[at] = block
        left = room - length
        if left < shortest:  # nothing goes into it any more
            continue
        if left not in with_room:
            with_room[left] = []
            bisect.insort(rooms, left)
        with_room[left].append(block)
    flat = order[np.argsort(block_of, kind="stable")]
    return Ragged(flat, np.cumsum(np.bincount(block_of, minlength=n_blocks)))


def _one_by_one(numbers: npt.NDArray[np.int32]) -> Iterator[int]:
    """The numbers as Python's, of which few are in memory at once."""
    for start in range(0, len(numbers), PIECES_AT_ONCE):
        yield from numbers[start : start + PIECES_AT_ONCE].tolist()


class PackedRows:
    """A map-style data set whose rows are blocks of pieces of documents.

    `pieces` holds each piece's token ids and after them its labels, of which there are as many.
    """

    def __init__(
        self,
        pieces: Ragged,
        blocks: Ragged,
        n_bytes: npt.NDArray[np.float64],
    ) -> None:
        self._pieces = pieces
        self._blocks = blocks
        self._n_bytes = n_bytes

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, index: int) -> dict[str, Any]:
        ids: list[int] = []
        labels: list[int] = []
        positions: list[int] = []
        for piece in self._blocks[index]:
            both = self._pieces[piece]
            length = len(both) // 2
            ids += both[:length]
            labels += both[length:]
            positions += range(length)
        return {"input_ids": ids, "labels": labels, "position_ids": positions}

    def pieces(self, index: int) -> list[list[int]]:
        """The token ids of each piece in a block, in its order."""
        return [_ids_of(self._pieces[piece]) for piece in self._blocks[index]]

    @property
    def input_ids(self) -> Sequence[list[int]]:
        """The token ids of each block."""
        return _Joined(self._pieces, self._blocks)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each block."""
        lengths = self._pieces.lengths
        return [sum(lengths[piece] for piece in block) // 2 for block in self._blocks]

    @property
    def n_bytes(self) -> float:
        """Of what is learnt in all blocks, in UTF-8."""
        return float(sum(self._n_bytes[piece] for block in self._blocks for piece in block))

    def subset(self, indices: Sequence[int]) -> PackedRows:
        """The blocks at `indices`, in that order."""
        blocks = ragged(self._blocks[index] for index in indices)
        return PackedRows(self._pieces, blocks, self._n_bytes)


def _ids_of(both: list[int]) -> list[int]:
    """The first half of token ids and labels."""
    return both[: len(both) // 2]


class _Joined(Sequence[list[int]]):
    """Blocks as rows of token ids, made as they are asked for."""

    def __init__(self, pieces: Ragged, blocks: Ragged) -> None:
        self._pieces = pieces
        self._blocks = blocks

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, index: Any) -> Any:
        block = self._blocks[index]  # an `IndexError` beyond the last ends an iteration
        return [token for piece in block for token in _ids_of(self._pieces[piece])]


def pack(documents: Iterable[Document], size: int, *, share: bool = True) -> PackedRows:
    """Documents in blocks of at most `size` tokens; unless they `share`, a block for each piece."""
    import numpy as np

    n_bytes = array("d")

    def all_pieces() -> Iterator[list[int]]:
        for document in documents:
            n_learnt = max(1, sum(label != IGNORED for label in document.labels[1:]))
            for ids, labels in pieces_of(document, size):
                here = sum(label != IGNORED for label in labels)
                n_bytes.append(document.n_bytes * here / n_learnt)
                yield [*ids, *labels]

    pieces = ragged(all_pieces())
    alone = np.arange(len(pieces))
    blocks = fill_blocks(pieces.sizes // 2, size) if share else Ragged(alone, alone + 1)
    return PackedRows(pieces, blocks, np.array(n_bytes))
