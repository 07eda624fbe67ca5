"""Scores of parts of the test rows, and which parts are answered worse than the rest."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zenml_ftvr.data import text_of
from zenml_ftvr.evaluate.intervals import LEVEL, draws_of_rows, limits
from zenml_ftvr.evaluate.significance import holm
from zenml_ftvr.tasks import Answers, unit_weights
from zenml_ftvr.values import LOWER_IS_BETTER, Metric, Score, SliceScore

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.evaluate.groups import Groups

    Floats = npt.NDArray[np.float64]

__all__ = ["RowSlice", "length_slices", "score_slices", "value_slices"]

LENGTH_BINS = 4  # quarters of the rows: each has enough to be judged where all have; a judgement
LEAST_ROWS = 20
"""Of a slice and of the rest, below which no interval of either means much. A judgement."""
MOST_VALUES = 10  # of a column, its most frequent: more are hardly read; a judgement
MISSING = "(missing)"


@dataclass(frozen=True, slots=True)
class RowSlice:
    """Some of the rows, and what they have in common."""

    column: str
    value: str
    inside: npt.NDArray[np.bool_]
    """[rows]."""


def length_slices(inputs: Iterable[Any]) -> tuple[RowSlice, ...]:
    """Quarters by characters of text; none of images, and of rows that are all alike."""
    lengths = [len(text_of(one)) for one in inputs]
    return _ranges("length", lengths, "characters") if any(lengths) else ()


def value_slices(columns: Mapping[str, Sequence[Any]]) -> tuple[RowSlice, ...]:
    """One slice for each frequent value of each column; numbers of many values by quarters."""
    import numpy as np

    found: list[RowSlice] = []
    for column, values in columns.items():
        numbers = _numbers(values)
        if numbers is not None and len(set(numbers)) > MOST_VALUES:
            found += _ranges(column, numbers, "")
            continue
        named = [MISSING if value is None or value == "" else str(value) for value in values]
        for value, _ in Counter(named).most_common(MOST_VALUES):
            found.append(RowSlice(column, value, np.asarray([one == value for one in named])))
    return tuple(found)


def _numbers(values: Sequence[Any]) -> list[float] | None:
    """The values as numbers; None where one of them is none."""
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        return None
    return numbers if all(abs(one) < float("inf") for one in numbers) else None


def _ranges(column: str, numbers: Sequence[float], unit: str) -> tuple[RowSlice, ...]:
    """Rows by quarters of a number, whose ends are values that occur."""
    import numpy as np

    values = np.asarray(numbers)
    shares = np.linspace(0, 1, LENGTH_BINS + 1)[1:-1]
    edges = np.unique(np.quantile(values, shares, method="inverted_cdf"))
    places = np.searchsorted(edges, values, side="left")
    found = []
    for place in range(len(edges) + 1):
        inside = places == place
        if inside.any():
            low, high = values[inside].min(), values[inside].max()
            text = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            found.append(RowSlice(column, f"{text} {unit}".strip(), inside))
    return tuple(found) if len(found) > 1 else ()


def score_slices(
    answers: Answers,
    slices: Sequence[RowSlice],
    metric: Metric,
    seed: int,
    groups: Groups | None = None,
) -> tuple[SliceScore, ...]:
    """`metric` inside and outside of every slice large enough; significantly worse ones first.

    In each draw of all rows the slice and the rest are scored apart, which gives the interval of
    the slice and the standard error of the difference; p-values are of its ratio to that error, by
    the normal distribution, and corrected for the number of slices.
    """
    n = answers.n_rows
    large = [one for one in slices if LEAST_ROWS <= int(one.inside.sum()) <= n - LEAST_ROWS]
    if not large:
        return ()
    unit = "rows" if groups is None else groups.called
    drawn = _drawn_of_slices(answers, large, metric, seed, groups)
    scores = [
        _slice_score(answers, one, metric, draws, unit)
        for one, draws in zip(large, drawn, strict=True)
    ]
    corrected = holm([one.p_value for one in scores])
    done = []
    for one, p in zip(scores, corrected, strict=True):
        tested = dataclasses.replace(one, p_corrected=p, n_comparisons=len(scores))
        behind = (
            one.score.value - one.rest
            if metric in LOWER_IS_BETTER
            else (one.rest - one.score.value)
        )
        done.append(dataclasses.replace(tested, is_worse=tested.is_significant and behind > 0))
    return tuple(sorted(done, key=lambda one: not one.is_worse))


def _drawn_of_slices(
    answers: Answers, slices: Sequence[RowSlice], metric: Metric, seed: int, groups: Groups | None
) -> list[tuple[Floats, Floats]]:
    """The metric inside and outside of each slice in every draw that has rows of both."""
    import numpy as np

    parts: list[list[tuple[Floats, Floats]]] = [[] for _ in slices]
    for weights in draws_of_rows(answers.n_rows, seed, groups):
        for place, one in enumerate(slices):
            inside, outside = weights * one.inside, weights * ~one.inside
            both = (inside.sum(1) > 0) & (outside.sum(1) > 0)
            parts[place].append(
                (answers.values(metric, inside[both]), answers.values(metric, outside[both]))
            )
    return [
        (np.concatenate([a for a, _ in part]), np.concatenate([b for _, b in part]))
        for part in parts
    ]


def _slice_score(
    answers: Answers, one: RowSlice, metric: Metric, drawn: tuple[Floats, Floats], unit: str
) -> SliceScore:
    """The score of one slice, with a p-value that is not yet corrected."""
    from scipy.stats import norm

    rows = unit_weights(answers.n_rows)
    value = float(answers.values(metric, rows * one.inside)[0])
    rest = float(answers.values(metric, rows * ~one.inside)[0])
    low, high = limits(drawn[0])
    error = float((drawn[0] - drawn[1]).std())
    if error > 0:
        p_value = float(2 * norm.sf(abs(value - rest) / error))
    else:  # every draw is the same
        p_value = 1.0 if value == rest else 0.0
    return SliceScore(
        column=one.column,
        value=one.value,
        score=Score(
            metric=metric,
            value=value,
            low=min(low, value),
            high=max(high, value),
            n_rows=int(one.inside.sum()),
            level=LEVEL,
            method=f"bootstrap over {unit}, percentile",
        ),
        rest=rest,
        p_value=p_value,
        p_corrected=p_value,
        n_comparisons=1,
        is_worse=False,
    )
