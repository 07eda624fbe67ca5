"""Checked rows on their way into a data set: kept as Arrow tables, with what decides over them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from zenml_ftvr.data.rows import ids_of, make_rows, row_id_of_input, schema_of
from zenml_ftvr.data.spool import Spool
from zenml_ftvr.values import Task, TextClassification
from zenml_ftvr.values.task import ImageClassification, TokenClassification

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Facts", "Intake", "target_key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What decides over every row: 16 bytes of each and 4 of its label; of several labels, 8 more
    and 4 of each."""

    ids: npt.NDArray[np.bytes_]
    """16 bytes a row: its id."""
    names: tuple[str, ...]
    """Labels or tags by their code, in the order in which they came; none of tasks without."""
    codes: npt.NDArray[np.int32]
    """The codes of all rows' labels, one after the other; none of tags."""
    counts: npt.NDArray[np.int32] | None
    """How many of them each row has; None where each has one."""
    keys: npt.NDArray[np.integer[Any]]
    """A number for each row's target, equal for equal ones; none of tasks without labels."""
    first_target: Any
    targets_differ: bool
    """Whether any target is another than the first."""


class Intake:
    """Rows as they come, each batch checked before.

    The rows themselves are in a spool, so that memory holds `Facts` of them and little more.
    """

    def __init__(self, task: Task, folder: Path) -> None:
        self.task = task
        self._spool = Spool(schema_of(task), folder / "rows.arrow")
        self._ids: list[Any] = []
        self._codes: list[Any] = []
        self._counts: list[Any] = []
        self._keys: list[Any] = []
        self._code_of: dict[str, int] = {}
        self._first: Any = None
        self._differ = False

    def __enter__(self) -> Intake:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._spool.__exit__(kind, error, trace)

    def add(self, inputs: Sequence[Any], targets: Sequence[Any]) -> list[str]:
        """Take rows in, and give their ids."""
        row_ids = [row_id_of_input(value) for value in inputs]
        if not self._ids and targets:
            self._first = targets[0]
        self._ids.append(ids_of(row_ids))
        self._differ = self._differ or any(target != self._first for target in targets)
        self._note_labels(targets)
        self._spool.write(make_rows(row_ids, inputs, targets, self.task).table)
        return row_ids

    def _note_labels(self, targets: Sequence[Any]) -> None:
        import numpy as np

        match self.task:
            case TextClassification(target="single") | ImageClassification():
                self._codes.append(np.array([self._code(label) for label in targets], np.int32))
            case TextClassification(target="multi"):
                flat = [self._code(label) for labels in targets for label in labels]
                self._codes.append(np.array(flat, np.int32))
                self._counts.append(np.array([len(labels) for labels in targets], np.int32))
                self._keys.append(np.array([target_key(labels) for labels in targets], np.int64))
            case TokenClassification():
                for tag in set(itertools.chain.from_iterable(targets)):
                    self._code(tag)
                self._keys.append(np.array([target_key(tags) for tags in targets], np.int64))
            case _:
                pass

    def _code(self, label: str) -> int:
        return self._code_of.setdefault(label, len(self._code_of))

    def facts(self) -> Facts:
        """What is known of all rows that were taken in; it can be asked for once."""
        import numpy as np

        codes = _joined(self._codes, np.int32)
        keys = _joined(self._keys, np.int64)
        return Facts(
            ids=_joined(self._ids, "S16"),
            names=tuple(self._code_of),
            codes=codes,
            counts=_joined(self._counts, np.int32) if self._counts else None,
            keys=keys if keys.size else codes,
            first_target=self._first,
            targets_differ=self._differ,
        )

    def tables(self) -> Iterator[Any]:
        """The rows again, in order, a small Arrow table at a time."""
        return self._spool.tables()


def _joined(parts: list[Any], kind: Any) -> Any:
    """One array of many, which are let go."""
    import numpy as np

    whole = np.concatenate([np.zeros(0, kind), *parts])
    parts.clear()
    return whole


def target_key(target: str | Sequence[str]) -> int:
    """64 bits of a label, or of several: those of one text share them by chance once in 10^19."""
    content = "\0".join([target] if isinstance(target, str) else target).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little", signed=True)
