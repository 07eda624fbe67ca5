"""Orders of rows that follow from their ids, and what is cut from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zenml_ftvr.data.rows import Rows, ids_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    Places = npt.NDArray[np.int64]

__all__ = ["halved", "hash_order", "proportional_order"]

HALVES = 1_000_003  # the number of the order that halves are cut by; draws of pilots count from 0
# splitmix64's constants: Steele, Lea & Flood 2014, OOPSLA, figure 17.
STEP, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def halved(validation: Rows) -> tuple[Rows, Rows]:
    """Validation rows as `tune` (early stopping, learning rates) and `select` (which arm).

    By a hash of the id, which is none of the bits that split the data: a row stays in its half
    whatever rows come and go, and rows of equal input are in one half. A half may be empty.
    """
    import numpy as np

    is_tune = _hashes(validation.row_ids, HALVES) >> np.uint64(63) == 0
    return validation.take(np.flatnonzero(is_tune)), validation.take(np.flatnonzero(~is_tune))


def hash_order(rows: Rows, draw: int) -> Places:
    """Places of `rows` in an order that follows from their ids; each `draw` has another."""
    import numpy as np

    return np.argsort(_hashes(rows.row_ids, draw), kind="stable")


def proportional_order(rows: Rows, classes: Sequence[int], draw: int) -> Places:
    """As `hash_order`, with every class spread evenly over the order.

    So the first n rows have each class in its share of all, give or take one row.
    """
    import numpy as np

    codes = np.asarray(classes, dtype=np.int64)
    order = hash_order(rows, draw)
    by_class = order[np.argsort(codes[order], kind="stable")]
    counts = np.bincount(codes)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    own = codes[by_class]
    heights = np.empty(len(codes))
    heights[by_class] = (np.arange(len(codes)) - starts[own] + 0.5) / counts[own]
    return order[np.argsort(heights[order], kind="stable")]


def _hashes(row_ids: Sequence[str], draw: int) -> npt.NDArray[np.uint64]:
    """Evenly spread 64-bit numbers, of an id and a draw: the last half of the id, mixed."""
    import numpy as np

    if not row_ids:
        return np.empty(0, np.uint64)
    last = ids_of(row_ids).view(">u8").reshape(-1, 2)[:, 1].astype(np.uint64)
    with np.errstate(over="ignore"):
        mixed = last + np.uint64((draw + 1) * STEP % 2**64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(FIRST)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(SECOND)
        found: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return found
