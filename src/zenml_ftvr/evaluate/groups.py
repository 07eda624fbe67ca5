"""Which rows belong together, so that they are drawn together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Groups", "groups_of"]


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows of one customer, one document, one text: they say less than as many apart."""

    of_row: npt.NDArray[np.int64]
    """The group of each row, 0 to `n` - 1, [rows]."""
    n: int
    called: str
    """What they are, within a sentence: `groups of 'customer'`."""


def groups_of(values: Sequence[str], called: str) -> Groups | None:
    """Rows of equal value as one group; None where every row has its own."""
    import numpy as np

    distinct, of_row = np.unique(np.asarray(values, dtype=object).astype(str), return_inverse=True)
    if len(distinct) == len(values):
        return None
    return Groups(of_row.astype(np.int64), len(distinct), called)
