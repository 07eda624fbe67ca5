"""What is amiss with rows that can be read: counted for the profile, or the end of loading."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zenml_ftvr.data.intake import target_key
from zenml_ftvr.data.near import NEAR, candidate_pairs, jaccard, shingles_of
from zenml_ftvr.data.rows import Dataset, Rows, distinct_of, ids_of, is_among, normalise, text_of
from zenml_ftvr.data.split import SPLITS
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataChecks

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["check_rows", "refuse_fatal"]

MOST_COMPARED = 50_000
"""Distinct texts that are compared for near-duplicates: seconds of work; of more, a sample."""
MOST_CHARACTERS = 20_000_000
"""Characters of them together: their words take tens of times as much memory. Of 50,000 sentences
that is all; of pieces of running text, 2,000."""
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
class _Found:
    """Rows or texts that something is amiss with."""

    n: int
    examples: tuple[str, ...]
    """The first of them, as an error shows them."""


@dataclass(frozen=True, slots=True)
class _Near:
    """Texts that are nearly the same as others."""

    n_distinct: int
    n_compared: int
    texts: list[str]
    leaked: dict[str, list[str]]
    """Of those, by split, the texts whose like is in an earlier split."""


def check_rows(dataset: Dataset) -> DataChecks:
    """Count what should not be; nothing is changed, and nothing refused.

    Rows are looked at a batch at a time; of each, some 60 bytes are in memory at once, and of a
    sample the texts.
    """
    near = _near(dataset)
    limit, n_far_longer = _far_longer(dataset)
    return DataChecks(
        n_leaked_test=_leaked(dataset, "test").n,
        n_leaked_validation=_leaked(dataset, "validation").n,
        n_distinct=near.n_distinct,
        n_compared=near.n_compared,
        n_near_duplicates=len(near.texts),
        n_near_leaked_test=len(near.leaked["test"]),
        n_near_leaked_validation=len(near.leaked["validation"]),
        n_far_longer=n_far_longer,
        far_longer_than=limit,
        n_misencoded=_misencoded(dataset).n,
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
                found = _found(_near(dataset).leaked["test"])
                what = "test texts nearly a training or validation text"
                next_move = "Keep such rows together with group_column, or remove them"
            case "conflicts":
                found = _conflicting(dataset)
                what = "texts under more than one label"
                next_move = "Decide on one label of each"
            case "near_duplicates":
                found = _found(_near(dataset).texts)
                what = "texts nearly the same as another"
                next_move = "Remove all but one of those alike"
            case "encoding":
                found = _misencoded(dataset)
                what = "rows with what a wrong encoding leaves"
                next_move = "Set encoding to the file's, or mend the texts"
        if found.n:
            examples = " and ".join(repr(text[:EXAMPLE_LETTERS]) for text in found.examples)
            raise DataError(
                f"{dataset.source.name}: {what}: {found.n:,}, such as {examples}. {next_move}; "
                f"or leave '{fatal}' out of data.fatal, which makes a warning of this error."
            )


def _found(texts: Sequence[str]) -> _Found:
    return _Found(len(texts), tuple(texts[:EXAMPLES]))


def _rows(dataset: Dataset, split: str) -> Rows:
    rows: Rows = getattr(dataset, split)
    return rows


def _texts(rows: Rows) -> list[str]:
    """Each input as one text; of images, empty ones."""
    return [text_of(value) for value in rows.inputs]


def _has_images(dataset: Dataset) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(dataset.train.table.schema.field("text").type))


def _ids(rows: Rows) -> npt.NDArray[np.bytes_]:
    """The ids of all rows, 16 bytes each."""
    import numpy as np

    found = np.empty(len(rows), "S16")
    start = 0
    for batch in rows.batches():
        found[start : start + len(batch)] = ids_of(batch.row_ids)
        start += len(batch)
    return found


def _unseen_tags(dataset: Dataset) -> tuple[str, ...]:
    """Tags of words of the test split that no word of the training split has."""
    import pyarrow as pa

    types = [dataset.train.table.schema.field(name).type for name in ("text", "label")]
    if not all(map(pa.types.is_list, types)):
        return ()
    tags = {
        name: {
            tag for batch in _rows(dataset, name).batches() for row in batch.targets for tag in row
        }
        for name in ("train", "test")
    }
    return tuple(sorted(tags["test"] - tags["train"]))


def _far_longer(dataset: Dataset) -> tuple[int, int]:
    """The characters beyond which a text is far longer than nearly all, and how many are."""
    import numpy as np

    lengths = np.empty(sum(len(_rows(dataset, name)) for name in SPLITS), np.int32)
    start = 0
    for name in SPLITS:
        for batch in _rows(dataset, name).batches():
            lengths[start : start + len(batch)] = [len(text) for text in _texts(batch)]
            start += len(batch)
    # The value at or below the percentile: of few rows, the longest must not move it.
    place = int(0.99 * (len(lengths) - 1))
    lengths.partition(place)
    limit = FAR_LONGER * int(lengths[place])
    return limit, int((lengths > limit).sum())


def _leaked(dataset: Dataset, split: str) -> _Found:
    """The rows of `split` whose normalised text is in an earlier split too."""
    import numpy as np

    ids = _ids(_rows(dataset, split))
    leaks = np.zeros(len(ids), bool)
    for name in EARLIER[split]:
        earlier = _ids(_rows(dataset, name))
        earlier.sort()
        leaks |= is_among(ids, earlier)
    (places,) = np.nonzero(leaks)
    return _Found(len(places), _examples(_rows(dataset, split), places[:EXAMPLES]))


def _examples(rows: Rows, places: npt.NDArray[np.int64]) -> tuple[str, ...]:
    """How an error shows rows: by their texts, or images by ids, the start of their sha256."""
    some = rows.take(places)
    return tuple(text or row_id for text, row_id in zip(_texts(some), some.row_ids, strict=True))


def _conflicting(dataset: Dataset) -> _Found:
    """Texts with more than one target, where targets are labels."""
    import numpy as np

    if not dataset.n_conflicts:
        return _Found(0, ())
    ids, keys = [], []
    for name in SPLITS:
        for batch in _rows(dataset, name).batches():
            ids.append(ids_of(batch.row_ids))
            keys.append(np.fromiter(map(target_key, batch.targets), np.int64, len(batch)))
    all_ids, all_keys = np.concatenate(ids), np.concatenate(keys)
    _, first, places = np.unique(all_ids, return_index=True, return_inverse=True)
    differs = np.bincount(places, all_keys != all_keys[first][places]) > 0
    starts = np.sort(first[differs])
    return _Found(len(starts), _shown_of_all(dataset, starts[:EXAMPLES]))


def _shown_of_all(dataset: Dataset, places: npt.NDArray[np.int64]) -> tuple[str, ...]:
    """Examples by their places in all rows, split after split."""
    shown: list[str] = []
    start = 0
    for name in SPLITS:
        rows = _rows(dataset, name)
        mine = places[(places >= start) & (places < start + len(rows))] - start
        shown += _examples(rows, mine)
        start += len(rows)
    return tuple(shown)


def _misencoded(dataset: Dataset) -> _Found:
    n, examples = 0, []
    for name in SPLITS:
        for batch in _rows(dataset, name).batches():
            for text in _texts(batch):
                if MISENCODED.search(text) is not None:
                    n += 1
                    if n <= EXAMPLES:
                        examples.append(text)
    return _Found(n, tuple(examples))


def _near(dataset: Dataset) -> _Near:
    import numpy as np

    distinct = distinct_of(np.concatenate([_ids(_rows(dataset, name)) for name in SPLITS]))
    if _has_images(dataset):  # only equal ones are found, by their ids
        return _Near(len(distinct), 0, [], {split: [] for split in EARLIER})
    places: Sequence[int] = range(len(distinct))  # sorted by id: the rows' order is of no account
    if len(places) > MOST_COMPARED:
        places = random.Random(SAMPLE_SEED).sample(places, MOST_COMPARED)  # noqa: S311
    texts, splits = _first_texts(dataset, distinct[places])
    near, leaked = _alike([normalise(text) for text in texts], splits)
    return _Near(
        n_distinct=len(distinct),
        n_compared=len(texts),
        texts=[texts[place] for place in sorted(near)],
        leaked={
            split: [texts[place] for place in sorted(places)] for split, places in leaked.items()
        },
    )


def _first_texts(
    dataset: Dataset, chosen: npt.NDArray[np.bytes_]
) -> tuple[list[str], list[set[str]]]:
    """The text of each id, of its first row, and the splits that it is in.

    Of as many ids as have texts of `MOST_CHARACTERS` together.
    """
    import numpy as np

    order = np.argsort(chosen)
    ordered = chosen[order]
    lengths = np.full(len(chosen), -1, np.int64)
    for _, place, text in _met(dataset, ordered):
        if lengths[order[place]] < 0:
            lengths[order[place]] = len(text)
    n = max(2, int((np.cumsum(lengths) <= MOST_CHARACTERS).sum()))
    texts: dict[int, str] = {}
    splits: list[set[str]] = [set() for _ in range(min(n, len(chosen)))]
    for split, place, text in _met(dataset, ordered):
        if order[place] < n:
            texts.setdefault(int(order[place]), text)
            splits[order[place]].add(split)
    return [texts[place] for place in range(len(splits))], splits


def _met(dataset: Dataset, ordered: npt.NDArray[np.bytes_]) -> Iterator[tuple[str, int, str]]:
    """Every row whose id is among these sorted ones: its split, place there, and text."""
    import numpy as np

    for name in SPLITS:
        for batch in _rows(dataset, name).batches():
            ids = ids_of(batch.row_ids)
            (rows,) = np.nonzero(is_among(ids, ordered))
            if rows.size:
                places = np.searchsorted(ordered, ids[rows]).tolist()
                for place, text in zip(places, _texts(batch.take(rows)), strict=True):
                    yield name, place, text


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
