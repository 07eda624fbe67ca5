"""Checked rows on their way into a data set: kept as Arrow tables, with what decides over them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from zenml_ftvr.data.rows import ids_of, make_rows, row_id_of_input, schema_of
from zenml_ftvr.data.sorted_records import SortedRecords
from zenml_ftvr.data.spool import Spool
from zenml_ftvr.values import Task, TextClassification
from zenml_ftvr.values.task import ImageClassification, TokenClassification

__all__ = ["Facts", "Intake", "target_key"]

RECORD = (("hash", "S16"), ("row", "i8"), ("key", "i8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What decides over every row: sorted records, which are in files where they are many."""

    n_rows: int
    names: tuple[str, ...]
    """Labels or tags by their code, in the order in which they came; none of tasks without."""
    rows: SortedRecords
    """Of each row: `hash`, its id; `row`, its place; `key`, a number for its target, equal for
    equal ones, and where each row has one label, that label's code."""
    labels: SortedRecords | None
    """Of each label of each row: `hash`, `row`, and the label's code as `key`; `rows` where each
    has one, None where there are none, or tags."""
    first_target: Any
    inputs_differ: bool
    """Whether any input is another than the first."""
    targets_differ: bool

    @property
    def of_one_label(self) -> bool:
        """Whether each row has one label."""
        return self.labels is self.rows


class Intake:
    """Rows as they come, each batch checked before.

    The rows themselves are in a spool, so that memory holds `Facts` of them and little more.
    """

    def __init__(self, task: Task, folder: Path) -> None:
        self.task = task
        self._spool = Spool(schema_of(task), folder / "rows.arrow")
        self._rows = SortedRecords(*RECORD)
        self._labels = SortedRecords(*RECORD) if _is_multi(task) else None
        self._n_rows = 0
        self._code_of: dict[str, int] = {}
        self._first_id = ""
        self._first: Any = None
        self._inputs_differ = self._targets_differ = False

    def __enter__(self) -> Intake:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in (self._spool, self._rows, self._labels):
            if one is not None:
                one.__exit__(kind, error, trace)

    def add(self, inputs: Sequence[Any], targets: Sequence[Any]) -> list[str]:
        """Take rows in, and give their ids."""
        row_ids = [row_id_of_input(value) for value in inputs]
        if not row_ids:
            return row_ids
        if not self._n_rows:
            self._first_id, self._first = row_ids[0], targets[0]
        self._inputs_differ = self._inputs_differ or any(one != self._first_id for one in row_ids)
        self._targets_differ = self._targets_differ or any(one != self._first for one in targets)
        self._note(row_ids, targets)
        self._n_rows += len(row_ids)
        self._spool.write(make_rows(row_ids, inputs, targets, self.task).table)
        return row_ids

    def _note(self, row_ids: Sequence[str], targets: Sequence[Any]) -> None:
        import numpy as np

        ids, places = ids_of(row_ids), np.arange(self._n_rows, self._n_rows + len(row_ids))
        match self.task:
            case TextClassification(target="single") | ImageClassification():
                keys = [self._code(label) for label in targets]
            case TextClassification(target="multi"):
                keys = [target_key(labels) for labels in targets]
                codes = [self._code(label) for labels in targets for label in labels]
                counts = [len(labels) for labels in targets]
                if self._labels is not None and codes:
                    self._labels.add(np.repeat(ids, counts), np.repeat(places, counts), codes)
            case TokenClassification():
                for tag in set(itertools.chain.from_iterable(targets)):
                    self._code(tag)
                keys = [target_key(tags) for tags in targets]
            case _:
                keys = [0] * len(row_ids)
        self._rows.add(ids, places, keys)

    def _code(self, label: str) -> int:
        return self._code_of.setdefault(label, len(self._code_of))

    def facts(self) -> Facts:
        """What is known of all rows that were taken in."""
        single = isinstance(self.task, ImageClassification) or (
            isinstance(self.task, TextClassification) and self.task.target == "single"
        )
        return Facts(
            n_rows=self._n_rows,
            names=tuple(self._code_of),
            rows=self._rows,
            labels=self._rows if single else self._labels,
            first_target=self._first,
            inputs_differ=self._inputs_differ,
            targets_differ=self._targets_differ,
        )

    def tables(self) -> Iterator[Any]:
        """The rows again, in order, a small Arrow table at a time."""
        return self._spool.tables()


def _is_multi(task: Task) -> bool:
    return isinstance(task, TextClassification) and task.target == "multi"


def target_key(target: str | Sequence[str]) -> int:
    """64 bits of a label, or of several: those of one text share them by chance once in 10^19."""
    content = "\0".join([target] if isinstance(target, str) else target).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little", signed=True)
