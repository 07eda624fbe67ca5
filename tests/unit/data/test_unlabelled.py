"""Unlabelled texts: no test row among them, and what was left out is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from zenml_ftvr.data import Dataset, count_words, read_unlabelled
from zenml_ftvr.errors import DataError


def written(folder: Path, texts: list[str]) -> str:
    path = folder / "more.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    return str(path)


def test_test_and_validation_rows_are_left_out_however_they_are_written(
    dataset: Dataset, tmp_path: Path
) -> None:
    test, validation = dataset.test.texts, dataset.validation.texts
    train = dataset.train.texts
    name = written(
        tmp_path,
        [test[0].upper(), "one more", f"  {test[1]}\t", validation[0], "One  more", *train[:5]],
    )
    read = read_unlabelled(name, dataset)
    assert read.texts == ("one more", *dict.fromkeys(train[:5]))
    assert (read.n_read, read.n_of_test, read.n_of_validation, read.n_repeated) == (10, 2, 1, 1)
    assert read.statement == (
        f"6 of 10 unlabelled texts of {name}, without 2 with the text of a test row, 1 with that "
        f"of a validation row, 1 that repeat another."
    )
    assert read.n_words == 2 + sum(len(text.split()) for text in train[:5])


def test_words_are_counted_before_anything_is_left_out(tmp_path: Path) -> None:
    assert count_words(written(tmp_path, ["one two", "three", "one two"])) == 5


def test_clean_texts_are_said_to_be(dataset: Dataset, tmp_path: Path) -> None:
    read = read_unlabelled(written(tmp_path, ["one", "two"]), dataset)
    assert read.statement.endswith("; none is a test row.")
    assert (
        read.fingerprint != read_unlabelled(written(tmp_path, ["one", "to"]), dataset).fingerprint
    )


def test_nothing_but_test_rows_is_an_error(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="each of its 2 texts is a validation or test row"):
        read_unlabelled(written(tmp_path, dataset.test.texts[:2]), dataset)


def test_a_table_is_read_too(dataset: Dataset, tmp_path: Path) -> None:
    table = tmp_path / "more.csv"
    table.write_text("id,text\n1,alpha beta\n2,gamma\n")
    assert read_unlabelled(str(table), dataset).texts == ("alpha beta", "gamma")


def test_a_file_that_is_not_there_is_named(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="nowhere"):
        read_unlabelled("nowhere", dataset)
