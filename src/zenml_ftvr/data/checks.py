"""What is amiss with rows that can be read: counted for the profile, or the end of loading."""

from __future__ import annotations

import contextlib
import itertools
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zenml_ftvr.data.intake import target_key
from zenml_ftvr.data.near import NEAR, candidate_pairs, jaccard, shingles_of
from zenml_ftvr.data.rows import Dataset, Rows, ids_of, is_among, normalise, text_of
from zenml_ftvr.data.sorted_records import SortedRecords, groups_of
from zenml_ftvr.data.split import SPLITS
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataChecks, Fatal

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

    Rows are looked at a batch at a time; of a sample, the texts are in memory.
    """
    with _identified(dataset) as ids:
        near = _near(dataset, ids)
        leaked = {split: _leaked(dataset, ids, split).n for split in EARLIER}
    limit, n_far_longer = _far_longer(dataset)
    return DataChecks(
        n_leaked_test=leaked["test"],
        n_leaked_validation=leaked["validation"],
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
    if not dataset.source.fatal:
        return
    with _identified(dataset) as ids:
        for fatal in dataset.source.fatal:
            _refuse(dataset, ids, fatal)


def _refuse(dataset: Dataset, ids: SortedRecords, fatal: Fatal) -> None:
    match fatal:
        case "leakage":
            found = _leaked(dataset, ids, "test")
            what = "test rows with the text of a training or validation row"
            next_move = "Remove them from one of the two"
        case "near_leakage":
            found = _found(_near(dataset, ids).leaked["test"])
            what = "test texts nearly a training or validation text"
            next_move = "Keep such rows together with group_column, or remove them"
        case "conflicts":
            found = _conflicting(dataset)
            what = "texts under more than one label"
            next_move = "Decide on one label of each"
        case "near_duplicates":
            found = _found(_near(dataset, ids).texts)
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


@contextlib.contextmanager
def _identified(dataset: Dataset) -> Iterator[SortedRecords]:
    """The id of every row, sorted: `hash`, the place of its split in `SPLITS`, its own there."""
    with SortedRecords(("hash", "S16"), ("split", "u1"), ("row", "i8")) as ids:
        for code, name in enumerate(SPLITS):
            start = 0
            for batch in _rows(dataset, name).batches():
                ids.add(ids_of(batch.row_ids), code, range(start, start + len(batch)))
                start += len(batch)
        yield ids


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
    n_of_length: Counter[int] = Counter()
    for name in SPLITS:
        for batch in _rows(dataset, name).batches():
            n_of_length.update(len(text) for text in _texts(batch))
    # The value at or below the percentile: of few rows, the longest must not move it.
    place = int(0.99 * (n_of_length.total() - 1))
    lengths = sorted(n_of_length)
    below = itertools.accumulate(n_of_length[length] for length in lengths)
    limit = FAR_LONGER * next(length for length, n in zip(lengths, below, strict=True) if n > place)
    return limit, sum(n for length, n in n_of_length.items() if length > limit)


def _leaked(dataset: Dataset, ids: SortedRecords, split: str) -> _Found:
    """The rows of `split` whose normalised text is in an earlier split too."""
    import numpy as np

    earlier = [SPLITS.index(name) for name in EARLIER[split]]
    n = 0
    first = np.zeros(0, np.int64)
    for part in ids.parts():
        groups = groups_of(part)
        mine = part["split"] == SPLITS.index(split)
        met = np.isin(groups, groups[np.isin(part["split"], earlier)])
        leaks = part["row"][mine & met]
        n += len(leaks)
        first = np.sort(np.concatenate([first, leaks]))[:EXAMPLES]
    return _Found(n, _examples(_rows(dataset, split), first))


def _examples(rows: Rows, places: npt.NDArray[np.int64]) -> tuple[str, ...]:
    """How an error shows rows: by their texts, or images by ids, the start of their sha256."""
    some = rows.take(places)
    return tuple(text or row_id for text, row_id in zip(_texts(some), some.row_ids, strict=True))


def _conflicting(dataset: Dataset) -> _Found:
    """Texts with more than one target, where targets are labels."""
    import numpy as np

    if not dataset.n_conflicts:
        return _Found(0, ())
    n, start = 0, 0
    examples = np.zeros(0, np.int64)
    with SortedRecords(("hash", "S16"), ("row", "i8"), ("key", "i8")) as records:
        for name in SPLITS:
            for batch in _rows(dataset, name).batches():
                stop = start + len(batch)
                keys = [target_key(target) for target in batch.targets]
                records.add(ids_of(batch.row_ids), range(start, stop), keys)
                start = stop
        for part in records.parts():
            groups = groups_of(part)
            _, first = np.unique(groups, return_index=True)
            differs = np.bincount(groups, part["key"] != part["key"][first][groups]) > 0
            found = part["row"][first[differs]]
            n += len(found)
            examples = np.sort(np.concatenate([examples, found]))[:EXAMPLES]
    return _Found(n, _shown_of_all(dataset, examples))


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


def _near(dataset: Dataset, ids: SortedRecords) -> _Near:
    n_distinct = sum(len(_distinct(part)) for part in ids.parts())
    if _has_images(dataset):  # only equal ones are found, by their ids
        return _Near(n_distinct, 0, [], {split: [] for split in EARLIER})
    places: Sequence[int] = range(n_distinct)  # sorted by id: the rows' order is of no account
    if len(places) > MOST_COMPARED:
        places = random.Random(SAMPLE_SEED).sample(places, MOST_COMPARED)  # noqa: S311
    texts, splits = _first_texts(dataset, _ids_at(ids, places))
    near, leaked = _alike([normalise(text) for text in texts], splits)
    return _Near(
        n_distinct=n_distinct,
        n_compared=len(texts),
        texts=[texts[place] for place in sorted(near)],
        leaked={
            split: [texts[place] for place in sorted(places)] for split, places in leaked.items()
        },
    )


def _distinct(part: npt.NDArray[Any]) -> npt.NDArray[np.bytes_]:
    """The distinct ids of a sorted part."""
    import numpy as np

    distinct: npt.NDArray[np.bytes_] = part["hash"][np.diff(groups_of(part), prepend=-1) > 0]
    return distinct


def _ids_at(ids: SortedRecords, places: Sequence[int]) -> npt.NDArray[np.bytes_]:
    """The ids at these places among the distinct ones, in the places' order."""
    import numpy as np

    wanted = np.asarray(places, np.int64)
    found = np.empty(len(wanted), "S16")
    start = 0
    for part in ids.parts():
        distinct = _distinct(part)
        here = (wanted >= start) & (wanted < start + len(distinct))
        found[here] = distinct[wanted[here] - start]
        start += len(distinct)
    return found


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
