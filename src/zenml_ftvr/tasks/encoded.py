"""Rows as numbers: what torch's loader reads, kept flat so that many rows take no objects."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["EncodedRows", "Ragged", "ragged"]

SPILL_BYTES = 64 * 2**20  # what stays in memory: as much as a small model; more goes to disk


class Ragged:
    """Rows of whole numbers of any length, one after another in one array.

    `flat` [numbers] may be a file that is mapped into memory; `ends` [rows] says where rows end.
    """

    def __init__(self, flat: npt.NDArray[np.int32], ends: npt.NDArray[np.int64]) -> None:
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
    def lengths(self) -> list[int]:
        """Numbers in each row."""
        import numpy as np

        lengths: list[int] = np.diff(self._ends, prepend=0).tolist()
        return lengths


def ragged(rows: Iterable[Sequence[int]]) -> Ragged:
    """Rows in one array; beyond 64 MiB in a file without a name, which goes with the array."""
    import numpy as np

    ends: list[int] = []
    pending: list[npt.NDArray[np.int32]] = []
    n_pending = n_all = 0
    file = None
    for row in rows:
        pending.append(np.asarray(row, dtype=np.int32))
        n_all += len(row)
        n_pending += len(row)
        ends.append(n_all)
        if 4 * n_pending > SPILL_BYTES:
            file = file or tempfile.TemporaryFile(prefix="ftvr-rows-")  # noqa: SIM115  (mapped)
            np.concatenate(pending).tofile(file)
            pending, n_pending = [], 0
    places = np.asarray(ends, dtype=np.int64)
    if file is None:
        flat = np.concatenate(pending) if pending else np.empty(0, dtype=np.int32)
        return Ragged(flat, places)
    if pending:
        np.concatenate(pending).tofile(file)
    with file:  # which the map keeps, on its own
        file.flush()
        return Ragged(np.memmap(file, dtype=np.int32, mode="r", shape=(n_all,)), places)


class EncodedRows:
    """A map-style data set for torch's loader and transformers' Trainer.

    A row is its token ids and its labels: a class id, a list of them, a number, or None where the
    tokens are their own labels.
    """

    def __init__(
        self, input_ids: Ragged | Sequence[list[int]], labels: Sequence[Any] | Ragged
    ) -> None:
        self._input_ids = input_ids if isinstance(input_ids, Ragged) else ragged(input_ids)
        self._labels = labels

    def __len__(self) -> int:
        return len(self._input_ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        ids = self._input_ids[index]
        row = {"input_ids": ids, "attention_mask": [1] * len(ids)}
        label = self._labels[index]
        return row if label is None else {**row, "labels": label}

    @property
    def input_ids(self) -> Ragged:
        """The token ids of each row."""
        return self._input_ids

    @property
    def labels(self) -> Sequence[Any] | Ragged:
        """What each row is to be answered with, as numbers."""
        return self._labels

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return self._input_ids.lengths

    def subset(self, indices: Sequence[int]) -> EncodedRows:
        """The rows at `indices`, in that order."""
        return EncodedRows(
            ragged(self._input_ids[index] for index in indices),
            [self._labels[index] for index in indices],
        )
