"""What is amiss with rows that can be read: counted for the profile, or the end of loading."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zenml_ftvr.data.near import NEAR, candidate_pairs, jaccard, shingles_of
from zenml_ftvr.data.rows import Dataset, Rows, normalise, text_of
from zenml_ftvr.data.split import SPLITS
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataChecks

__all__ = ["check_rows", "refuse_fatal"]

MOST_COMPARED = 50_000
"""Distinct texts that are compared for near-duplicates: seconds of work; of more, a sample."""
SAMPLE_SEED = 0
FAR_LONGER = 10
"""Times the 99th percentile of lengths. Lengths of texts are about log-normal; with a standard
deviation of 1 in logarithms, which is wide, two rows in a million are longer by chance. Beyond it
is another kind of thing, such as a whole file in one field."""
EXAMPLES = 2  # texts in an error
EXAMPLE_LETTERS = 60
EARLIER = {"test": ("train", "validation"), "validation": ("train",)}
"""The splits that a row's text must not be in besides its own."""

# UTF-8 read as Latin-1 or cp1252 gives such pairs: its first bytes become letters that hardly ever
# precede the signs that its next bytes become. Quotes and blanks do follow such letters; they are
# left out, which costs a letter or two of each alphabet. U+FFFD is what a decoder leaves of bytes
# that it could not read, and U+0080 to U+009F are control codes that no text has.
MISENCODED = re.compile(
    r"\ufffd|[\x80-\x84\x86-\x9f]"
    r"|\u00c3[\u00a1-\u00aa\u00ac-\u00ba\u00bc-\u00bf]"  # Latin letters with accents
    r"|\u00c2[\u00a0-\u00aa\u00ac-\u00ba\u00bc-\u00bf]"  # signs such as the degree's
    r"|\u00e2\u20ac|\u00f0\u0178"  # quotes and dashes; emoji
    r"|\u00d0[\u00b0-\u00ba\u00bc-\u00bf]"  # Cyrillic
)


@dataclass(frozen=True, slots=True)
class _Near:
    """Texts that are nearly the same as others."""

    n_distinct: int
    n_compared: int
    texts: list[str]
    leaked: dict[str, list[str]]
    """Of those, by split, the texts whose like is in an earlier split."""


def check_rows(dataset: Dataset) -> DataChecks:
    """Count what should not be; nothing is changed, and nothing refused."""
    near = _near(dataset)
    lengths = sorted(len(text) for name in SPLITS for text in _texts(_rows(dataset, name)))
    # The value at or below the percentile: of few rows, the longest must not move it.
    limit = FAR_LONGER * lengths[int(0.99 * (len(lengths) - 1))]
    return DataChecks(
        n_leaked_test=len(_leaked(dataset, "test")),
        n_leaked_validation=len(_leaked(dataset, "validation")),
        n_distinct=near.n_distinct,
        n_compared=near.n_compared,
        n_near_duplicates=len(near.texts),
        n_near_leaked_test=len(near.leaked["test"]),
        n_near_leaked_validation=len(near.leaked["validation"]),
        n_far_longer=sum(length > limit for length in lengths),
        far_longer_than=limit,
        n_misencoded=len(_misencoded(dataset)),
        unseen_tags=_unseen_tags(dataset),
    )


def refuse_fatal(dataset: Dataset) -> None:
    """Raise `DataError` for what `dataset.source.fatal` does not allow."""
    for fatal in dataset.source.fatal:
        match fatal:
            case "leakage":
                found = _leaked(dataset, "test")
                what = "test rows with the text of a training or validation row"
                next_move = "Remove them from one of the two"
            case "near_leakage":
                found = _near(dataset).leaked["test"]
                what = "test texts nearly a training or validation text"
                next_move = "Keep such rows together with group_column, or remove them"
            case "conflicts":
                found = _conflicting(dataset)
                what = "texts under more than one label"
                next_move = "Decide on one label of each"
            case "near_duplicates":
                found = _near(dataset).texts
                what = "texts nearly the same as another"
                next_move = "Remove all but one of those alike"
            case "encoding":
                found = _misencoded(dataset)
                what = "rows with what a wrong encoding leaves"
                next_move = "Set encoding to the file's, or mend the texts"
        if found:
            examples = " and ".join(repr(text[:EXAMPLE_LETTERS]) for text in found[:EXAMPLES])
            raise DataError(
                f"{dataset.source.name}: {what}: {len(found):,}, such as {examples}. {next_move}; "
                f"or leave '{fatal}' out of data.fatal, which makes a warning of this error."
            )


