"""Splits that the source says: by a column, by files, by groups, by time."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenml_ftvr.data import Dataset, dataset_from, load_dataset, refuse_local_path, row_id_of
from zenml_ftvr.data.assign import split_by_column, split_by_group, split_by_time
from zenml_ftvr.data.read import Column
from zenml_ftvr.data.split import split_of
from zenml_ftvr.errors import ConfigurationError, DataError
from zenml_ftvr.values import DataSource

SPLITS = ("train", "validation", "test")
Rows = list[dict[str, Any]]

# Enough that both classes are in every split, however the rows are split.
BASE: Rows = [{"text": f"text {number}", "label": "ab"[number % 2]} for number in range(240)]


def _column(values: list[Any]) -> Column:
    return Column(values, range(1, len(values) + 1), "row", ((0, "rows.csv"),))


def _split_of_text(dataset: Dataset) -> dict[str, str]:
    return {text: name for name in SPLITS for text in getattr(dataset, name).texts}


def _with(column: str, values: list[Any]) -> Rows:
    return [row | {column: value} for row, value in zip(BASE, values, strict=True)]


# --- by a column


def test_a_column_says_each_row_s_split() -> None:
    names = [
        "train",
        "val",
        "test",
        "Train",
        " dev",
        "TEST",
        "valid",
        "eval",
        "validation",
        "train",
    ]
    rows = _with("fold", names * 24)
    dataset = dataset_from(rows, DataSource(name="any", split_column="fold"))
    expected = {"t": "train", "T": "train", "v": "validation", "e": "validation", " ": "validation"}
    for row in rows:
        split = "test" if row["fold"].lower() == "test" else expected[row["fold"][0]]
        assert _split_of_text(dataset)[row["text"]] == split
    assert [len(getattr(dataset, name)) for name in SPLITS] == [72, 120, 48]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("holdout", r"is 'holdout', which is no split\. Known: train, validation, val, valid, dev"),
        ("", r"is missing, which is no split\."),
        (None, r"is missing, which is no split\."),
        (1, r"is 1, which is no split\."),
    ],
)
def test_any_other_split_is_refused_with_its_place(value: Any, what: str) -> None:
    with pytest.raises(DataError, match=rf"rows\.csv, row 3: 'fold' {what}"):
        split_by_column(_column(["train", "test", value]), "fold")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["train", "test"], r"leaves no validation rows \(120 train, 0 validation, 120 test\)\."),
        (["train", "dev"], r"leaves no test rows \(120 train, 120 validation, 0 test\)\. Mark"),
        (["val", "test"], r"leaves no train rows"),
    ],
)
def test_a_split_without_rows_is_named(names: list[str], said: str) -> None:
    with pytest.raises(DataError, match=rf"split_column 'fold' {said}"):
        dataset_from(_with("fold", names * 120), DataSource(name="any", split_column="fold"))


def test_class_labels_may_name_the_splits() -> None:
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.Value("string"),
            "fold": datasets.ClassLabel(names=["test", "train", "dev"]),
        }
    )
    rows = _with("fold", [0, 0, 1, 1, 2, 2] * 40)
    table = datasets.Dataset.from_list(rows, features=features)
    dataset = dataset_from(table, DataSource(name="any", split_column="fold"))
    assert [_split_of_text(dataset)[f"text {at}"] for at in (0, 2, 4)] == [
        "test",
        "train",
        "validation",
    ]


def test_an_absent_split_column_is_named() -> None:
    with pytest.raises(DataError, match=r"in memory: split column 'fold' is absent\. .*split_colu"):
        dataset_from(BASE, DataSource(name="any", split_column="fold"))


# --- by files


@pytest.fixture
def csv(tmp_path: Path) -> Callable[[str, list[str]], str]:
    """Write a file of texts under two labels, and get its name."""

    def write(name: str, texts: list[str]) -> str:
        lines = [f"{text},{'ab'[at % 2]}" for at, text in enumerate(texts)]
        (tmp_path / name).write_text("\n".join(["text,label", *lines]))
        return str(tmp_path / name)

    return write


MAIN = [f"main {number}" for number in range(200)]
OTHER = [f"other {number}" for number in range(20)]
THIRD = [f"third {number}" for number in range(20)]


def test_a_test_file_holds_the_test_rows_and_a_hash_the_others(
    csv: Callable[[str, list[str]], str],
) -> None:
    source = DataSource(name=csv("main.csv", MAIN), test_file=csv("test.csv", OTHER))
    dataset = load_dataset(source)
    assert dataset.test.texts == OTHER
    assert dataset.validation.texts == [
        text for text in MAIN if split_of(row_id_of(text), 0.15, 0.0) == "validation"
    ]
    assert len(dataset.train) + len(dataset.validation) == len(MAIN)
    assert dataset.source == source


def test_a_validation_file_holds_the_validation_rows_and_a_hash_the_others(
    csv: Callable[[str, list[str]], str],
) -> None:
    dataset = load_dataset(
        DataSource(name=csv("main.csv", MAIN), validation_file=csv("dev.csv", OTHER))
    )
    assert dataset.validation.texts == OTHER
    assert dataset.test.texts == [
        text for text in MAIN if split_of(row_id_of(text), 0.15, 0.15) == "test"
    ]


def test_with_both_files_the_main_one_is_all_for_training(
    csv: Callable[[str, list[str]], str],
) -> None:
    source = DataSource(
        name=csv("main.csv", MAIN),
        validation_file=csv("dev.csv", OTHER),
        test_file=csv("test.csv", THIRD),
    )
    dataset = load_dataset(source)
    assert (dataset.train.texts, dataset.validation.texts, dataset.test.texts) == (
        MAIN,
        OTHER,
        THIRD,
    )


def test_a_wrong_row_of_another_file_names_that_file(
    csv: Callable[[str, list[str]], str],
) -> None:
    source = DataSource(name=csv("main.csv", MAIN), test_file=csv("test.csv", ["x", " "]))
    with pytest.raises(DataError, match=r"/test\.csv, line 3: 'text' is empty"):
        load_dataset(source)


def test_other_files_go_with_rows_in_memory_too(csv: Callable[[str, list[str]], str]) -> None:
    dataset = dataset_from(BASE, DataSource(name="any", test_file=csv("test.csv", OTHER)))
    assert dataset.test.texts == OTHER
    assert len(dataset.train) + len(dataset.validation) == len(BASE)


@pytest.mark.parametrize("setting", ["validation_file", "test_file"])
def test_a_local_split_file_is_refused_where_steps_run_elsewhere(setting: str) -> None:
    local = DataSource(name="s3://bucket/rows.csv", **{setting: "rows"})  # type: ignore[arg-type]
    with pytest.raises(DataError, match=rf"data file rows is on .* set data\.{setting} to that UR"):
        refuse_local_path(local)
    far = {"name": "org/dataset", setting: "gs://bucket/rows.csv"}
    refuse_local_path(DataSource(**far))  # type: ignore[arg-type]


# --- by groups

any_group = st.one_of(st.sampled_from(["ann", "Ann", "bob", "carl"]), st.integers(0, 9))


@settings(deadline=None)
@given(groups=st.lists(any_group), more=st.lists(any_group))
def test_a_group_is_in_one_split_whatever_is_added(groups: list[Any], more: list[Any]) -> None:
    before = split_by_group(_column(groups), "customer", 0.3, 0.3)
    after = split_by_group(_column(groups + more), "customer", 0.3, 0.3)
    assert after[: len(groups)] == before
    split_of_group: dict[str, str] = {}
    for group, split in zip(groups + more, after, strict=True):
        assert split_of_group.setdefault(str(group).lower(), split) == split
        assert split in SPLITS


def test_groups_are_split_by_their_hash_and_not_by_their_texts() -> None:
    customers = [f"customer {number // 2}" for number in range(240)]
    source = DataSource(name="any", group_column="customer", test_fraction=0.3)
    dataset = dataset_from(_with("customer", customers), source)
    for row, customer in zip(BASE, customers, strict=True):
        expected = split_of(row_id_of(customer), 0.15, 0.3)
        assert _split_of_text(dataset)[row["text"]] == expected
    assert Counter(_split_of_text(dataset).values()).total() == len(BASE)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, "1"), (1, 1.0), (" x ", "X"), (date(2024, 5, 1), "2024-05-01"), (Decimal(3), 3)],
)
def test_one_group_may_be_written_in_several_ways(one: Any, other: Any) -> None:
    for fraction in (0.1, 0.2, 0.3, 0.4, 0.5):
        splits = split_by_group(_column([one, other]), "customer", fraction, fraction)
        assert splits[0] == splits[1]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (None, "is missing"),
        (" ", "is missing"),
        (math.nan, "is nan"),
        (["a"], r"is \['a'\]"),
    ],
)
def test_a_row_without_a_group_is_refused_with_its_place(value: Any, what: str) -> None:
    with pytest.raises(DataError, match=rf"rows\.csv, row 2: 'customer' {what}, which is no grou"):
        split_by_group(_column(["x", value]), "customer", 0.15, 0.15)


def test_too_few_groups_for_three_splits_are_refused() -> None:
    rows = _with("customer", ["one", "two"] * 120)
    with pytest.raises(DataError, match=r"group_column 'customer' leaves no \w+ rows \(.*more of"):
        dataset_from(rows, DataSource(name="any", group_column="customer"))


# --- by time

moments = st.one_of(
    st.lists(st.integers(-5, 5), min_size=1),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1),
    st.lists(st.datetimes(timezones=st.sampled_from([None, UTC])), min_size=1),
    st.lists(st.dates(), min_size=1),
)


def _comparable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    return value


@settings(max_examples=200, deadline=None)
@given(
    values=moments,
    validation=st.floats(0.01, 0.4),
    test=st.floats(0.01, 0.4),
    written=st.booleans(),
)
def test_newer_rows_are_never_in_an_older_split(
    values: list[Any], validation: float, test: float, written: bool
) -> None:
    column = _column([str(value) for value in values] if written else values)
    splits = split_by_time(column, "when", validation, test)
    assert len(splits) == len(values)
    age = {"train": 0, "validation": 1, "test": 2}
    ordered = sorted(
        (_comparable(value), age[split]) for value, split in zip(values, splits, strict=True)
    )
    for (older, before), (newer, after) in itertools.pairwise(ordered):
        assert before <= after
        if older == newer:
            assert before == after
    # As many as asked, and beyond that only ties of the oldest among them.
    for name, fraction in (("test", test), ("validation", test + validation)):
        taken = [value for value, rank in ordered if rank >= age[name]]
        assert len(taken) >= fraction * len(values)
        beyond = [value for value in taken if value != taken[0]]
        assert len(beyond) < fraction * len(values)


def test_the_newest_are_tested_and_the_next_validated() -> None:
    days = [f"2024-01-{number % 28 + 1:02}T{number // 28:02}:00" for number in range(240)]
    source = DataSource(name="any", time_column="when", test_fraction=0.25)
    dataset = dataset_from(_with("when", days), source)
    assert [len(getattr(dataset, name)) for name in SPLITS] == [144, 36, 60]
    place = {row["text"]: day for row, day in zip(BASE, days, strict=True)}
    times = {name: [place[text] for text in getattr(dataset, name).texts] for name in SPLITS}
    assert max(times["train"]) < min(times["validation"])
    assert max(times["validation"]) < min(times["test"])


@pytest.mark.parametrize(
    "ordered",
    [
        ["2023-12-31", "2024-01-01T00:00", "2024-01-01T01:00"],
        ["2024-01-01T02:00+03:00", "2024-01-01T00:00Z", "2024-01-01T00:30"],
        ["9", "10", "1e3"],
        [9, 10.5, Decimal("10.75")],
        [date(2024, 1, 1), datetime(2024, 1, 1, 1), pd.Timestamp("2024-01-02")],
        ["20231231", "20240101", "20240102"],
        [9007199254740992, 9007199254740993, 9007199254740994],
    ],
)
def test_times_are_ordered_by_what_they_mean(ordered: list[Any]) -> None:
    expected = ["train", "validation", "test"]
    assert split_by_time(_column(ordered), "when", 0.33, 0.33) == expected
    assert split_by_time(_column(ordered[::-1]), "when", 0.33, 0.33) == expected[::-1]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (None, "is missing"),
        ("", "is missing"),
        ("yesterday", "is 'yesterday'"),
        ("2024-13-01", "is '2024-13-01'"),
        ("nan", "is 'nan'"),
        ("1_000", "is '1_000'"),
        (math.inf, "is inf"),
        (True, "is True"),
        ([1], r"is \[1\]"),
    ],
)
def test_what_is_no_time_is_refused_with_its_place(value: Any, what: str) -> None:
    said = rf"rows\.csv, row 2: 'when' {what}, which is neither a number nor an ISO date such as"
    with pytest.raises(DataError, match=said):
        split_by_time(_column(["2024-01-01", value]), "when", 0.15, 0.15)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            ["2024", "2025", "2024-01-01"],
            r"row 3: 'when' is '2024-01-01', a date, where rows\.csv, ",
        ),
        ([date(2024, 1, 1), 5], r"row 2: 'when' is 5, a number, where rows\.csv, row 1 has a date"),
    ],
)
def test_numbers_and_dates_are_not_mixed(values: list[Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        split_by_time(_column(values), "when", 0.15, 0.15)


def test_ties_that_leave_a_split_empty_are_refused() -> None:
    rows = _with("when", ["2024-01-01", "2024-01-02"] * 120)
    said = (
        r"time_column 'when' leaves no validation rows \(120 train, 0 validation, 120 test\)\. Ro"
    )
    with pytest.raises(DataError, match=said):
        dataset_from(rows, DataSource(name="any", time_column="when"))


# --- the settings together


@settings(max_examples=30, deadline=None)
@given(
    setting=st.sampled_from(["split_column", "group_column", "time_column"]),
    numbers=st.permutations(range(240)),
)
def test_every_row_is_in_exactly_one_split_whatever_splits_it(
    setting: str, numbers: list[int]
) -> None:
    names = ["train", "dev", "test"]
    rows = _with("by", [names[n % 3] if setting == "split_column" else n for n in numbers])
    dataset = dataset_from(rows, DataSource(name="any", **{setting: "by"}))  # type: ignore[arg-type]
    texts = [text for name in SPLITS for text in getattr(dataset, name).texts]
    assert sorted(texts) == sorted(row["text"] for row in BASE)


def test_the_fingerprint_covers_the_split_that_a_column_says() -> None:
    source = DataSource(name="any", split_column="fold")
    names = ["train", "dev", "test"] * 80
    before = dataset_from(_with("fold", names), source)
    swapped = ["dev", "train", *names[2:]]
    assert dataset_from(_with("fold", names), source).fingerprint == before.fingerprint
    assert dataset_from(_with("fold", swapped), source).fingerprint != before.fingerprint


@pytest.mark.parametrize(
    "fields",
    [
        {"split_column": "a", "group_column": "b"},
        {"split_column": "a", "time_column": "b"},
        {"group_column": "a", "time_column": "b"},
        {"split_column": "a", "test_file": "b.csv"},
        {"group_column": "a", "validation_file": "b.csv"},
        {"time_column": "a", "test_file": "b.csv"},
    ],
    ids=lambda fields: " and ".join(fields),
)
def test_ways_to_split_exclude_one_another(fields: dict[str, str]) -> None:
    names = " and ".join(sorted(fields, key=lambda name: name.endswith("_file")))
    with pytest.raises(ConfigurationError, match=rf"DataSource\.{names} exclude one another"):
        DataSource(name="rows.csv", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"group_column": "text"}, r"group_column and text_column are both 'text'"),
        ({"time_column": "label"}, r"time_column and label_column are both 'label'"),
        (
            {"test_file": "rows.csv"},
            r"test_file and name are both 'rows\.csv': rows that are learn",
        ),
        (
            {"test_file": "x.csv", "validation_file": "x.csv"},
            r"test_file and validation_file are both 'x\.csv'",
        ),
        ({"split_column": " "}, r"split_column is empty"),
        ({"test_file": ""}, r"test_file is empty"),
        ({"time_column": ""}, r"time_column is empty"),
    ],
)
def test_senseless_splits_are_refused(fields: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"DataSource\.{said}"):
        DataSource(name="rows.csv", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "setting", ["split_column", "group_column", "time_column", "validation_file", "test_file"]
)
def test_a_built_in_corpus_has_no_such_column_or_file(setting: str) -> None:
    source = DataSource(name="docstrings", **{setting: "x"})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=rf"data\.{setting} is 'x', but the built-in corp"):
        load_dataset(source)
