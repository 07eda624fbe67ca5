"""Columns that no model reads, found again for the rows of the test split."""

from __future__ import annotations

from pathlib import Path

import pytest

from zenml_ftvr.data import columns_of_rows, load_dataset, make_rows
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource, TextClassification


def _written(folder: Path, n_rows: int = 200) -> Path:
    """A row's columns follow from its text, so that they can be told to be its own."""
    file = folder / "rows.csv"
    lines = ["text,label,shop,age"]
    for place in range(n_rows):
        text = f"row number {place} speaks of {'cats' if place % 2 else 'dogs'}"
        lines.append(f"{text},{'cat' if place % 2 else 'dog'},shop {place % 7},{place}")
    file.write_text("\n".join(lines) + "\n")
    return file


def test_each_row_gets_its_own_values(tmp_path: Path) -> None:
    source = DataSource(name=str(_written(tmp_path)))
    dataset = load_dataset(source)
    found = columns_of_rows(source, TextClassification(), dataset.test, ["shop", "age"])
    places = [int(text.split()[2]) for text in dataset.test.inputs]
    assert found == {
        "shop": [f"shop {place % 7}" for place in places],
        "age": [str(place) for place in places],
    }
    assert places


def test_rows_of_equal_text_are_told_apart_by_their_order(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    texts = [f"text {place % 40} of a{place % 2}" for place in range(120)]
    lines = [f"{text},a{place % 2},{place}" for place, text in enumerate(texts)]
    file.write_text("text,label,place\n" + "\n".join(lines) + "\n")
    source = DataSource(name=str(file))
    dataset = load_dataset(source)
    (found,) = columns_of_rows(source, TextClassification(), dataset.test, ["place"]).values()
    assert [texts[int(place)] for place in found] == dataset.test.inputs
    assert len(set(found)) == len(found)


def test_the_test_file_is_read_where_there_is_one(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    test = _written(other, 30)
    text = test.read_text().replace("row number", "line number").replace("shop", "shop of test")
    test.write_text(text.replace("shop of test,age", "shop,age"))
    source = DataSource(name=str(_written(tmp_path)), test_file=str(test))
    dataset = load_dataset(source)
    (found,) = columns_of_rows(source, TextClassification(), dataset.test, ["shop"]).values()
    assert len(found) == 30
    assert all(shop.startswith("shop of test") for shop in found)


def test_a_row_that_is_gone_has_no_value(tmp_path: Path) -> None:
    file = _written(tmp_path)
    source = DataSource(name=str(file))
    dataset = load_dataset(source)
    gone = dataset.test.inputs[0]
    kept = [line for line in file.read_text().splitlines() if not line.startswith(f"{gone},")]
    file.write_text("\n".join(kept) + "\n")
    (found,) = columns_of_rows(source, TextClassification(), dataset.test, ["shop"]).values()
    assert found[0] is None
    assert None not in found[1:]


def test_an_absent_column_is_named_with_its_nearest(tmp_path: Path) -> None:
    source = DataSource(name=str(_written(tmp_path)))
    dataset = load_dataset(source)
    with pytest.raises(DataError, match=r"'shops' is absent. Did you mean 'shop'"):
        columns_of_rows(source, TextClassification(), dataset.test, ["shops"])


def test_built_in_rows_have_no_columns() -> None:
    rows = make_rows(["a" * 32], ["a text"], ["a label"])
    with pytest.raises(DataError, match=r"'docstrings' has no column shop.*slice_columns"):
        columns_of_rows(DataSource(name="docstrings"), TextClassification(), rows, ["shop"])
