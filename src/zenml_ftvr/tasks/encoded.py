"""Rows as numbers: what torch's loader reads, kept flat so that many rows take no objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

from zenml_ftvr.data.spool import file_without_name, no_room

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["EncodedRows", "Ragged", "ragged", "ragged_pairs"]

SPILL_BYTES = 64 * 2**20  # what stays in memory: as much as a small model; more goes to disk
WRITTEN_BYTES = 4 * 2**20  # what waits for the disk after that


class Ragged:
    """Rows of whole numbers of any length, one after another in one array.

    `flat` [numbers] and `ends` [rows], which says where rows end, may be files that are mapped into
    memory.
    """

    def __init__(self, flat: npt.NDArray[np.integer[Any]], ends: npt.NDArray[np.int64]) -> None:
        self._flat = flat
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> list[int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = int(self._ends[index - 1]) if index else 0
        row: list[int] = self._flat[start : int(self._ends[index])].tolist()
        return row

    def __iter__(self) -> Iterator[list[int]]:
        return (self[index] for index in range(len(self)))

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Numbers in each row, [rows]."""
        import numpy as np

        return np.diff(self._ends, prepend=0)

    @property
    def lengths(self) -> list[int]:
        """Numbers in each row."""
        lengths: list[int] = self.sizes.tolist()
        return lengths


class _Growing:
    """Rows on their way into a `Ragged`; many are in files without a name, which go with it."""

    def __init__(self) -> None:
        self._numbers, self._ends = array("i"), array("q")
        self._n = self._n_rows = 0
        self._files: tuple[IO[bytes], IO[bytes]] | None = None

    def add(self, row: Sequence[int]) -> None:
        self._numbers.extend(row)
        self._n += len(row)
        self._n_rows += 1
        self._ends.append(self._n)
        held = self._numbers.itemsize * len(self._numbers) + self._ends.itemsize * len(self._ends)
        if held > (SPILL_BYTES if self._files is None else WRITTEN_BYTES):
            self._write()

    def ragged(self) -> Ragged:
        import numpy as np

        if self._files is None:
            return Ragged(np.array(self._numbers, np.int32), np.array(self._ends, np.int64))
        self._write()
        flat, ends = self._files
        with flat, ends:  # which the maps keep, on their own
            return Ragged(_mapped(flat, np.int32, self._n), _mapped(ends, np.int64, self._n_rows))

    def _write(self) -> None:
        try:
            if self._files is None:
                self._files = file_without_name(), file_without_name()
            for numbers, file in zip((self._numbers, self._ends), self._files, strict=True):
                numbers.tofile(file)
                file.flush()
                del numbers[:]
        except OSError as error:
            raise no_room(error) from error


def _mapped(file: IO[bytes], kind: Any, n: int) -> npt.NDArray[Any]:
    import numpy as np

    # An empty file cannot be mapped.
    return np.memmap(file, dtype=kind, mode="r", shape=(n,)) if n else np.empty(0, kind)


def ragged(rows: Iterable[Sequence[int]]) -> Ragged:
    """Rows in one array; beyond 64 MiB in a file without a name, which goes with the array."""
    growing = _Growing()
    for row in rows:
        growing.add(row)
    return growing.ragged()


def ragged_pairs(pairs: Iterable[tuple[Sequence[int], Sequence[int]]]) -> tuple[Ragged, Ragged]:
    """As `ragged`, of the first and of the second rows of each pair."""
    firsts, seconds = _Growing(), _Growing()
    for first, second in pairs:
        firsts.add(first)
        seconds.add(second)
    return firsts.ragged(), seconds.ragged()


class EncodedRows:
    """A map-style data set for torch's loader and transformers' Trainer.

    A row is its token ids and its labels: a class id, a list of them, a number, or None where the
    tokens are their own labels. Labels in an array become Python's numbers when they are asked for.
    """

    def __init__(
        self,
        input_ids: Ragged | Sequence[list[int]],
        labels: Sequence[Any] | Ragged | npt.NDArray[Any],
    ) -> None:
        self._input_ids = input_ids if isinstance(input_ids, Ragged) else ragged(input_ids)
        self._labels = labels

    def __len__(self) -> int:
        return len(self._input_ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        ids = self._input_ids[index]
        row = {"input_ids": ids, "attention_mask": [1] * len(ids)}
        label = self._label(index)
        return row if label is None else {**row, "labels": label}

    @property
    def input_ids(self) -> Ragged:
        """The token ids of each row."""
        return self._input_ids

    @property
    def labels(self) -> Sequence[Any] | Ragged:
        """What each row is to be answered with, as numbers."""
        import numpy as np

        if isinstance(self._labels, np.ndarray):
            every: list[Any] = self._labels.tolist()
            return every
        return self._labels

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return self._input_ids.lengths

    def subset(self, indices: Sequence[int]) -> EncodedRows:
        """The rows at `indices`, in that order."""
        return EncodedRows(
            ragged(self._input_ids[index] for index in indices),
            [self._label(index) for index in indices],
        )

    def _label(self, index: int) -> Any:
        import numpy as np

        label = self._labels[index]
        return label.tolist() if isinstance(label, np.generic | np.ndarray) else label
