"""Rows in memory are checked and split exactly as those of a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from zenml_ftvr.data import Dataset, dataset_from, load_dataset, read_dataset, write_dataset
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource

Rows = list[dict[str, Any]]

GOOD: Rows = [{"text": f"text {number}", "label": "ab"[number % 2]} for number in range(120)]

MAKERS: dict[str, Callable[[Rows], Any]] = {
    "pandas": pd.DataFrame,
    "datasets": datasets.Dataset.from_list,
    "Arrow": pa.Table.from_pylist,
    "mappings": list,
}
any_kind = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


def _same(one: Dataset, other: Dataset) -> bool:
    return (one.fingerprint, one.labels, one.train.texts) == (
        other.fingerprint,
        other.labels,
        other.train.texts,
    )


@any_kind
def test_rows_in_memory_make_the_data_set_that_their_file_makes(
    make: Callable[[Rows], Any], tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in GOOD))
    dataset = dataset_from(make(GOOD))
    assert _same(dataset, load_dataset(DataSource(name=str(path))))
    assert dataset.source == DataSource(name="in memory")


@any_kind
def test_the_source_names_columns_and_fractions(make: Callable[[Rows], Any]) -> None:
    rows = [{"body": row["text"], "stars": row["label"], "text": 5} for row in GOOD]
    source = DataSource(name="any", text_column="body", label_column="stars", test_fraction=0.4)
    dataset = dataset_from(make(rows), source)
    assert dataset.source.name == "in memory"
    assert dataset.source.test_fraction == 0.4
    assert len(dataset.test) > 30
    assert all(text.startswith("text ") for text in dataset.train.texts)


@any_kind
def test_a_wrong_row_is_named_by_its_number(make: Callable[[Rows], Any]) -> None:
    for wrong, said in (
        ({"text": " ", "label": "a"}, r"^in memory, row 121: 'text' is empty\. Remove such"),
        ({"text": None, "label": "a"}, r"^in memory, row 121: 'text' is missing\. Remove such"),
        ({"text": "x", "label": None}, r"^in memory, row 121: 'label' is missing\. A label is"),
    ):
        with pytest.raises(DataError, match=said):
            dataset_from(make([*GOOD, wrong]))


@any_kind
def test_an_absent_column_names_those_there_are(make: Callable[[Rows], Any]) -> None:
    source = DataSource(name="any", label_column="lable")
    with pytest.raises(DataError, match=r"in memory: label column 'lable' .* mean 'label'\? Know"):
        dataset_from(make(GOOD), source)


@pytest.mark.parametrize(
    "empty",
    [
        [],
        pd.DataFrame({"text": [], "label": []}),
        pa.table({"text": pa.array([], pa.string()), "label": pa.array([], pa.string())}),
        datasets.Dataset.from_dict({"text": [], "label": []}),
    ],
    ids=["mappings", "pandas", "Arrow", "datasets"],
)
def test_no_rows_are_refused(empty: Any) -> None:
    with pytest.raises(DataError, match=r"in memory holds no rows"):
        dataset_from(empty)


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series([1, 2] * 60, dtype="int8"),
        pd.Series([1.0, 2.0] * 60),
        pd.Series([np.int64(1), np.int32(2)] * 60, dtype=object),
        pd.Series(["1", "2"] * 60, dtype="category"),
        pd.Series([1, 2] * 60, dtype="Int64"),
    ],
    ids=["integers", "whole floats", "numbers of numpy", "categories", "nullable"],
)
def test_labels_of_pandas_may_be_of_any_type(labels: pd.Series) -> None:
    frame = pd.DataFrame({"text": [row["text"] for row in GOOD], "label": labels})
    assert dataset_from(frame).labels == ("1", "2")


def test_the_index_of_a_data_frame_counts_for_nothing() -> None:
    frame = pd.DataFrame(GOOD, index=[7] * 120)
    assert _same(dataset_from(frame), dataset_from(GOOD))


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_whatever_pandas_takes_for_missing_is_missing(missing: Any) -> None:
    frame = pd.DataFrame([*GOOD, {"text": missing, "label": "a"}], dtype=object)
    with pytest.raises(DataError, match=r"in memory, row 121: 'text' is missing\."):
        dataset_from(frame)


def test_a_column_that_is_there_twice_is_refused() -> None:
    frame = pd.DataFrame([["x", "a", "y"]], columns=["text", "label", "text"])
    with pytest.raises(DataError, match=r"in memory: column 'text' is there twice"):
        dataset_from(frame)


def test_class_labels_become_their_names() -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["good", "bad"])}
    )
    columns = {"text": [row["text"] for row in GOOD], "label": [0, 1] * 60}
    table = datasets.Dataset.from_dict(columns, features=features)
    assert dataset_from(table).labels == ("bad", "good")


def test_a_key_that_one_mapping_lacks_is_missing() -> None:
    with pytest.raises(DataError, match=r"in memory, row 121: 'label' is missing"):
        dataset_from([*GOOD, {"text": "no label"}])


def test_numbers_of_numpy_are_labels_in_mappings_too() -> None:
    rows = [{"text": row["text"], "label": np.int64(at % 2)} for at, row in enumerate(GOOD)]
    assert dataset_from(rows).labels == ("0", "1")


@pytest.mark.parametrize(
    ("rows", "kind"),
    [("rows.csv", "str"), (5, "int"), ([("text", "a")], "list"), (iter(GOOD), "list_iterator")],
)
def test_what_is_no_rows_is_refused_with_its_type(rows: Any, kind: str) -> None:
    with pytest.raises(DataError, match=rf"in memory: rows of type {kind} cannot be read\. Give a"):
        dataset_from(rows)


def test_several_splits_are_not_rows() -> None:
    splits = datasets.DatasetDict({"train": datasets.Dataset.from_list(GOOD)})
    with pytest.raises(DataError, match=r"these are several splits\. Give one.*rows\['train'\]"):
        dataset_from(splits)  # type: ignore[arg-type]


def test_rows_in_memory_cannot_be_read_again_by_their_name() -> None:
    with pytest.raises(DataError, match=r"data 'in memory' has no file.*set data\.name to it"):
        load_dataset(DataSource(name="in memory"))


def test_their_data_set_is_stored_like_any_other(tmp_path: Path) -> None:
    dataset = dataset_from(GOOD)
    write_dataset(dataset, tmp_path / "dataset")
    again = read_dataset(tmp_path / "dataset")
    assert again.source == DataSource(name="in memory")
    assert _same(again, dataset)
