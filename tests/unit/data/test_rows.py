"""What makes two texts the same, the ids that follow from it, and the fingerprint of rows."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenml_ftvr.data import Dataset, Rows, make_rows, normalise, row_id_of
from zenml_ftvr.data.fingerprint import fingerprint_of
from zenml_ftvr.values import DataSource

Row = tuple[str, str, str]  # id, text, label

ROWS: tuple[Row, ...] = (("1", "one", "a"), ("2", "two", "b"), ("3", "three", "a"))


def _rows(rows: tuple[Row, ...] | list[Row]) -> Rows:
    return make_rows([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  The first\n\tof  two ", "the first of two"),
        ("no\u00a0break\u2003space", "no break space"),
        ("\ufb01ne \uff21\uff11 \u00bd", "fine a1 1\u20442"),
        ("STRASSE Straße", "strasse strasse"),
        ("e\u0301tude", "\u00e9tude"),
        ("", ""),
    ],
)
def test_a_text_is_normalised_to_one_form(text: str, normal: str) -> None:
    assert normalise(text) == normal


@pytest.mark.parametrize(
    ("one", "other"), [("a b", "ab"), ("a.", "a"), ("\u00e9", "e"), ("a b", "b a"), ("1", "11")]
)
def test_other_words_are_another_text(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)
    assert row_id_of(one) != row_id_of(other)


def test_capitals_are_the_same_text_in_every_script_that_has_them() -> None:
    dotless = "\u0131"  # its capital is the I that i has: to fold it would need a language
    cased = [chr(code) for code in range(0x10000) if chr(code).upper() != chr(code)]
    assert len(cased) > 1_000
    differing = [letter for letter in cased if normalise(letter) != normalise(letter.upper())]
    assert differing == [dotless]


@settings(deadline=None)
@given(text=st.text())
def test_what_is_normal_stays_as_it_is(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@settings(deadline=None)
@given(words=st.lists(st.text(st.characters(exclude_categories=("Z", "C", "M")), min_size=1)))
def test_white_space_only_separates(words: list[str]) -> None:
    assert normalise(" \t" + "\n \r\n".join(words) + "\u3000") == normalise(" ".join(words))


def test_the_id_is_the_start_of_the_hash_of_the_normal_text() -> None:
    expected = hashlib.sha256(b"the first").hexdigest()[:32]
    assert row_id_of("The  FIRST\n") == row_id_of("the first") == expected


def test_half_a_surrogate_pair_has_an_id_too() -> None:
    assert len(row_id_of("\ud800")) == 32
    assert row_id_of("\ud800") != row_id_of("\ud801")


@settings(deadline=None)
@given(order=st.permutations(ROWS))
def test_the_fingerprint_is_that_of_any_order(order: list[Row]) -> None:
    other = _rows((("4", "four", "b"),))
    expected = fingerprint_of([("train", _rows(ROWS)), ("test", other)])
    assert fingerprint_of([("test", other), ("train", _rows(order))]) == expected
    assert len(expected) == 64


@pytest.mark.parametrize(
    "changed",
    [
        (("1", "one", "a"), ("2", "Two", "b"), ("3", "three", "a")),
        (("1", "one", "a"), ("2", "two", "a"), ("3", "three", "a")),
        (("1", "one", "a"), ("0", "two", "b"), ("3", "three", "a")),
        (("1", "two", "a"), ("2", "one", "b"), ("3", "three", "a")),
        (("1", "one", "a"), ("2", "tw", "ob"), ("3", "three", "a")),
        (("1", "one", "a"), ("2", "two", "b")),
        (("1", "one", "a"), ("2", "two", "b"), ("3", "three", "a"), ("3", "three", "a")),
    ],
    ids=["text", "label", "id", "texts swapped", "boundary moved", "row lost", "row repeated"],
)
def test_any_change_of_a_row_changes_the_fingerprint(changed: tuple[Row, ...]) -> None:
    assert fingerprint_of([("train", _rows(changed))]) != fingerprint_of([("train", _rows(ROWS))])


def test_a_row_moved_to_another_split_changes_the_fingerprint() -> None:
    before = [("train", _rows(ROWS[:2])), ("test", _rows(ROWS[2:]))]
    after = [("train", _rows(ROWS[:1])), ("test", _rows(ROWS[1:]))]
    assert fingerprint_of(before) != fingerprint_of(after)


def test_rows_give_back_their_columns_in_order() -> None:
    rows = _rows(ROWS)
    assert len(rows) == 3
    assert rows.row_ids == ["1", "2", "3"]
    assert rows.texts == ["one", "two", "three"]
    assert rows.labels == ["a", "b", "a"]


def test_a_label_id_is_the_label_s_place_among_the_sorted_labels() -> None:
    rows = _rows((("1", "x", "cat"), ("2", "y", "ant"), ("3", "z", "bee"), ("4", "w", "ant")))
    dataset = Dataset(
        source=DataSource(name="made by hand"),
        train=rows,
        validation=rows,
        test=rows,
        labels=("ant", "bee", "cat"),
        fingerprint="0" * 64,
        n_duplicates=0,
        n_conflicts=0,
        n_dropped=0,
    )
    assert dataset.label_ids(rows) == [2, 0, 1, 0]
