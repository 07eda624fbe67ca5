"""Records sorted by a hash that each begins with, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from zenml_ftvr.data.spool import file_without_name, no_room

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["SortedRecords", "groups_of"]

RUN_BYTES = 2**22
"""Bytes of records that are kept in memory, 4 MiB: 170,000 rows of 24 bytes."""
BUCKETS = 256
"""One for each first byte. Hashes are spread evenly, so that each holds a 256th of all records."""


class SortedRecords:
    """Records in the order of their field `hash`; those of equal hash as they came.

    Up to `RUN_BYTES` they are in memory. Many are in a file without a name, in runs that are each
    in the order of the first bytes; sorting then reads a bucket of every run at a time.
    """

    def __init__(self, *fields: tuple[str, str]) -> None:
        import numpy as np

        self._kind = np.dtype(list(fields))
        self._held: list[npt.NDArray[Any]] = []
        self._n_held = 0
        self._file: IO[bytes] | None = None
        self._runs: list[npt.NDArray[np.int64]] = []
        """Of each run, where in the file its buckets begin and the last one ends, in records."""

    def __enter__(self) -> SortedRecords:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, *columns: Any) -> None:
        """Add records, given the values of each field."""
        import numpy as np

        records = np.empty(len(columns[0]), self._kind)
        for name, column in zip(self._kind.names or (), columns, strict=True):
            records[name] = column
        self._held.append(records)
        self._n_held += len(records)
        if self._n_held * self._kind.itemsize > RUN_BYTES:
            self._write_run()

    def parts(self) -> Iterator[npt.NDArray[Any]]:
        """The records in order, some at a time; those of equal hash are in one part.

        Can be asked for again; nothing can be added after that.
        """
        import numpy as np

        if self._file is None:
            self._held = [np.concatenate([np.empty(0, self._kind), *self._held])]
            yield _sorted(self._held[0])
            return
        if self._n_held:
            self._write_run()
        for bucket in range(BUCKETS):
            yield _sorted(np.concatenate([self._read(run, bucket) for run in self._runs]))

    def _write_run(self) -> None:
        import numpy as np

        records = np.concatenate(self._held)
        self._held, self._n_held = [], 0
        first = records.view(np.uint8).reshape(len(records), -1)[:, 0]
        start = int(self._runs[-1][-1]) if self._runs else 0
        sizes = np.bincount(first, minlength=BUCKETS)
        self._runs.append(start + np.concatenate([[0], np.cumsum(sizes)]))
        try:
            if self._file is None:
                self._file = file_without_name()
            self._file.seek(start * self._kind.itemsize)
            self._file.write(records[np.argsort(first, kind="stable")].data)
        except OSError as error:
            raise no_room(error) from error

    def _read(self, run: npt.NDArray[np.int64], bucket: int) -> npt.NDArray[Any]:
        import numpy as np

        start, stop = int(run[bucket]), int(run[bucket + 1])
        if self._file is None:
            raise RuntimeError("records of a run are read without a file.")
        self._file.seek(start * self._kind.itemsize)
        return np.frombuffer(
            self._file.read((stop - start) * self._kind.itemsize), self._kind, stop - start
        )


def _sorted(records: npt.NDArray[Any]) -> npt.NDArray[Any]:
    import numpy as np

    return records[np.argsort(records["hash"], kind="stable")]


def groups_of(part: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """For each record of a sorted part, the number of its hash: 0 for the first, and so on."""
    import numpy as np

    first = np.ones(len(part), bool)
    first[1:] = part["hash"][1:] != part["hash"][:-1]
    return np.cumsum(first) - 1
