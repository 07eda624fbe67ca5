"""Columns of rows that are in memory already: of pandas, `datasets`, Arrow, or plain mappings."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeGuard

from zenml_ftvr.data.read import Column, check_columns
from zenml_ftvr.errors import DataError

__all__ = ["IN_MEMORY", "InMemory", "Table", "columns_in_memory"]

IN_MEMORY = "in memory"
"""The name of a data source without a file."""


class Table(Protocol):
    """A pandas DataFrame, a `datasets.Dataset` or an Arrow table: all that they have in common."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""


InMemory = Table | Sequence[Mapping[str, Any]]


def columns_in_memory(name: str, rows: InMemory, columns: dict[str, str]) -> dict[str, Column]:
    """The columns of `rows`; `columns` maps the setting's name to the column's.

    Raises `DataError` for what is no such rows, for absent columns, and for no rows at all.
    """
    if _is_a(rows, "datasets", "DatasetDict"):
        raise DataError(
            f"{name}: these are several splits. Give one of them, such as rows['train']."
        )
    if _is_a(rows, "pandas", "DataFrame"):
        return _columns(name, columns, [str(one) for one in rows.columns], rows, _of_pandas)
    if _is_a(rows, "datasets", "Dataset"):
        return _columns(name, columns, rows.column_names, rows, _of_datasets)
    if _is_a(rows, "pyarrow", "Table"):
        return _columns(name, columns, rows.column_names, rows, _of_arrow)
    if isinstance(rows, Sequence) and all(isinstance(row, Mapping) for row in rows):
        present = [str(key) for key in rows[0]] if rows else list(columns.values())
        return _columns(name, columns, present, rows, _of_mappings)
    raise DataError(
        f"{name}: rows of type {type(rows).__name__} cannot be read. Give a pandas DataFrame, a "
        f"datasets.Dataset, an Arrow table or a list of mappings; a file is read by its name."
    )


def _is_a(rows: Any, module: str, name: str) -> TypeGuard[Any]:
    """Whether `rows` is of a class whose package whoever made it has imported."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(rows, getattr(loaded, name))


def _columns(
    name: str, columns: dict[str, str], present: list[str], rows: Any, values_of: Any
) -> dict[str, Column]:
    check_columns(name, present, columns)
    if len(rows) == 0:
        raise DataError(f"{name} holds no rows. Give a row a text.")
    places = range(1, len(rows) + 1)
    return {
        setting: Column(values_of(rows, column, setting), places, "row", ((0, name),))
        for setting, column in columns.items()
    }


def _of_pandas(rows: Any, column: str, setting: str) -> list[Any]:
    found = rows[column]
    if found.ndim != 1:
        raise DataError(f"{IN_MEMORY}: column '{column}' is there twice. Rename one of them.")
    missing = found.isna().tolist()
    return [
        None if lacks else _plain(value)
        for value, lacks in zip(found.tolist(), missing, strict=True)
    ]


def _of_datasets(rows: Any, column: str, setting: str) -> list[Any]:
    import datasets

    feature = rows.features[column]
    if isinstance(feature, datasets.Image) and feature.decode:
        # The bytes as they are: what is decoded would be encoded again.
        rows = rows.cast_column(column, datasets.Image(decode=False))
    values = list(rows[column])
    if setting not in ("label_column", "split_column"):
        return [_plain(value) for value in values]
    if isinstance(feature, datasets.ClassLabel):
        return [_name_of(feature, value) for value in values]
    # Of lists of classes, such as tags, whichever way `datasets` writes their feature.
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    if isinstance(inner, datasets.ClassLabel):
        return [value and [_name_of(inner, one) for one in value] for value in values]
    return [_plain(value) for value in values]


def _name_of(feature: Any, value: Any) -> Any:
    return None if value in (None, -1) else feature.int2str(value)


def _of_arrow(rows: Any, column: str, setting: str) -> list[Any]:
    values: list[Any] = rows.column(column).to_pylist()
    return values


def _of_mappings(rows: Any, column: str, setting: str) -> list[Any]:
    return [_plain(row.get(column)) for row in rows]


def _plain(value: Any) -> Any:
    """A number of numpy as Python's own."""
    import numpy as np

    return value.item() if isinstance(value, np.generic) else value
