"""Check rows and split them, by a stable hash of their text unless told otherwise."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from zenml_ftvr.data.rows import Dataset, Rows, fingerprint_of, make_rows, row_id_of
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource

__all__ = ["SPLITS", "make_dataset", "split_at", "split_of"]

SPLITS = ("train", "validation", "test")
HASH_DIGITS = 15  # hexadecimal: 60 bits, which a float's division keeps in order
LEAST = {"train": 2, "validation": 1, "test": 1}
"""Distinct texts of every class a split needs: two to train on, so that cross-validation has one on
each side, and one to be judged by."""
LABELS_SHOWN = 10  # in an error: enough to see what is wrong


def split_of(row_id: str, validation_fraction: float, test_fraction: float) -> str:
    """Which split a row is in. It follows from the text alone, so that it never changes."""
    place = int(row_id[:HASH_DIGITS], 16) / 16**HASH_DIGITS
    return split_at(place, validation_fraction, test_fraction)


def split_at(place: float, validation_fraction: float, test_fraction: float) -> str:
    """Which split a place between 0 and 1 is in: test first, then validation, then train."""
    if place < test_fraction:
        return "test"
    return "validation" if place < test_fraction + validation_fraction else "train"


def make_dataset(
    source: DataSource,
    texts: Sequence[str],
    labels: Sequence[str],
    splits: Sequence[str] | None = None,
) -> Dataset:
    """Split checked texts and labels, by `splits` or the texts' hashes.

    Raises `DataError` for what nothing can be learnt from.
    """
    row_ids = [row_id_of(text) for text in texts]
    _check_variety(row_ids, labels)
    if splits is None:
        splits = [
            split_of(row_id, source.validation_fraction, source.test_fraction) for row_id in row_ids
        ]
    rare = _rare_labels(row_ids, labels, splits)
    if rare and source.rare_labels == "error":
        raise DataError(_rare_message(rare))
    kept = [index for index, label in enumerate(labels) if label not in rare]
    if len({labels[index] for index in kept}) < 2:
        raise DataError(f"{_rare_message(rare)} Without them fewer than two classes are left.")
    rows = {name: _rows_of(name, kept, row_ids, texts, labels, splits) for name in SPLITS}
    labels_of: dict[str, set[str]] = defaultdict(set)
    for index in kept:
        labels_of[row_ids[index]].add(labels[index])
    return Dataset(
        source=source,
        **rows,
        labels=tuple(sorted({labels[index] for index in kept})),
        fingerprint=fingerprint_of(rows.items()),
        n_duplicates=len(kept) - len(labels_of),
        n_conflicts=sum(len(found) > 1 for found in labels_of.values()),
        n_dropped=len(labels) - len(kept),
    )


def _rows_of(
    name: str,
    kept: Sequence[int],
    row_ids: Sequence[str],
    texts: Sequence[str],
    labels: Sequence[str],
    splits: Sequence[str],
) -> Rows:
    mine = [index for index in kept if splits[index] == name]
    return make_rows(
        [row_ids[index] for index in mine],
        [texts[index] for index in mine],
        [labels[index] for index in mine],
    )


def _check_variety(row_ids: Sequence[str], labels: Sequence[str]) -> None:
    if len(set(row_ids)) == 1:
        raise DataError(
            f"all {len(row_ids):,} rows have the same text. Check that text_column names the "
            f"column that differs."
        )
    if len(set(labels)) == 1:
        raise DataError(
            f"every row has the label '{labels[0]:.60}': there is nothing to tell apart. Check "
            f"that label_column names the right column."
        )


def _rare_labels(
    row_ids: Sequence[str], labels: Sequence[str], splits: Sequence[str]
) -> dict[str, Counter[str]]:
    """Labels that some split has too little of, each with its distinct texts by split."""
    distinct: dict[str, Counter[str]] = defaultdict(Counter)
    for _, label, split in set(zip(row_ids, labels, splits, strict=True)):
        distinct[label][split] += 1
    return {
        label: counts
        for label, counts in distinct.items()
        if any(counts[split] < least for split, least in LEAST.items())
    }


def _rare_message(rare: dict[str, Counter[str]]) -> str:
    shown = [
        f"'{label:.60}' ({', '.join(f'{counts[split]} {split}' for split in SPLITS)})"
        for label, counts in sorted(rare.items())[:LABELS_SHOWN]
    ]
    more = f" and {len(rare) - LABELS_SHOWN} more" if len(rare) > LABELS_SHOWN else ""
    return (
        f"too few distinct texts of {len(rare)} class{'es' if len(rare) > 1 else ''} to be in "
        f"every split: {', '.join(shown)}{more}; at least {LEAST['train']} train, "
        f"{LEAST['validation']} validation and {LEAST['test']} test are needed. Add rows, merge "
        f"classes, or set rare_labels: drop."
    )
