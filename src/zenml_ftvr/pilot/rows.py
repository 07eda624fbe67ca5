"""The rows of pilots: nested subsets to train on, and the same rows to judge all of them by."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zenml_ftvr.data import Dataset, Rows, halved, hash_order, proportional_order
from zenml_ftvr.decide import PilotRowCounts
from zenml_ftvr.values import ImageClassification, Task, TextClassification

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["PilotRows", "set_apart"]

LEAST_SELECT = 200
"""Rows that pilots are judged on: an accuracy is known to three points there. Where half of the
validation split is less, rows of the training split that no pilot learns from are judged on too. A
judgement."""
MOST_HELD_OUT = 0.25  # of the training rows, for that. A judgement
MOST_SELECT = 2_000
"""Beyond, judging costs more than a small pilot: an accuracy is known to one point. A judgement."""
HELD_OUT, SELECTED = 1_000_033, 1_000_037  # numbers of orders; draws of pilots count from 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotRows:
    """What the pilots of one data set learn from, stop by and are judged on. None are test rows."""

    dataset: Dataset
    pool: Rows
    tune: Rows
    select: Rows
    task: Task

    @property
    def counts(self) -> PilotRowCounts:
        return PilotRowCounts(
            n_train=len(self.dataset.train),
            n_pool=len(self.pool),
            n_tune=len(self.tune),
            n_select=len(self.select),
        )

    def places(self, n: int, draw: int) -> npt.NDArray[np.int64]:
        """Where in the pool the first `n` rows of a draw's order are, ascending.

        A larger subset of the same draw holds every smaller one.
        """
        import numpy as np

        return np.sort(_order(self.dataset, self.pool, self.task, draw)[:n])

    def subset(self, n: int, draw: int) -> Dataset:
        """The rows at `places`, with the rows that stop a training and those it is judged on."""
        import numpy as np

        n_tune = self.counts.tune_of(n)
        tune = np.sort(hash_order(self.tune, SELECTED)[:n_tune])
        named = f"{self.dataset.fingerprint}:pilot:{n}:{draw}:{n_tune}:{len(self.select)}"
        return dataclasses.replace(
            self.dataset,
            train=self.pool.take(self.places(n, draw)),
            validation=self.tune.take(tune),
            test=self.select,
            fingerprint=hashlib.sha256(named.encode()).hexdigest(),
        )


def set_apart(dataset: Dataset, task: Task) -> PilotRows:
    """Set the rows of pilots apart; equal data gives equal rows."""
    import numpy as np

    tune, select = halved(dataset.validation)
    if not len(tune):
        tune, select = select, tune
    select = select.take(np.sort(hash_order(select, SELECTED)[:MOST_SELECT]))
    pool = dataset.train
    lacking = min(max(0, LEAST_SELECT - len(select)), int(MOST_HELD_OUT * len(pool)))
    if lacking:
        order = _order(dataset, pool, task, HELD_OUT)
        select = _joined(select, pool.take(np.sort(order[:lacking])))
        pool = pool.take(np.sort(order[lacking:]))
    return PilotRows(dataset=dataset, pool=pool, tune=tune, select=select, task=task)


def _order(dataset: Dataset, rows: Rows, task: Task, draw: int) -> npt.NDArray[np.int64]:
    """Of one label a row, with every class in its share; else as the hash has it."""
    match task:
        case TextClassification(target="single") | ImageClassification():
            return proportional_order(rows, dataset.label_ids(rows), draw)
        case _:
            return hash_order(rows, draw)


def _joined(first: Rows, second: Rows) -> Rows:
    import pyarrow as pa

    return Rows(pa.concat_tables([first.table, second.table]))
