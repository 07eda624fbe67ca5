"""What tells one data set from another: a sha256 over all rows, whatever their order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from zenml_ftvr.data.rows import Rows
from zenml_ftvr.data.sorted_records import SortedRecords

__all__ = ["Fingerprint", "fingerprint_of"]


class Fingerprint:
    """sha256 over the sorted sha256 of split, id, input and target of every row."""

    def __init__(self) -> None:
        self._digests = SortedRecords(("hash", "S32"))

    def __enter__(self) -> Fingerprint:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._digests.__exit__(kind, error, trace)

    def add(self, split: str, rows: Rows) -> None:
        """Rows of a split, a batch of them at a time."""
        import numpy as np

        columns = zip(rows.row_ids, rows.inputs, rows.targets, strict=True)
        digests = b"".join(_digest(split, *row) for row in columns)
        self._digests.add(np.frombuffer(digests, "S32"))

    def hexdigest(self) -> str:
        """64 hexadecimal digits."""
        whole = hashlib.sha256()
        for part in self._digests.parts():
            whole.update(part.data)
        return whole.hexdigest()


def fingerprint_of(splits: Iterable[tuple[str, Rows]]) -> str:
    """The fingerprint of these rows of splits."""
    with Fingerprint() as fingerprint:
        for name, rows in splits:
            for batch in rows.batches():
                fingerprint.add(name, batch)
        return fingerprint.hexdigest()


def _digest(split: str, row_id: str, value: Any, target: Any) -> bytes:
    parts = (split.encode(), row_id.encode(), _canonical(value), _canonical(target))
    return hashlib.sha256(b"\0".join(parts)).digest()


def _canonical(value: Any) -> bytes:
    """Bytes that are the same for equal values of one column, and for no others."""
    match value:
        case str():
            return value.encode("utf-8", "surrogatepass")
        case bytes():
            return hashlib.sha256(value).digest()
        case float():
            return value.hex().encode()
        case _:
            # Escaped, so that no value can hold the byte between two of them.
            return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
