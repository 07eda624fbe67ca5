"""Budget against data size, coloured by the arm that would be chosen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from zenml_ftvr.report.charts.frame import (
    WIDE,
    Scale,
    Sign,
    arm_colour,
    horizontal_axis,
    legend,
    svg,
    text,
    text_width,
)
from zenml_ftvr.report.wording import approach_name
from zenml_ftvr.values import DecisionMap, Kind

__all__ = ["map_chart"]

HEIGHT = 300
HATCH = 9.0  # between the lines over what nothing measured speaks for

Run = tuple[float, float, float, float, Kind | None]
"""Left, right, top and bottom of neighbouring cells with one winner."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def map_chart(
    title: str,
    chart: DecisionMap,
    point: tuple[int, float],
    width: int = WIDE,
    unit: str = "rows",
) -> str:
    """`point`: the user's training rows and hours."""
    if not chart.n_train or not chart.hours:
        return ""
    winners = dict.fromkeys(one for row in chart.winners for one in row)
    named, top = legend(
        [
            *((_name(kind), _swatch(kind)) for kind in winners),
            *([("no pilot speaks for it", _hatched_swatch)] if _has_far(chart) else []),
        ],
        0,
        width,
    )
    top += 10
    left, right, bottom = 58, width - 16, top + HEIGHT
    xs, ys = _edges(chart.n_train), _edges(chart.hours)
    x = Scale(low=xs[0], high=xs[-1], start=left, end=right, kind="log")
    y = Scale(low=ys[0], high=ys[-1], start=bottom, end=top, kind="log")
    runs = list(_runs(chart, x, y, xs, ys))
    user, covered = _user(point, x, y)
    parts = [
        named,
        _budgets(y, left, right),
        horizontal_axis(x, bottom, f"training {unit}"),
        *(_cell(run) for run in runs),
        _unsupported(chart, x, top, bottom),
        *_labels(runs, covered),
        user,
    ]
    return svg(width, bottom + 44, title, "".join(parts))


ROUND_SECONDS = (
    *((seconds, f"{seconds:g} s") for seconds in (0.1, 0.3, 1, 3, 10, 30)),
    *((60 * minutes, f"{minutes} min") for minutes in (1, 3, 10, 30)),
    *((3600 * hours, f"{hours:,} h") for hours in (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)),
)
"""Where a budget's axis may have a number."""


def _budgets(y: Scale, left: float, right: float) -> str:
    shown = [
        (y(seconds / 3600), words)
        for seconds, words in ROUND_SECONDS
        if y.low <= seconds / 3600 <= y.high
    ]
    return "".join(
        f'<line class="grid" x1="{left:.0f}" x2="{right:.0f}" y1="{at:.1f}" y2="{at:.1f}"/>'
        + text(left - 8, at + 4, words, "end", "muted")
        for at, words in shown
    )


def _name(kind: Kind | None) -> str:
    return "no arm fits" if kind is None else approach_name(kind)


def _swatch(kind: Kind | None) -> Sign:
    return lambda x, y: (
        f'<rect x="{x + 4:.0f}" y="{y - 6:.0f}" width="18" height="12" {_fill(kind)} '
        f'stroke="var(--muted)" stroke-width=".7"/>'
    )


def _hatched_swatch(x: float, y: float) -> str:
    return (
        f'<rect x="{x + 4:.0f}" y="{y - 6:.0f}" width="18" height="12" fill="none" '
        f'stroke="var(--muted)" stroke-width=".7"/>' + _hatch(x + 4, x + 22, y - 6, y + 6)
    )


def _edges(values: tuple[float, ...] | tuple[int, ...]) -> list[float]:
    """Of the cells around values of a logarithmic grid: one more than there are values."""
    if len(values) == 1:
        return [values[0] / 2, values[0] * 2]
    inner = [math.sqrt(low * high) for low, high in itertools.pairwise(values)]
    return [values[0] ** 2 / inner[0], *inner, values[-1] ** 2 / inner[-1]]


def _runs(
    chart: DecisionMap, x: Scale, y: Scale, xs: list[float], ys: list[float]
) -> Iterator[Run]:
    for row, winners in enumerate(chart.winners):
        start = 0
        for column in range(1, len(winners) + 1):
            if column == len(winners) or winners[column] != winners[start]:
                yield x(xs[start]), x(xs[column]), y(ys[row + 1]), y(ys[row]), winners[start]
                start = column


