"""Columns of the user's that no model reads, for rows that were split before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any

from zenml_ftvr.data.corpora import CORPORA
from zenml_ftvr.data.hub import read_hub
from zenml_ftvr.data.inputs import checked_inputs
from zenml_ftvr.data.memory import IN_MEMORY
from zenml_ftvr.data.read import Batch, batches_of, is_file_name, read_batches
from zenml_ftvr.data.rows import Rows, row_id_of_input
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource, Task

__all__ = ["columns_of_rows"]

SETTING = "column: "  # before a column's name, so that it is told apart from what models read


def columns_of_rows(
    source: DataSource, task: Task, rows: Rows, columns: Sequence[str]
) -> dict[str, list[Any]]:
    """The values of `columns` for the rows of the test split, in their order.

    A data set holds what models read and no more, so that the files are read again; rows are found
    by their ids, and those that share one by their order. None where a row has no value, or where
    the rows of one id are fewer or more than they were and differ. Raises `DataError` where there
    is nothing to read again, and for absent columns.
    """
    if source.name in CORPORA or source.name == IN_MEMORY:
        raise DataError(
            f"data '{source.name}' has no column {', '.join(columns)}: only files and data sets of "
            f"the Hub do. Leave slice_columns and group_column out, or write the rows to a file."
        )
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    wanted = set(rows.row_ids)
    with closing(_batches(source, columns)) as batches:
        for batch in batches:
            inputs = checked_inputs(task, batch["text_column"], source.text_column)
            values = zip(*(batch[SETTING + name].values for name in columns), strict=True)
            for value, row in zip(inputs, values, strict=True):
                row_id = row_id_of_input(value)
                if row_id in wanted:
                    found[row_id].append(row)
    in_order = _in_order(rows.row_ids, found, (None,) * len(columns))
    return {name: [row[place] for row in in_order] for place, name in enumerate(columns)}


def _batches(source: DataSource, columns: Sequence[str]) -> Generator[Batch]:
    """Inputs and columns of the file that the test rows are from."""
    named = {"text_column": source.text_column, **{SETTING + name: name for name in columns}}
    name = source.test_file or source.name
    if is_file_name(name):
        return read_batches(name, named, source.encoding)
    return batches_of(read_hub(source, named))


def _in_order(
    row_ids: Sequence[str], found: dict[str, list[tuple[Any, ...]]], nothing: tuple[Any, ...]
) -> list[tuple[Any, ...]]:
    """The values of each row: those of one id in the order of the file."""
    counts: dict[str, int] = defaultdict(int)
    for row_id in row_ids:
        counts[row_id] += 1
    seen: dict[str, int] = defaultdict(int)
    result = []
    for row_id in row_ids:
        values = found.get(row_id, [])
        if len(values) == counts[row_id]:
            result.append(values[seen[row_id]])
        else:
            result.append(values[0] if values and len(set(values)) == 1 else nothing)
        seen[row_id] += 1
    return result
