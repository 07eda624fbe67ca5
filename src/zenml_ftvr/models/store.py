"""Arrays that a frozen model makes of rows: computed once, kept on disk, memory-mapped when read.

Each row has its own array under the hash of its token ids, so that a subset of the rows, a second
run, or another approach that asks for the same finds it. The ids say what the tokenizer, the length
limit and the text come to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zenml_ftvr.values.written import user_path

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

__all__ = ["KEY_DIGITS", "RowStore", "cache_folder", "row_key", "store_folder"]

KEY_DIGITS = 32  # hexadecimal: 128 bits, so that two rows never share one by chance


def cache_folder() -> Path:
    """Where such arrays are kept: $ZENML_FTVR_CACHE, or `zenml_ftvr` in the user's cache folder."""
    named = os.environ.get("ZENML_FTVR_CACHE")
    if named:
        return user_path(named)
    return user_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "zenml_ftvr"


def store_folder(*what: object) -> Path:
    """The folder of one way of making arrays, named by all that decides them."""
    named = hashlib.sha256("\0".join(map(str, what)).encode()).hexdigest()[:KEY_DIGITS]
    return cache_folder() / "rows" / named


def row_key(ids: Sequence[int]) -> str:
    """The hash that a row's array is kept under."""
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:KEY_DIGITS]


class RowStore:
    """Arrays [positions, width] of rows, all made by one model in one way.

    A folder of segments, each an array file and an index beside it. A segment is written under
    another name and renamed, the index last, so that a killed run leaves no half of one; one that
    is damaged is left out, and its texts are computed again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, tuple[Array, int, int]] = {}
        self._seen: set[str] = set()
        self._read_new_segments()

    def missing(self, keys: Sequence[str]) -> list[int]:
        """Places of keys that have no array yet, each key once."""
        first: dict[str, int] = {}
        for index, key in enumerate(keys):
            if key not in self._places:
                first.setdefault(key, index)
        return list(first.values())

    def get(self, key: str) -> Array:
        """The array of a row, a view into the mapped file; `KeyError` where there is none."""
        array, start, stop = self._places[key]
        return array[start:stop]

    def add(self, rows: Iterable[tuple[str, Array]], width: int) -> None:
        """Keep the arrays of new rows; they are written as they come, not held in memory."""
        import numpy as np

        self._folder.mkdir(parents=True, exist_ok=True)
        index: list[tuple[str, int]] = []
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as stream:
            try:
                for key, array in rows:
                    stream.write(np.ascontiguousarray(array, dtype="<f4").tobytes())
                    index.append((key, len(array)))
                stream.flush()
                os.fsync(stream.fileno())  # else a power cut can leave a whole file of zeros
            except BaseException:
                Path(stream.name).unlink(missing_ok=True)
                raise
        if not index:
            Path(stream.name).unlink()
            return
        record = json.dumps({"width": width, "rows": index})
        name = hashlib.sha256(record.encode()).hexdigest()[:KEY_DIGITS]
        Path(stream.name).replace(self._folder / f"{name}.f32")
        part = Path(f"{stream.name}.json")
        part.write_text(record)
        part.replace(self._folder / f"{name}.json")
        self._seen.discard(name)
        self._read_new_segments()

    def _read_new_segments(self) -> None:
        import numpy as np

        for path in sorted(self._folder.glob("*.json")):
            if path.stem in self._seen or ".part" in path.name:
                continue
            # A segment that does not hold together is computed again.
            with contextlib.suppress(ValueError, OSError, KeyError, TypeError):
                record = json.loads(path.read_text())
                width, rows = int(record["width"]), record["rows"]
                total = sum(length for _, length in rows)
                file = path.with_suffix(".f32")
                if file.stat().st_size != 4 * width * total:
                    continue
                array: Array = np.memmap(file, dtype="<f4", mode="r", shape=(total, width))
                self._seen.add(path.stem)
                start = 0
                for key, length in rows:
                    self._places[key] = (array, start, start + length)
                    start += length
