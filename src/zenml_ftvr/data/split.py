"""Check rows and split them, by a stable hash of their input unless told otherwise."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.data.fingerprint import Fingerprint
from zenml_ftvr.data.intake import Facts, Intake
from zenml_ftvr.data.rows import BATCH_ROWS, Dataset, Rows, schema_of
from zenml_ftvr.data.sorted_records import groups_of
from zenml_ftvr.data.spool import Spool, work_folder
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource, Task, TextClassification
from zenml_ftvr.values.task import ImageClassification, TokenClassification

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "SPLITS",
    "SPLIT_NAMES",
    "codes_by_hash",
    "codes_of",
    "divided",
    "make_dataset",
    "split_at",
    "split_of",
]

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


def codes_by_hash(
    row_ids: Sequence[str], validation_fraction: float, test_fraction: float
) -> npt.NDArray[np.uint8]:
    """The place in `SPLITS` of each row's split, by its id."""
    names = [split_of(row_id, validation_fraction, test_fraction) for row_id in row_ids]
    return codes_of(names)


def codes_of(names: Sequence[str]) -> npt.NDArray[np.uint8]:
    """The place in `SPLITS` of each name of a split."""
    import numpy as np

    place = {name: code for code, name in enumerate(SPLITS)}
    return np.array([place[name] for name in names], np.uint8)


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
    fractions = source.validation_fraction, source.test_fraction
    codes = []
    with work_folder() as folder, Intake(task, folder) as intake:
        for start in range(0, len(inputs), BATCH_ROWS):
            some = slice(start, start + BATCH_ROWS)
            row_ids = intake.add(inputs[some], targets[some])
            codes.append(
                codes_by_hash(row_ids, *fractions) if splits is None else codes_of(splits[some])
            )
        return divided(source, intake, _joined(codes), folder)


