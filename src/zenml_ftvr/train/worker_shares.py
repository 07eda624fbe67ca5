"""Which rows each of several workers computes: together those that one worker would, and no other.

A step's rows follow from seed and epoch (train/order.py). They are cut into as many blocks as there
are workers, and a block into the parts that a worker computes one after another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zenml_ftvr.train.order import RowOrder

__all__ = ["EvaluationShares", "Shares", "share_of"]


def share_of(batch_size: int, workers: int) -> int:
    """Rows of a batch that the worker with the most of them computes."""
    return -(-batch_size // workers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """A batch sampler for torch's loader: the parts of one worker, of every step of an epoch.

    Every worker computes the same number of parts, for they exchange gradients after each. One that
    has no row left computes the step's first row again, and its part does not count.
    """

    order: RowOrder
    rank: int
    workers: int
    part_rows: int
    """Rows that are computed at once; the last part of a step may be smaller."""

    @property
    def batch_size(self) -> int:
        """As accelerate asks for it: the rows of a part."""
        return self.part_rows

    @property
    def parts_a_step(self) -> int:
        """Of a full batch; the last batch of an epoch can have fewer."""
        return self._n_parts(self.order.batch_size)

    def _n_parts(self, n_rows: int) -> int:
        return share_of(share_of(n_rows, self.workers), self.part_rows)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.order), self.order.batch_size)
        return whole * self.parts_a_step + (self._n_parts(rest) if rest else 0)

    def __iter__(self) -> Iterator[list[int]]:
        rows = list(self.order)
        size = self.order.batch_size
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            for part in self._cut(batch):
                yield part or batch[:1]

    def parts_of_step(self, step: int) -> list[list[int]]:
        """The rows of each part of step `step`, counted from 0; none in a part that is no part."""
        return self._cut(self.order.rows_of_step(step))

    def _cut(self, batch: list[int]) -> list[list[int]]:
        n_rows, size = len(batch), self.part_rows
        first = self.rank * n_rows // self.workers
        own = batch[first : (self.rank + 1) * n_rows // self.workers]
        return [own[part * size : (part + 1) * size] for part in range(self._n_parts(n_rows))]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationShares:
    """A batch sampler: of the batches in which one worker would evaluate, every `workers`-th.

    So each batch is padded, and its loss averaged, as one worker does it. A worker that has no
    batch left in the last round computes the first one again, which `rows_of_round` leaves out.
    """

    n_rows: int
    batch_size: int
    rank: int
    workers: int

    @property
    def n_batches(self) -> int:
        return share_of(self.n_rows, self.batch_size)

    def __len__(self) -> int:
        return share_of(self.n_batches, self.workers)

    def __iter__(self) -> Iterator[list[int]]:
        for round_ in range(len(self)):
            batch = round_ * self.workers + self.rank
            start = (batch if batch < self.n_batches else 0) * self.batch_size
            yield list(range(start, min(start + self.batch_size, self.n_rows)))

    def rows_of_round(self, round_: int) -> list[int]:
        """Rows of each batch of a round, without those that are computed again."""
        starts = [
            (round_ * self.workers + worker) * self.batch_size for worker in range(self.workers)
        ]
        return [min(self.batch_size, self.n_rows - one) for one in starts if one < self.n_rows]
