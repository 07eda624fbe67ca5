"""Which rows are timed, and why an arm is not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from zenml_ftvr.approaches import (
    most_tokens,
)
from zenml_ftvr.models import (
    Encoder,
)
from zenml_ftvr.tasks import EncodedRows
from zenml_ftvr.tasks.text_classification import token_ids
from zenml_ftvr.values import (
    ImageClassification,
    TrainingPlan,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Rows

__all__ = [
    "EVALUATED_ROWS",
    "TIMED_BATCHES",
    "WARM_UP_BATCHES",
    "NotCalibrated",
    "by_size_of",
    "evenly",
    "is_list",
    "lengths_of",
    "spread",
]

TIMED_BATCHES = 5
"""One at the middle of each fifth of the lengths, so that their mean is the mean over all batches
even though time does not grow in proportion to length."""
WARM_UP_BATCHES = 2  # the longest rows (peak memory), and one more: the first step allocates

EVALUATED_ROWS = 64  # two batches: enough to time, a few per cent of an evaluation


def evenly(rows: EncodedRows) -> EncodedRows:
    """At most 64 rows, evenly over the lengths, in the order of the split: an evaluation does not
    sort them, and pads accordingly."""
    by_length = sorted(range(len(rows)), key=rows.lengths.__getitem__)
    step = max(1, math.ceil(len(rows) / EVALUATED_ROWS))
    return rows.subset(sorted(by_length[::step]))


class NotCalibrated(Exception):  # noqa: N818  (a reason, not an error)
    """Why an arm was not calibrated."""


def lengths_of(
    plan: TrainingPlan, encoder: Encoder, rows: Rows
) -> tuple[float, int] | tuple[None, None]:
    """Tokens of the mean and of the longest row; none of images."""
    if isinstance(plan.task, ImageClassification):
        return None, None
    lengths = [len(ids) for ids in token_ids(encoder.tokenizer, rows, most_tokens(plan.task))]
    return sum(lengths) / len(lengths), max(lengths)


def by_size_of(rows: Rows) -> npt.NDArray[np.int64]:
    """Places of rows from the shortest to the longest, by characters or bytes."""
    import numpy as np
    import pyarrow.compute as pc

    column = rows.table.column("text")
    sizes = pc.list_value_length(column) if is_list(column) else pc.binary_length(column)
    return np.argsort(sizes.to_numpy(), kind="stable")


def is_list(column: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(column.type))


def spread(n_rows: int, batch_size: int) -> list[list[int]]:
    """Batches of indices into rows sorted by length: warm-up first, then one a fifth.

    The first batch has the longest rows.
    """
    size = min(batch_size, n_rows)
    last = n_rows - size
    middles = [(2 * index + 1) / (2 * TIMED_BATCHES) for index in range(TIMED_BATCHES)]
    starts = [last, last // 2]
    starts += [min(last, max(0, int(middle * n_rows - size / 2))) for middle in middles]
    return [list(range(start, start + size)) for start in starts]