def _joined(codes: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    import numpy as np

    return np.concatenate([np.zeros(0, np.uint8), *codes])


def divided(
    source: DataSource, intake: Intake, splits: npt.NDArray[np.uint8], folder: Path
) -> Dataset:
    """The data set of the rows that were taken in, given each one's place in `SPLITS`.

    Many rows are in files in `folder`, and memory-mapped: it may be removed once this has returned.
    """
    judged = _judged(source, intake.task, intake.facts(), splits)
    rows, fingerprint = _written(intake, splits, judged, folder)
    return Dataset(
        source=source,
        **rows,
        labels=judged.labels,
        fingerprint=fingerprint,
        n_duplicates=judged.n_duplicates,
        n_conflicts=judged.n_conflicts,
        n_dropped=judged.n_dropped,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What the ids, labels and splits of all rows come to."""

    labels: tuple[str, ...]
    rare: frozenset[str]
    n_duplicates: int
    n_conflicts: int
    n_dropped: int


def _judged(source: DataSource, task: Task, facts: Facts, splits: npt.NDArray[np.uint8]) -> _Judged:
    _check_variety(task, facts)
    rare = _rare_labels(facts, splits)
    if rare and source.rare_labels == "error":
        raise DataError(_rare_message(rare, _things(task)))
    n_dropped = _n_owners(facts, rare)
    labels = tuple(sorted(set(facts.names).difference(rare)))
    _check_what_is_left(task, labels, rare)
    left = _what_is_left(facts, splits, rare)
    _check_sizes(left.n_distinct)
    return _Judged(
        labels=labels,
        rare=frozenset(rare),
        n_duplicates=left.n_duplicates,
        n_conflicts=left.n_conflicts if labels else 0,
        n_dropped=n_dropped,
    )


def _things(task: Task) -> str:
    return "images" if isinstance(task, ImageClassification) else "texts"


def _codes(facts: Facts, labels: Iterable[str]) -> list[int]:
    code_of = {label: code for code, label in enumerate(facts.names)}
    return [code_of[label] for label in labels]


def _n_owners(facts: Facts, rare: Iterable[str]) -> int:
    """How many rows have a rare label."""
    import numpy as np

    codes = _codes(facts, rare)
    if facts.labels is None or not codes:
        return 0
    parts = facts.labels.parts()
    return sum(len(np.unique(part["row"][np.isin(part["key"], codes)])) for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """Counts of the rows that stay in the data set."""

    n_distinct: dict[str, int]
    """Distinct inputs of each split."""
    n_duplicates: int
    n_conflicts: int
    """Distinct inputs that have more than one target."""


def _what_is_left(facts: Facts, splits: npt.NDArray[np.uint8], rare: Iterable[str]) -> _Left:
    import numpy as np

    codes = _codes(facts, rare) if facts.of_one_label else []
    of_split = np.zeros(len(SPLITS), np.int64)
    n_duplicates = n_conflicts = 0
    for part in facts.rows.parts():
        if codes:
            part = part[~np.isin(part["key"], codes)]
        groups = groups_of(part)
        found = np.unique(groups * len(SPLITS) + splits[part["row"]]) % len(SPLITS)
        of_split += np.bincount(found, minlength=len(SPLITS))
        n_duplicates += len(part) - len(np.unique(groups))
        differs = (groups[1:] == groups[:-1]) & (part["key"][1:] != part["key"][:-1])
        n_conflicts += len(np.unique(groups[1:][differs]))
    return _Left(
        n_distinct=dict(zip(SPLITS, of_split.tolist(), strict=True)),
        n_duplicates=n_duplicates,
        n_conflicts=n_conflicts,
    )


def _written(
    intake: Intake,
    splits: npt.NDArray[np.uint8],
    judged: _Judged,
    folder: Path,
) -> tuple[dict[str, Rows], str]:
    """The rows of each split, without what is rare, and the fingerprint of all."""
    import pyarrow as pa

    schema = schema_of(intake.task)
    with contextlib.ExitStack() as stack:
        spools = {
            name: stack.enter_context(Spool(schema, folder / f"{name}.arrow")) for name in SPLITS
        }
        fingerprint = stack.enter_context(Fingerprint())
        start = 0
        for table in intake.tables():
            stop = start + len(table)
            for code, (name, spool) in enumerate(spools.items()):
                part = table.filter(pa.array(splits[start:stop] == code))
                if judged.rare:
                    part = _without(part, judged.rare)
                spool.write(part)
                fingerprint.add(name, Rows(part))
            start = stop
        rows = {name: spool.rows() for name, spool in spools.items()}
        return rows, fingerprint.hexdigest()


def _without(table: Any, rare: frozenset[str]) -> Any:
    """Rows without those of a rare label, or where each has several, without these labels."""
    import pyarrow as pa
    import pyarrow.compute as pc

    label = table.schema.field("label")
    if not pa.types.is_list(label.type):
        return table.filter(pc.invert(pc.is_in(table["label"], pa.array(sorted(rare), label.type))))
    targets = [
        [label for label in labels if label not in rare] for labels in table["label"].to_pylist()
    ]
    return table.set_column(2, label, pa.array(targets, label.type))


def _check_what_is_left(task: Task, labels: Sequence[str], rare: dict[str, Counter[str]]) -> None:
    if not rare:
        return
    multi = isinstance(task, TextClassification) and task.target == "multi"
    if len(labels) < (1 if multi else 2):
        left = "no label is left" if multi else "fewer than two classes are left"
        raise DataError(f"{_rare_message(rare, _things(task))} Without them {left}.")


def _check_sizes(distinct: Mapping[str, int]) -> None:
    for name, least in LEAST.items():
        if distinct[name] < least:
            shown = ", ".join(f"{distinct[one]:,} {one}" for one in SPLITS)
            raise DataError(
                f"too few distinct rows for every split ({shown}); at least {LEAST['train']} "
                f"train, {LEAST['validation']} validation and {LEAST['test']} test are needed. Add "
                f"rows, or raise {'test' if name == 'test' else 'validation'}_fraction."
            )


def _check_variety(task: Task, facts: Facts) -> None:
    if not facts.inputs_differ:
        raise DataError(
            f"all {facts.n_rows:,} rows have the same {_things(task)[:-1]}. Check that "
            f"text_column names the column that differs."
        )
    if isinstance(task, TextClassification | ImageClassification) and not facts.targets_differ:
        shown = {"single": "label", "multi": "labels", "regression": "number"}
        called = shown[task.target] if isinstance(task, TextClassification) else "label"
        raise DataError(
            f"every row has the {called} '{facts.first_target!s:.60}': there is nothing to tell "
            f"apart. Check that label_column names the right column."
        )
    if isinstance(task, TokenClassification) and len(facts.names) == 1:
        raise DataError(
            f"every word has the tag '{facts.names[0]:.60}': there is nothing to tell apart. Check "
            f"that label_column names the right column."
        )


def _rare_labels(facts: Facts, splits: npt.NDArray[np.uint8]) -> dict[str, Counter[str]]:
    """Labels that some split has too little of, each with its distinct inputs by split."""
    import numpy as np

    if facts.labels is None or not facts.names:
        return {}
    n = len(facts.names) * len(SPLITS)
    counts = np.zeros(n, np.int64)
    for part in facts.labels.parts():
        of_label = part["key"] * len(SPLITS) + splits[part["row"]]
        distinct = np.unique(groups_of(part) * n + of_label)
        counts += np.bincount(distinct % n, minlength=n)
    table = counts.reshape(-1, len(SPLITS))
    least = np.array([LEAST[name] for name in SPLITS])
    return {
        facts.names[code]: Counter(dict(zip(SPLITS, table[code].tolist(), strict=True)))
        for code in np.flatnonzero((table < least).any(axis=1)).tolist()
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