def _rows(dataset: Dataset, split: str) -> Rows:
    rows: Rows = getattr(dataset, split)
    return rows


def _texts(rows: Rows) -> list[str]:
    """Each input as one text; of images, empty ones."""
    return [text_of(value) for value in rows.inputs]


def _has_images(dataset: Dataset) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(dataset.train.table.schema.field("text").type))


def _unseen_tags(dataset: Dataset) -> tuple[str, ...]:
    """Tags of words of the test split that no word of the training split has."""
    import pyarrow as pa

    types = [dataset.train.table.schema.field(name).type for name in ("text", "label")]
    if not all(map(pa.types.is_list, types)):
        return ()
    tags = {
        name: {tag for tags in _rows(dataset, name).targets for tag in tags}
        for name in ("train", "test")
    }
    return tuple(sorted(tags["test"] - tags["train"]))


def _leaked(dataset: Dataset, split: str) -> list[str]:
    """Texts of the rows of `split` whose normalised text is in an earlier split too."""
    earlier = {row_id for name in EARLIER[split] for row_id in _rows(dataset, name).row_ids}
    rows = _rows(dataset, split)
    return [
        text for row_id, text in zip(rows.row_ids, _shown(rows), strict=True) if row_id in earlier
    ]


def _shown(rows: Rows) -> list[str]:
    """How an error shows each row: its text, or of an image its id, the start of its sha256."""
    return [text or row_id for text, row_id in zip(_texts(rows), rows.row_ids, strict=True)]


def _conflicting(dataset: Dataset) -> list[str]:
    if not dataset.labels:
        return []
    labels_of: dict[str, set[Any]] = defaultdict(set)
    shown: dict[str, str] = {}
    for name in SPLITS:
        rows = _rows(dataset, name)
        for row_id, text, target in zip(rows.row_ids, _shown(rows), rows.targets, strict=True):
            labels_of[row_id].add(tuple(target) if isinstance(target, list) else target)
            shown.setdefault(row_id, text)
    return [shown[row_id] for row_id, labels in labels_of.items() if len(labels) > 1]


def _misencoded(dataset: Dataset) -> list[str]:
    return [
        text
        for name in SPLITS
        for text in _texts(_rows(dataset, name))
        if MISENCODED.search(text) is not None
    ]


def _near(dataset: Dataset) -> _Near:
    texts: dict[str, str] = {}
    splits: dict[str, set[str]] = defaultdict(set)
    for name in SPLITS:
        rows = _rows(dataset, name)
        for row_id, text in zip(rows.row_ids, _texts(rows), strict=True):
            texts.setdefault(row_id, text)
            splits[row_id].add(name)
    # Of images, only equal ones are found: by their ids.
    compared = (
        [] if _has_images(dataset) else sorted(texts)
    )  # so that the sample does not follow from the order of the rows
    if len(compared) > MOST_COMPARED:
        compared = random.Random(SAMPLE_SEED).sample(compared, MOST_COMPARED)  # noqa: S311
    near, leaked = _alike(
        [normalise(texts[one]) for one in compared], [splits[one] for one in compared]
    )
    return _Near(
        n_distinct=len(texts),
        n_compared=len(compared),
        texts=[texts[compared[place]] for place in sorted(near)],
        leaked={
            split: [texts[compared[place]] for place in sorted(places)]
            for split, places in leaked.items()
        },
    )


def _alike(
    texts: Sequence[str], splits: Sequence[set[str]]
) -> tuple[set[int], dict[str, set[int]]]:
    """Places of the texts that are nearly another; and by split, of those near an earlier one's."""
    near: set[int] = set()
    leaked: dict[str, set[int]] = {split: set() for split in EARLIER}
    shingles: dict[int, frozenset[tuple[str, ...]]] = {}
    for pair in candidate_pairs(texts):
        leaking = [
            (split, one)
            for one, other in (pair, pair[::-1])
            for split, earlier in EARLIER.items()
            if split in splits[one] and not splits[other].isdisjoint(earlier)
        ]
        if near.issuperset(pair) and all(one in leaked[split] for split, one in leaking):
            continue  # nothing new could follow from it
        for one in pair:
            if one not in shingles:
                shingles[one] = shingles_of(texts[one])
        if jaccard(shingles[pair[0]], shingles[pair[1]]) >= NEAR:
            near.update(pair)
            for split, one in leaking:
                leaked[split].add(one)
    return near, leaked
