"""Check rows and split them, by a stable hash of their input unless told otherwise."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from zenml_ftvr.data.rows import Dataset, Rows, fingerprint_of, make_rows, row_id_of_input
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource, Task, TextClassification
from zenml_ftvr.values.task import ImageClassification, TokenClassification

__all__ = ["SPLITS", "SPLIT_NAMES", "make_dataset", "split_at", "split_of"]

SPLITS = ("train", "validation", "test")
SPLIT_NAMES = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "eval": "validation",
    "test": "test",
}
"""What a split column or folder may be called, in any case, and what it means."""
HASH_DIGITS = 15  # hexadecimal: 60 bits, which a float's division keeps in order
LEAST = {"train": 2, "validation": 1, "test": 1}
"""Distinct inputs a split needs, of every class where there are classes: two to train on, so that
cross-validation has one on each side, and one to be judged by."""
LABELS_SHOWN = 10  # in an error: enough to see what is wrong


def split_of(row_id: str, validation_fraction: float, test_fraction: float) -> str:
    """Which split a row is in. It follows from the input alone, so that it never changes."""
    place = int(row_id[:HASH_DIGITS], 16) / 16**HASH_DIGITS
    return split_at(place, validation_fraction, test_fraction)


def split_at(place: float, validation_fraction: float, test_fraction: float) -> str:
    """Which split a place between 0 and 1 is in: test first, then validation, then train."""
    if place < test_fraction:
        return "test"
    return "validation" if place < test_fraction + validation_fraction else "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """Checked rows, column by column."""

    row_ids: Sequence[str]
    inputs: Sequence[Any]
    targets: Sequence[Any]
    splits: Sequence[str]

    def of_split(self, name: str, kept: Sequence[int], task: Task) -> Rows:
        mine = [index for index in kept if self.splits[index] == name]
        return make_rows(
            [self.row_ids[index] for index in mine],
            [self.inputs[index] for index in mine],
            [self.targets[index] for index in mine],
            task,
        )


def make_dataset(
    source: DataSource,
    inputs: Sequence[Any],
    targets: Sequence[Any],
    splits: Sequence[str] | None = None,
    task: Task = TextClassification(),  # noqa: B008  (frozen)
) -> Dataset:
    """Split checked inputs and targets, by `splits` or the inputs' hashes.

    Raises `DataError` for what nothing can be learnt from. With `rare_labels: drop`, rows of a rare
    class are left out; of sets of labels, a rare label is left out of them and the rows stay.
    """
    row_ids = [row_id_of_input(value) for value in inputs]
    _check_variety(task, row_ids, targets)
    if splits is None:
        splits = [
            split_of(row_id, source.validation_fraction, source.test_fraction) for row_id in row_ids
        ]
    table = _Table(row_ids=row_ids, inputs=inputs, targets=targets, splits=splits)
    match task:
        case TextClassification(target="single") | ImageClassification():
            table, kept, n_dropped = _without_rare_classes(source, task, table)
            labels = tuple(sorted({targets[index] for index in kept}))
        case TextClassification(target="multi"):
            table, n_dropped = _without_rare_labels(source, task, table)
            kept = list(range(len(inputs)))
            labels = tuple(sorted({label for found in table.targets for label in found}))
        case TokenClassification():
            kept, n_dropped = list(range(len(inputs))), 0
            labels = tuple(sorted({tag for tags in targets for tag in tags}))
        case _:
            kept, n_dropped, labels = list(range(len(inputs))), 0, ()
    _check_sizes(table)
    rows = {name: table.of_split(name, kept, task) for name in SPLITS}
    return Dataset(
        source=source,
        **rows,
        labels=labels,
        fingerprint=fingerprint_of(rows.items()),
        n_duplicates=len(kept) - len({row_ids[index] for index in kept}),
        n_conflicts=_n_conflicts(table, kept) if labels else 0,
        n_dropped=n_dropped,
    )


def _without_rare_classes(
    source: DataSource, task: Task, table: _Table
) -> tuple[_Table, list[int], int]:
    things = "images" if isinstance(task, ImageClassification) else "texts"
    rare = _rare_labels(zip(table.row_ids, table.targets, table.splits, strict=True))
    if rare and source.rare_labels == "error":
        raise DataError(_rare_message(rare, things))
    kept = [index for index, label in enumerate(table.targets) if label not in rare]
    if len({table.targets[index] for index in kept}) < 2:
        raise DataError(
            f"{_rare_message(rare, things)} Without them fewer than two classes are left."
        )
    return table, kept, len(table.targets) - len(kept)


def _without_rare_labels(source: DataSource, task: Task, table: _Table) -> tuple[_Table, int]:
    rare = _rare_labels(
        (row_id, label, split)
        for row_id, labels, split in zip(table.row_ids, table.targets, table.splits, strict=True)
        for label in labels
    )
    if not rare:
        return table, 0
    if source.rare_labels == "error":
        raise DataError(_rare_message(rare, "texts"))
    targets = [[label for label in labels if label not in rare] for labels in table.targets]
    if not any(targets):
        raise DataError(f"{_rare_message(rare, 'texts')} Without them no label is left.")
    n_changed = sum(
        len(now) < len(before) for now, before in zip(targets, table.targets, strict=True)
    )
    shorter = _Table(
        row_ids=table.row_ids, inputs=table.inputs, targets=targets, splits=table.splits
    )
    return shorter, n_changed


def _check_sizes(table: _Table) -> None:
    distinct = Counter(split for _, split in set(zip(table.row_ids, table.splits, strict=True)))
    for name, least in LEAST.items():
        if distinct[name] < least:
            shown = ", ".join(f"{distinct[one]:,} {one}" for one in SPLITS)
            raise DataError(
                f"too few distinct rows for every split ({shown}); at least {LEAST['train']} "
                f"train, {LEAST['validation']} validation and {LEAST['test']} test are needed. Add "
                f"rows, or raise {'test' if name == 'test' else 'validation'}_fraction."
            )


def _n_conflicts(table: _Table, kept: Sequence[int]) -> int:
    targets_of: dict[str, set[Any]] = defaultdict(set)
    for index in kept:
        target = table.targets[index]
        targets_of[table.row_ids[index]].add(tuple(target) if isinstance(target, list) else target)
    return sum(len(found) > 1 for found in targets_of.values())


def _check_variety(task: Task, row_ids: Sequence[str], targets: Sequence[Any]) -> None:
    if len(set(row_ids)) == 1:
        thing = "image" if isinstance(task, ImageClassification) else "text"
        raise DataError(
            f"all {len(row_ids):,} rows have the same {thing}. Check that text_column names the "
            f"column that differs."
        )
    if isinstance(task, TextClassification | ImageClassification) and all(
        target == targets[0] for target in targets
    ):
        shown = {"single": "label", "multi": "labels", "regression": "number"}
        called = shown[task.target] if isinstance(task, TextClassification) else "label"
        raise DataError(
            f"every row has the {called} '{targets[0]!s:.60}': there is nothing to tell apart. "
            f"Check that label_column names the right column."
        )
    if isinstance(task, TokenClassification):
        tags = {tag for tags in targets for tag in tags}
        if len(tags) == 1:
            raise DataError(
                f"every word has the tag '{tags.pop():.60}': there is nothing to tell apart. Check "
                f"that label_column names the right column."
            )


def _rare_labels(found: Iterable[tuple[str, str, str]]) -> dict[str, Counter[str]]:
    """Labels that some split has too little of, each with its distinct inputs by split.

    `found` holds the row id, the label and the split of each.
    """
    distinct: dict[str, Counter[str]] = defaultdict(Counter)
    for _, label, split in set(found):
        distinct[label][split] += 1
    return {
        label: counts
        for label, counts in distinct.items()
        if any(counts[split] < least for split, least in LEAST.items())
    }


def _rare_message(rare: dict[str, Counter[str]], things: str) -> str:
    shown = [
        f"'{label:.60}' ({', '.join(f'{counts[split]} {split}' for split in SPLITS)})"
        for label, counts in sorted(rare.items())[:LABELS_SHOWN]
    ]
    more = f" and {len(rare) - LABELS_SHOWN} more" if len(rare) > LABELS_SHOWN else ""
    return (
        f"too few distinct {things} of {len(rare)} class{'es' if len(rare) > 1 else ''} to be in "
        f"every split: {', '.join(shown)}{more}; at least {LEAST['train']} train, "
        f"{LEAST['validation']} validation and {LEAST['test']} test are needed. Add rows, merge "
        f"classes, or set rare_labels: drop."
    )
