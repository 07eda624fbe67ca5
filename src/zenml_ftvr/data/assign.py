"""Which split each row is in, where the source says more than the hash of a text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from zenml_ftvr.data.read import Column
from zenml_ftvr.data.rows import row_id_of
from zenml_ftvr.data.split import SPLIT_NAMES, SPLITS, codes_by_hash, codes_of, split_of
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Placement", "split_by_column", "split_by_group", "split_by_time"]

COMPARED = 2**20  # times that are compared at once
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

T = TypeVar("T")
Moment = int | float | Decimal | datetime


class Placement:
    """The split of every row of the source's main file, batch by batch.

    Of each row a byte is kept; where times decide, eight, and as many more to sort them.
    """

    def __init__(self, source: DataSource) -> None:
        self._source = source
        # A split with a file of its own takes no rows from the main file.
        self._test = 0.0 if source.test_file is not None else source.test_fraction
        self._validation = 0.0 if source.validation_file is not None else source.validation_fraction
        self._codes: list[npt.NDArray[np.uint8]] = []
        self._moments: list[npt.NDArray[Any]] = []
        self._first: Column | None = None

    def add(self, row_ids: Sequence[str], columns: Mapping[str, Column]) -> None:
        """The rows of one batch; `columns` has that of the setting that decides, if one does."""
        source, fractions = self._source, (self._validation, self._test)
        if source.split_column is not None:
            names = split_by_column(columns["split_column"], source.split_column)
            self._codes.append(codes_of(names))
        elif source.group_column is not None:
            names = split_by_group(columns["group_column"], source.group_column, *fractions)
            self._codes.append(codes_of(names))
        elif source.time_column is not None:
            column = columns["time_column"]
            self._first = self._first or column
            self._moments.append(_moments(column, source.time_column, self._first))
        else:
            self._codes.append(codes_by_hash(row_ids, *fractions))

    def codes(self) -> npt.NDArray[np.uint8]:
        """The place in `SPLITS` of each row's split; raises `DataError` for a split without any."""
        import numpy as np

        source = self._source
        if source.time_column is not None:
            # Which lets go of them as soon as they are joined.
            codes = _codes_by_time(self._moments, self._validation, self._test)
            next_move = "Rows of one time stay together: name a column with finer times."
            _check_none_is_empty(f"time_column '{source.time_column}'", codes, next_move)
            return codes
        codes = np.concatenate(self._codes)
        if source.split_column is not None:
            next_move = "Mark some rows so, or leave split_column out: a hash then splits the rows."
            _check_none_is_empty(f"split_column '{source.split_column}'", codes, next_move)
        if source.group_column is not None:
            next_move = "A hash splits the groups: more of them are needed."
            _check_none_is_empty(f"group_column '{source.group_column}'", codes, next_move)
        return codes


def _check_none_is_empty(what: str, codes: npt.NDArray[np.uint8], next_move: str) -> None:
    import numpy as np

    counts = np.bincount(codes, minlength=len(SPLITS)).tolist()
    if 0 in counts:
        shown = ", ".join(f"{n:,} {name}" for n, name in zip(counts, SPLITS, strict=True))
        lacking = SPLITS[counts.index(0)]
        raise DataError(f"{what} leaves no {lacking} rows ({shown}). {next_move}")


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
    codes = _codes_by_time([_moments(column, called, column)], validation_fraction, test_fraction)
    return [SPLITS[code] for code in codes]


def _moments(column: Column, called: str, first: Column) -> npt.NDArray[Any]:
    """The times of rows in their order, all of one kind with that of the first row of `first`."""
    expected = "neither a number nor an ISO date such as 2024-05-31."
    moments: list[Moment] = _parsed(column, called, _moment, expected)
    dated = isinstance(_moment(first.values[0]), datetime)
    for index, moment in enumerate(moments):
        if isinstance(moment, datetime) != dated:
            kinds = ("a number", "a date") if dated else ("a date", "a number")
            raise DataError(
                f"{column.place(index)}: '{called}' is {column.values[index]!r:.60}, {kinds[0]}, "
                f"where {first.place(0)} has {kinds[1]}. Write all in one way."
            )
    return _compact(moments)


def _compact(moments: Sequence[Moment]) -> npt.NDArray[Any]:
    """Times as 8 bytes each where those tell as much, in microseconds or as they are."""
    import numpy as np

    numbers: list[Any] = [
        (one - EPOCH) // MICROSECOND if isinstance(one, datetime) else one for one in moments
    ]
    if all(isinstance(one, int) for one in numbers):
        exact = all(abs(one) < 2**63 for one in numbers)
        return np.array(numbers, np.int64 if exact else object)
    return np.array(numbers, np.float64 if all(map(_is_float, numbers)) else object)


def _is_float(number: float | Decimal) -> bool:
    try:
        return float(number) == number
    except OverflowError:
        return False


def _codes_by_time(
    batches: list[npt.NDArray[Any]], validation_fraction: float, test_fraction: float
) -> npt.NDArray[np.uint8]:
    import numpy as np

    kinds = {batch.dtype for batch in batches}
    if len(kinds) > 1:  # NumPy would make floats of large integers, which could tie
        together = _compact([one for batch in batches for one in batch.tolist()])
    else:
        together = np.concatenate(batches)
        batches.clear()
    n, ordered = len(together), np.sort(together)
    test, validation, train = (SPLITS.index(name) for name in ("test", "validation", "train"))
    found = np.empty(n, np.uint8)
    for start in range(0, n, COMPARED):
        some = slice(start, start + COMPARED)
        # A row's place is the share of rows newer than it, which is that of all rows of its time.
        places = (n - np.searchsorted(ordered, together[some], side="right")) / n
        codes = np.where(places < test_fraction + validation_fraction, validation, train)
        found[some] = np.where(places < test_fraction, test, codes)
    return found


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
