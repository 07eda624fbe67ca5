"""The problems of the replay: rows held apart, and nested subsets to train on.

Of each problem some rows are tuned on while a training lasts, some select between approaches, and
some test; the rest is what training subsets are drawn from. Who is where follows from a hash of the
text. Files have a line a text, `label text` or `label:sub text`, in Latin-1.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zenml_ftvr.data import CORPORA, Dataset, Rows, dataset_from, make_rows, read_corpus, row_id_of
from zenml_ftvr.values import DataSource, TextClassification

__all__ = ["TASK", "Problem", "class_subsets", "of_corpora", "of_files", "parts_of", "rows_of"]

TASK = TextClassification(metric="accuracy", max_length=32)
"""Texts are cut at 32 tokens, so that seven arms by several sizes fit into hours of one core; the
metric is a mean over rows, so that its truth can be halved."""

N_TUNE, N_SELECT, N_TEST = 100, 300, 1_500
TUNE_SHARE, SELECT_SHARE, TEST_SHARE = 0.05, 0.15, 0.45
"""At most; smaller problems have fewer rows of each."""
LEAST_OF_A_CLASS = 2  # what a data set must have to be split; they come first in every subset

MOST_FOR_ALL_PAIRS = 6

Labelled = tuple[str, str]
"""A text and its label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Rows of one classification, held apart by what they are for."""

    name: str
    data: str
    """The data set that its rows are of, which other problems may share."""
    tune: tuple[Labelled, ...]
    select: tuple[Labelled, ...]
    test: tuple[Labelled, ...]
    pool: tuple[Labelled, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(sorted({label for _, label in self.pool}))

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits of a hash over every row and what it is for."""
        parts = (self.tune, self.select, self.test, self.pool)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    @property
    def test_fingerprint(self) -> str:
        """The same of the test rows alone, in their order: what bits of two lines share."""
        return hashlib.sha256(repr(self.test).encode()).hexdigest()[:12]

    def subset(self, n: int, seed: int) -> list[Labelled]:
        """The first `n` rows of the pool in an order drawn by `seed`; larger ones hold smaller.

        Two of each class come first.
        """
        order = list(self.pool)
        random.Random(f"{self.name} {seed}").shuffle(order)  # noqa: S311  (no secret)
        seen: dict[str, int] = defaultdict(int)
        first, later = [], []
        for row in order:
            seen[row[1]] += 1
            (first if seen[row[1]] <= LEAST_OF_A_CLASS else later).append(row)
        return (first + later)[:n]

    def dataset(self, n: int, seed: int) -> Dataset:
        """What an arm is trained on: `n` rows, those to tune on, and the select rows as test."""
        parts = {
            "train": self.subset(n, seed),
            "validation": self.tune,
            "test": self.select,
        }
        rows = [
            {"text": text, "label": label, "split": split}
            for split, pairs in parts.items()
            for text, label in pairs
        ]
        source = DataSource(name=self.name, fatal=(), split_column="split")
        return dataset_from(rows, source, task=TASK)


def rows_of(pairs: Sequence[Labelled]) -> Rows:
    """Rows in the order of `pairs`."""
    texts, labels = [text for text, _ in pairs], [label for _, label in pairs]
    return make_rows([row_id_of(text) for text in texts], texts, labels, TASK)


def parts_of(name: str, data: str, pairs: Iterable[Labelled]) -> Problem:
    """Hold rows apart: by class as equally as they go, within a class by a hash of the text.

    Equal texts count once; those with two labels are left out.
    """
    labels_of: dict[str, set[str]] = defaultdict(set)
    first: dict[str, str] = {}
    for text, label in pairs:
        row_id = row_id_of(text)
        labels_of[row_id].add(label)
        first.setdefault(row_id, text)
    by_label: dict[str, list[str]] = defaultdict(list)
    for row_id in sorted(first):
        if len(labels_of[row_id]) == 1:
            by_label[next(iter(labels_of[row_id]))].append(first[row_id])
    placed = sorted(
        ((place + 0.5) / len(texts), label, text)
        for label, texts in by_label.items()
        for place, text in enumerate(texts)
    )
    ordered = [(text, label) for _, label, text in placed]
    n = len(ordered)
    sizes = (
        min(N_TUNE, round(TUNE_SHARE * n)),
        min(N_SELECT, round(SELECT_SHARE * n)),
        min(N_TEST, round(TEST_SHARE * n)),
    )
    ends = [0, *itertools.accumulate(sizes), n]
    tune, select, test, pool = (
        tuple(ordered[start:stop]) for start, stop in itertools.pairwise(ends)
    )
    return Problem(name=name, data=data, tune=tune, select=select, test=test, pool=pool)


def class_subsets(data: str, pairs: Sequence[Labelled]) -> Iterator[Problem]:
    """Problems of some of a data set's classes: each with the next one, halves, and every other.

    Of up to six classes every pair is taken. A data set of two classes has none.
    """
    labels = sorted({label for _, label in pairs})
    n = len(labels)
    if n <= MOST_FOR_ALL_PAIRS:
        chosen = list(itertools.combinations(labels, 2)) if n > 2 else []
    else:
        chosen = [(one, labels[(place + 1) % n]) for place, one in enumerate(labels)]
    if n > 2:
        chosen += [tuple(labels[: n // 2]), tuple(labels[n // 2 :])]
        chosen += [tuple(labels[::2]), tuple(labels[1::2])]
    for some in chosen:
        of_some = [pair for pair in pairs if pair[1] in some]
        yield parts_of(f"{data}: {', '.join(some)}", data, of_some)


def of_files(named: Sequence[str]) -> dict[str, list[Labelled]]:
    """Rows by name, each given as `name=file[,file]`."""
    found = {}
    for one in named:
        name, _, files = one.partition("=")
        if not files:
            raise SystemExit(f"--data '{one}' names no file; give name=file[,file].")
        found[name] = list(itertools.chain.from_iterable(map(_lines, files.split(","))))
    return found


def of_corpora() -> dict[str, list[Labelled]]:
    """Rows of the built-in corpora, by their names."""
    return {name: list(zip(*read_corpus(name), strict=True)) for name in CORPORA}


def _lines(file: str) -> Iterator[Labelled]:
    for line in Path(file).read_text(encoding="latin-1").splitlines():
        label, _, text = line.partition(" ")
        if text.strip():
            yield text.strip(), label.partition(":")[0]
