"""Rows that are kept in memory while they are few, and in a file once they are many."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from zenml_ftvr.data.rows import Rows, rows_in
from zenml_ftvr.errors import DataError

__all__ = [
    "SPILL_BYTES",
    "Spool",
    "file_without_name",
    "no_room",
    "rows_of_bytes",
    "work_folder",
]

SPILL_BYTES = 2**24
"""Arrow bytes up to which rows stay in memory, 16 MiB, for all rows and for each split: together a
third of what importing torch takes. The file costs a tenth of a second for each 100 MB."""
WRITTEN_BYTES = 2**22
"""Arrow bytes of a record batch in the file, 4 MiB: large enough for the disk, small beside
memory."""
STALE_SECONDS = 24 * 3600.0
"""After which a work folder was left by a process that was killed: no reading takes a day."""
PREFIX = "zenml_ftvr-reading-"


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """A folder for the files of one reading, which is removed at its end.

    It lies in $ZENML_FTVR_CACHE, or `zenml_ftvr` in the user's cache folder, or where neither may
    be written, in the system's folder for temporary files. Those that killed processes left behind
    are removed too, a day later.
    """
    parent = _parent()
    _remove_stale(parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    try:
        yield folder
    finally:
        # What is memory-mapped stays readable: the system keeps a file until nothing maps it.
        shutil.rmtree(folder, ignore_errors=True)


def _parent() -> Path:
    named = os.environ.get("ZENML_FTVR_CACHE")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "zenml_ftvr"
    folder = (Path(named).expanduser() if named else cache) / "data"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.gettempdir())
    return folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir())


def _remove_stale(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another process removes it, or owns it
            if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def file_without_name() -> IO[bytes]:
    """A file to write to and read from, on the disk that work folders are on; it goes when it is
    closed, or when nothing maps it any more."""
    # A folder for temporary files may be in memory, which is what a file is to save.
    return tempfile.TemporaryFile(prefix=PREFIX, dir=_parent())


def no_room(error: OSError) -> DataError:
    """What a file that cannot be written ends in."""
    return DataError(
        f"rows cannot be kept in {_parent()} while they are read ({error}). Free space there, or "
        f"set ZENML_FTVR_CACHE to a folder with twice what the data has."
    )


def rows_of_bytes(table: Any) -> int:
    """How many rows of a table make a record batch of `WRITTEN_BYTES`."""
    return max(1, WRITTEN_BYTES * table.num_rows // max(1, table.nbytes))


class Spool:
    """Rows of one schema, in the order in which they were written.

    Up to `SPILL_BYTES` they are in memory; with one more batch, all are in an Arrow file.
    """

    def __init__(self, schema: Any, path: Path) -> None:
        self._schema, self._path = schema, path
        self._held: list[Any] = []
        self._held_bytes = 0
        self._writer: Any = None
        self._complete = False

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def write(self, table: Any) -> None:
        """Add the rows of an Arrow table."""
        if not table.num_rows:
            return
        self._held.append(table)
        self._held_bytes += table.nbytes
        if self._held_bytes > (SPILL_BYTES if self._writer is None else WRITTEN_BYTES):
            self._flush()

    def tables(self) -> Iterator[Any]:
        """The rows again, a small table at a time; nothing can be written after that."""

        if self._writer is None:
            yield from self._held
            return
        self._close()
        for batch in rows_in(self._path).batches(WRITTEN_BYTES):
            yield batch.table

    def rows(self) -> Rows:
        """All rows; nothing can be written after that."""
        import pyarrow as pa

        if self._writer is None:
            whole = pa.concat_tables(self._held) if self._held else self._schema.empty_table()
            return Rows(whole.combine_chunks())
        self._close()
        return rows_in(self._path)

    def _flush(self) -> None:
        import pyarrow as pa

        try:
            if self._writer is None:
                self._writer = pa.ipc.new_file(str(self._path), self._schema)
            while self._held:
                # Of many small tables, few record batches: each has a price of its own.
                some, size = [], 0
                while self._held and size < WRITTEN_BYTES:
                    size += self._held[0].nbytes
                    some.append(self._held.pop(0))
                together = pa.concat_tables(some).combine_chunks()
                self._writer.write_table(together, max_chunksize=rows_of_bytes(together))
        except OSError as error:
            raise no_room(error) from error
        self._held_bytes = 0

    def _close(self) -> None:
        if self._writer is not None and not self._complete:
            self._complete = True
            self._flush()
            self._writer.close()
