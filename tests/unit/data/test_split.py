"""Splits: disjoint, complete and lasting; what nothing can be learnt from is refused."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenml_ftvr.data import Dataset, make_dataset, row_id_of, split_of
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource

SPLITS = ("train", "validation", "test")
SOURCE = DataSource(name="made by hand")
DROPPING = DataSource(name="made by hand", rare_labels="drop")

# Enough that both classes are in every split, whatever comes on top.
BASE = [(f"base text {number}", "ab"[number % 2]) for number in range(120)]

Pairs = list[tuple[str, str]]
TextsIn = Callable[[str, int], list[str]]


def _dataset(pairs: Pairs, source: DataSource = SOURCE) -> Dataset:
    return make_dataset(source, [text for text, _ in pairs], [label for _, label in pairs])


def _split_of_id(dataset: Dataset) -> dict[str, str]:
    return {row_id: name for name in SPLITS for row_id in getattr(dataset, name).row_ids}


def _pairs_of(dataset: Dataset) -> Counter[tuple[str, str]]:
    return Counter(
        pair
        for name in SPLITS
        for pair in zip(getattr(dataset, name).texts, getattr(dataset, name).labels, strict=True)
    )


@pytest.fixture
def texts_in() -> TextsIn:
    """Fresh texts that fall into a split."""
    numbers = count()

    def fresh(split: str) -> Iterator[str]:
        for number in numbers:
            text = f"made for a split {number}"
            if split_of(row_id_of(text), 0.15, 0.15) == split:
                yield text

    def take(split: str, n: int) -> list[str]:
        texts = fresh(split)
        return [next(texts) for _ in range(n)]

    return take


@pytest.fixture
def rows_of_class(texts_in: TextsIn) -> Callable[[str, int, int, int], Pairs]:
    """Rows of one class with so many distinct texts in train, validation and test."""

    def make(label: str, train: int, validation: int, test: int) -> Pairs:
        counts = zip(SPLITS, (train, validation, test), strict=True)
        return [(text, label) for name, n in counts for text in texts_in(name, n)]

    return make


RowsOfClass = Callable[[str, int, int, int], Pairs]

any_rows = st.lists(
    st.tuples(
        # Few letters, so that equal texts, and texts that are equal once normalised, are common.
        st.one_of(st.text(alphabet="aAb \t", min_size=1, max_size=4), st.text(min_size=1)),
        st.sampled_from("ab"),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(pairs=any_rows)
def test_every_row_is_in_exactly_one_split(pairs: Pairs) -> None:
    dataset = _dataset(BASE + pairs)
    assert _pairs_of(dataset) == Counter(BASE + pairs)


@settings(max_examples=60, deadline=None)
@given(pairs=any_rows)
def test_no_text_is_in_two_splits(pairs: Pairs) -> None:
    dataset = _dataset(BASE + pairs)
    train, validation, test = (set(getattr(dataset, name).row_ids) for name in SPLITS)
    assert not train & validation
    assert not train & test
    assert not validation & test


@settings(max_examples=40, deadline=None)
@given(pairs=any_rows, more=any_rows)
def test_a_row_stays_in_its_split_when_rows_are_added(pairs: Pairs, more: Pairs) -> None:
    before = _split_of_id(_dataset(BASE + pairs))
    after = _split_of_id(_dataset(more + BASE + pairs))
    assert before.items() <= after.items()


@settings(max_examples=40, deadline=None)
@given(pairs=any_rows)
def test_duplicates_and_conflicts_are_counted(pairs: Pairs) -> None:
    dataset = _dataset(BASE + pairs)
    labels_of: dict[str, set[str]] = {}
    for text, label in BASE + pairs:
        labels_of.setdefault(row_id_of(text), set()).add(label)
    assert dataset.n_duplicates == len(BASE) + len(pairs) - len(labels_of)
    assert dataset.n_conflicts == sum(labels == {"a", "b"} for labels in labels_of.values())


def test_one_text_under_three_labels_is_two_duplicates_and_one_conflict(
    rows_of_class: RowsOfClass,
) -> None:
    pairs = [pair for label in "abc" for pair in rows_of_class(label, 3, 2, 2)]
    same: Pairs = [("One and the same", "a"), ("one AND  the same", "b"), ("one and the same", "c")]
    dataset = _dataset(pairs + same)
    assert (dataset.n_duplicates, dataset.n_conflicts, dataset.n_dropped) == (2, 1, 0)
    row_id = row_id_of("one and the same")
    holding = [name for name in SPLITS if row_id in getattr(dataset, name).row_ids]
    assert len(holding) == 1
    assert getattr(dataset, holding[0]).row_ids.count(row_id) == 3


@pytest.mark.parametrize(
    ("start", "split"),
    [
        ("0000", "test"),
        ("3fff", "test"),
        ("4000", "validation"),
        ("7fff", "validation"),
        ("8000", "train"),
        ("ffff", "train"),
    ],
)
def test_the_place_of_the_hash_decides(start: str, split: str) -> None:
    assert split_of(start.ljust(32, "0"), 0.25, 0.25) == split


@settings(deadline=None)
@given(text=st.text(), small=st.floats(0.01, 0.4), more=st.floats(0.0, 0.1))
def test_a_larger_test_split_keeps_what_was_in_it(text: str, small: float, more: float) -> None:
    row_id = row_id_of(text)
    if split_of(row_id, 0.15, small) == "test":
        assert split_of(row_id, 0.15, small + more) == "test"


@pytest.mark.parametrize(("validation", "test"), [(0.15, 0.15), (0.3, 0.05), (0.01, 0.5)])
def test_splits_are_about_as_large_as_asked(validation: float, test: float) -> None:
    n = 20_000
    splits = Counter(split_of(row_id_of(f"text {i}"), validation, test) for i in range(n))
    five_deviations = 5 * (0.25 / n) ** 0.5
    assert splits["validation"] / n == pytest.approx(validation, abs=five_deviations)
    assert splits["test"] / n == pytest.approx(test, abs=five_deviations)
    assert splits.total() == n


def test_the_source_s_fractions_are_those_of_the_data_set() -> None:
    source = DataSource(name="made by hand", validation_fraction=0.3, test_fraction=0.4)
    dataset = _dataset([(f"text {number}", "ab"[number % 2]) for number in range(2_000)], source)
    assert len(dataset.train) == pytest.approx(600, abs=110)
    assert len(dataset.validation) == pytest.approx(600, abs=110)
    assert len(dataset.test) == pytest.approx(800, abs=110)
    assert dataset.source == source


def test_rows_keep_their_order_within_a_split() -> None:
    dataset = _dataset(BASE)
    for name in SPLITS:
        rows = getattr(dataset, name)
        mine = set(rows.row_ids)
        assert rows.texts == [text for text, _ in BASE if row_id_of(text) in mine]


def test_the_fingerprint_does_not_depend_on_the_order_of_the_rows() -> None:
    shuffled = list(BASE)
    random.Random(1).shuffle(shuffled)
    assert shuffled != BASE
    assert _dataset(shuffled).fingerprint == _dataset(BASE).fingerprint


@pytest.mark.parametrize(
    ("changed", "source"),
    [
        ([("Base text 0", "a"), *BASE[1:]], SOURCE),
        ([("base text 0", "b"), *BASE[1:]], SOURCE),
        (BASE, DataSource(name="made by hand", test_fraction=0.3)),
    ],
    ids=["text", "label", "split"],
)
def test_the_fingerprint_changes_with_text_label_and_split(
    changed: Pairs, source: DataSource
) -> None:
    assert _dataset(changed, source).fingerprint != _dataset(BASE).fingerprint


def test_labels_are_sorted_whatever_their_order(rows_of_class: RowsOfClass) -> None:
    pairs = [pair for label in ("cat", "10", "ant", "9") for pair in rows_of_class(label, 2, 1, 1)]
    assert _dataset(pairs).labels == ("10", "9", "ant", "cat")


def test_a_rare_class_is_named_with_its_counts(rows_of_class: RowsOfClass) -> None:
    pairs = BASE + rows_of_class("rare", 3, 0, 1) + rows_of_class("common", 2, 1, 1)
    with pytest.raises(DataError) as caught:
        _dataset(pairs)
    message = str(caught.value)
    assert "1 class to be" in message
    assert "'rare' (3 train, 0 validation, 1 test)" in message
    assert "rare_labels: drop" in message
    assert "common" not in message


@pytest.mark.parametrize("counts", [(1, 1, 1), (2, 0, 1), (2, 1, 0)])
def test_a_class_with_too_little_of_any_split_is_rare(
    rows_of_class: RowsOfClass, counts: tuple[int, int, int]
) -> None:
    shown = "{} train, {} validation, {} test".format(*counts)
    with pytest.raises(DataError, match=rf"'c' \({shown}\)"):
        _dataset(BASE + rows_of_class("c", *counts))


def test_two_one_and_one_distinct_texts_are_enough(rows_of_class: RowsOfClass) -> None:
    assert _dataset(BASE + rows_of_class("c", 2, 1, 1)).labels == ("a", "b", "c")


def test_repeating_a_text_does_not_make_its_class_less_rare(rows_of_class: RowsOfClass) -> None:
    once = rows_of_class("c", 1, 1, 1)
    with pytest.raises(DataError, match=r"'c' \(1 train, 1 validation, 1 test\)"):
        _dataset(BASE + once * 5)


def test_of_many_rare_classes_ten_are_named_and_the_rest_counted() -> None:
    rare = [(f"lonely {number:02}", f"rare{number:02}") for number in range(12)]
    with pytest.raises(DataError, match=r"of 12 classes.*'rare09' .*and 2 more;") as caught:
        _dataset(BASE + rare)
    assert "rare10" not in str(caught.value)


def test_rare_classes_are_dropped_when_asked(rows_of_class: RowsOfClass) -> None:
    rare = rows_of_class("rare", 3, 0, 1)
    dataset = _dataset(BASE + rare + rare[:1], DROPPING)
    assert dataset.labels == ("a", "b")
    assert dataset.n_dropped == 5
    assert dataset.n_duplicates == 0  # that of the dropped class is not counted
    assert _pairs_of(dataset) == Counter(BASE)
    assert dataset.fingerprint == _dataset(BASE).fingerprint


def test_dropping_all_classes_but_one_is_refused(rows_of_class: RowsOfClass) -> None:
    pairs = rows_of_class("a", 5, 5, 5) + rows_of_class("b", 5, 0, 5)
    with pytest.raises(DataError, match=r"'b' \(5 train, 0 .*fewer than two classes are left"):
        _dataset(pairs, DROPPING)


def test_a_single_class_is_refused() -> None:
    with pytest.raises(DataError, match=r"every row has the label 'a'.*label_column"):
        _dataset([(text, "a") for text, _ in BASE])


def test_rows_that_all_have_the_same_text_are_refused() -> None:
    with pytest.raises(DataError, match=r"all 1,200 rows have the same text.*text_column"):
        _dataset([("Hello", "a"), ("hello ", "b"), ("HELLO", "a")] * 400)
