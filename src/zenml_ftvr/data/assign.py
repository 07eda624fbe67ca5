"""Which split each row is in, where the source says more than the hash of a text."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, TypeVar

from zenml_ftvr.data.read import Column
from zenml_ftvr.data.rows import row_id_of
from zenml_ftvr.data.split import SPLIT_NAMES, SPLITS, split_at, split_of
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource

__all__ = ["split_by_column", "split_by_group", "split_by_time", "splits_of"]

T = TypeVar("T")
Moment = int | float | Decimal | datetime


def splits_of(source: DataSource, row_ids: Sequence[str], columns: dict[str, Column]) -> list[str]:
    """The split of every row of the source's main file."""
    if source.split_column is not None:
        splits = split_by_column(columns["split_column"], source.split_column)
        next_move = "Mark some rows so, or leave split_column out: a hash then splits the rows."
        _check_none_is_empty(f"split_column '{source.split_column}'", splits, next_move)
        return splits
    # A split with a file of its own takes no rows from the main file.
    test = 0.0 if source.test_file is not None else source.test_fraction
    validation = 0.0 if source.validation_file is not None else source.validation_fraction
    if source.group_column is not None:
        column = columns["group_column"]
        splits = split_by_group(column, source.group_column, validation, test)
        next_move = "A hash splits the groups: more of them are needed."
        _check_none_is_empty(f"group_column '{source.group_column}'", splits, next_move)
        return splits
    if source.time_column is not None:
        splits = split_by_time(columns["time_column"], source.time_column, validation, test)
        next_move = "Rows of one time stay together: name a column with finer times."
        _check_none_is_empty(f"time_column '{source.time_column}'", splits, next_move)
        return splits
    return [split_of(row_id, validation, test) for row_id in row_ids]


def _check_none_is_empty(what: str, splits: Sequence[str], next_move: str) -> None:
    counts = Counter(splits)
    for name in SPLITS:
        if not counts[name]:
            shown = ", ".join(f"{counts[one]:,} {one}" for one in SPLITS)
            raise DataError(f"{what} leaves no {name} rows ({shown}). {next_move}")


def split_by_column(column: Column, called: str) -> list[str]:
    """The split that each row names."""

    def parse(value: Any) -> str | None:
        return SPLIT_NAMES.get(value.strip().casefold()) if isinstance(value, str) else None

    return _parsed(column, called, parse, f"no split. Known: {', '.join(SPLIT_NAMES)}.")


def split_by_group(
    column: Column, called: str, validation_fraction: float, test_fraction: float
) -> list[str]:
    """By the hash of each row's group: all rows of one group are in one split, for good."""
    expected = "no group. A group is a text, a number or a date, one a row."
    return [
        # Normalised as a text is: two spellings of one name are one group.
        split_of(row_id_of(group), validation_fraction, test_fraction)
        for group in _parsed(column, called, _group, expected)
    ]


def split_by_time(
    column: Column, called: str, validation_fraction: float, test_fraction: float
) -> list[str]:
    """The newest rows to test, the next to validate, the oldest to train; ties stay together."""
    expected = "neither a number nor an ISO date such as 2024-05-31."
    moments = _parsed(column, called, _moment, expected)
    dated = [isinstance(moment, datetime) for moment in moments]
    if any(dated) and not all(dated):
        other = dated.index(not dated[0])
        kinds = ("a date", "a number") if dated[other] else ("a number", "a date")
        raise DataError(
            f"{column.place(other)}: '{called}' is {column.values[other]!r:.60}, {kinds[0]}, where "
            f"{column.place(0)} has {kinds[1]}. Write all in one way."
        )
    ordered: list[Any] = sorted(moments)
    n = len(ordered)
    # A row's place is the share of rows newer than it, which is that of all rows of its time.
    return [
        split_at((n - bisect_right(ordered, moment)) / n, validation_fraction, test_fraction)
        for moment in moments
    ]


def _parsed(
    column: Column, called: str, parse: Callable[[Any], T | None], expected: str
) -> list[T]:
    found = []
    for index, value in enumerate(column.values):
        one = parse(value)
        if one is None:
            empty = value is None or (isinstance(value, str) and not value.strip())
            what = "is missing" if empty else f"is {value!r:.60}"
            raise DataError(f"{column.place(index)}: '{called}' {what}, which is {expected}")
        found.append(one)
    return found


def _group(value: Any) -> str | None:
    match value:
        case str():
            return value.strip() or None
        case bool() | int():
            return str(value)
        case float() | Decimal():
            if not math.isfinite(value):
                return None
            return str(int(value)) if value == int(value) else str(value)
        case date():  # and so a datetime
            return value.isoformat()
        case _:
            return None


def _moment(value: Any) -> Moment | None:
    match value:
        case str():
            return _written_moment(value.strip())
        case bool():
            return None
        case int():
            return value
        case float() | Decimal():
            return value if math.isfinite(value) else None
        case datetime():
            return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        case date():
            return datetime.combine(value, time.min, UTC)
        case _:
            return None


def _written_moment(text: str) -> Moment | None:
    for parse in (int, float, datetime.fromisoformat):
        try:
            return _moment(parse(text)) if "_" not in text else None
        except ValueError:
            continue
    return None
