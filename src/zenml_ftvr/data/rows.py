"""Rows, and the data set that they are split into."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zenml_ftvr.values import DataSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

__all__ = ["Dataset", "Rows", "fingerprint_of", "make_rows", "normalise", "row_id_of"]

ROW_ID_DIGITS = 32  # hexadecimal: 128 bits, so that two texts never share one by chance


def normalise(text: str) -> str:
    """What makes two texts the same: NFKC, case folded, runs of white space made one."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    # Once more: folding takes some letters apart, but not the same letters in capitals.
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", folded)).strip()


def row_id_of(text: str) -> str:
    """The start of the sha256 of the normalised text, 32 hexadecimal digits."""
    digest = hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:ROW_ID_DIGITS]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one split: an Arrow table with the string columns `row_id`, `text` and `label`."""

    table: Any

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def inputs(self) -> list[Any]:
        """What each row gives, as its task holds it, in the file's order."""
        return self._column("text")

    @property
    def targets(self) -> list[Any]:
        """What each row is to be answered with, in the same order."""
        return self._column("label")

    def batches(self, size: int) -> Iterator[Rows]:
        """The rows, `size` at a time; nothing is copied."""
        for start in range(0, len(self), size):
            yield Rows(self.table.slice(start, size))

    def take(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Rows:
        """The rows at `indices`, in that order."""
        import pyarrow as pa

        return Rows(self.table.take(pa.array(indices, type=pa.int64())))

    @property
    def texts(self) -> list[str]:
        """The texts, in the file's order."""
        return self._column("text")

    @property
    def labels(self) -> list[str]:
        """The labels, in the same order."""
        return self._column("label")

    @property
    def row_ids(self) -> list[str]:
        """The ids, in the same order; rows of equal normalised text share one."""
        return self._column("row_id")

    def _column(self, name: str) -> list[Any]:
        values: list[Any] = self.table.column(name).to_pylist()
        return values


def make_rows(row_ids: Sequence[str], texts: Sequence[str], labels: Sequence[str]) -> Rows:
    """Rows from columns of equal length."""
    import pyarrow as pa

    schema = pa.schema([("row_id", pa.string()), ("text", pa.string()), ("label", pa.string())])
    return Rows(pa.table([list(row_ids), list(texts), list(labels)], schema=schema))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Rows split into train, validation and test."""

    source: DataSource
    train: Rows
    validation: Rows
    test: Rows
    labels: tuple[str, ...]
    """Every label, sorted; a label's place is its id."""
    fingerprint: str
    """sha256 over the rows of every split, whatever their order; 64 hexadecimal digits."""
    n_duplicates: int
    n_conflicts: int
    n_dropped: int

    def label_ids(self, rows: Rows) -> list[int]:
        """The place in `labels` of each row's label."""
        place = {label: index for index, label in enumerate(self.labels)}
        return [place[label] for label in rows.labels]


def fingerprint_of(splits: Iterable[tuple[str, Rows]]) -> str:
    """sha256 over split, id, text and label of every row, in sorted order."""
    lines = sorted(
        hashlib.sha256("\0".join((name, *row)).encode("utf-8", "surrogatepass")).digest()
        for name, rows in splits
        for row in zip(rows.row_ids, rows.texts, rows.labels, strict=True)
    )
    return hashlib.sha256(b"".join(lines)).hexdigest()