def _cell(run: Run) -> str:
    left, right, top, bottom, kind = run
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{bottom - top:.1f}" shape-rendering="crispEdges" {_fill(kind)}/>'
    )


def _fill(kind: Kind | None) -> str:
    if kind is None:
        return 'fill="var(--card)"'
    return f'fill="color-mix(in srgb,{arm_colour(kind)} 62%,var(--paper))"'


def _has_far(chart: DecisionMap) -> bool:
    return chart.supported_to is not None and chart.supported_to < _edges(chart.n_train)[-1]


def _unsupported(chart: DecisionMap, x: Scale, top: float, bottom: float) -> str:
    if chart.supported_to is None or not _has_far(chart):
        return ""
    left = x(chart.supported_to)
    return (
        f'<line x1="{left:.1f}" x2="{left:.1f}" y1="{top:.1f}" y2="{bottom:.1f}" '
        f'stroke="var(--ink)" stroke-dasharray="4 3"/>' + _hatch(left, x.end, top, bottom)
    )


def _hatch(left: float, right: float, top: float, bottom: float) -> str:
    """Slanting lines within a box."""
    height, parts = bottom - top, []
    start = left - height
    while start < right:
        begin, end = max(start, left), min(start + height, right)
        if end > begin:
            low, high = bottom - (begin - start), bottom - (end - start)
            parts.append(f"M{begin:.1f},{low:.1f}L{end:.1f},{high:.1f}")
        start += HATCH
    return f'<path d="{"".join(parts)}" stroke="var(--ink)" stroke-opacity=".45" fill="none"/>'


LABEL_HEIGHT = 18.0


def _labels(runs: list[Run], covered: Box) -> Iterator[str]:
    """Each winner's name once, in the tallest part of its area that is wide enough."""
    for kind in dict.fromkeys(run[4] for run in runs):
        own, words = [run for run in runs if run[4] == kind], _name(kind)
        half = text_width(words) / 2 + 4
        found = [
            (bottom - top, middle, (top + bottom) / 2)
            for run in own
            if run[1] - run[0] >= 2 * half
            for middle in ((run[0] + run[1]) / 2, run[0] + half, run[1] - half)
            for top, bottom in (_stack(own, run, middle - half, middle + half),)
            if bottom - top >= LABEL_HEIGHT
        ]
        free = [
            (height, across, down)
            for height, across, down in found
            if not _meet((across - half, down - 9, across + half, down + 9), covered)
        ]
        if free:
            _, across, down = max(free)
            yield f'<g class="on-map">{text(across, down + 4, words, "middle")}</g>'


def _stack(own: list[Run], start: Run, left: float, right: float) -> tuple[float, float]:
    """Top and bottom of the neighbouring rows of one winner that reach from `left` to `right`."""
    top, bottom = start[2], start[3]
    rows = [run for run in own if run[0] <= left and run[1] >= right]
    for run in sorted(rows, key=lambda one: -one[3]):  # upwards from the bottom of the picture
        if run[3] <= start[2] + 0.01 and abs(run[3] - top) < 0.01:
            top = run[2]
    for run in sorted(rows, key=lambda one: one[2]):
        if run[2] >= start[3] - 0.01 and abs(run[2] - bottom) < 0.01:
            bottom = run[3]
    return top, bottom


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _user(point: tuple[int, float], x: Scale, y: Scale) -> tuple[str, Box]:
    """A ring, whose numbers stand in the text above, and the box that it fills with its word."""
    n_train, hours = point
    across, up = x(n_train), y(hours)
    words = "you"
    room = text_width(words) + 8
    at = across - room - 10 if across + room + 18 > x.end else across + 10
    above = up - 28 if up - 32 > y.end else up + 10
    drawn = (
        f'<circle cx="{across:.1f}" cy="{up:.1f}" r="6.5" fill="var(--paper)" '
        f'stroke="var(--ink)" stroke-width="2.5"/><circle cx="{across:.1f}" cy="{up:.1f}" r="2" '
        f'fill="var(--ink)"/><rect x="{at:.1f}" y="{above:.1f}" width="{room:.1f}" '
        f'height="20" rx="4" fill="var(--paper)" fill-opacity=".88"/>'
        + text(at + room / 2, above + 14, words, "middle")
    )
    left, right = min(at, across - 8), max(at + room, across + 8)
    return drawn, (left, min(above, up - 8), right, max(above + 20, up + 8))
