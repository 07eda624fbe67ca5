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
    vertical_axis,
)
from zenml_ftvr.report.wording import approach_name, duration
from zenml_ftvr.values import DecisionMap, Kind

__all__ = ["map_chart"]

HEIGHT = 300
HATCH = 9.0  # between the lines over what nothing measured speaks for

Run = tuple[float, float, float, float, Kind | None]
"""Left, right, top and bottom of neighbouring cells with one winner."""


def map_chart(title: str, chart: DecisionMap, point: tuple[int, float], width: int = WIDE) -> str:
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
    left, right, bottom = 64, width - 16, top + HEIGHT
    xs, ys = _edges(chart.n_train), _edges(chart.hours)
    x = Scale(low=xs[0], high=xs[-1], start=left, end=right, kind="log")
    y = Scale(low=ys[0], high=ys[-1], start=bottom, end=top, kind="log")
    runs = list(_runs(chart, x, y, xs, ys))
    parts = [
        named,
        vertical_axis(y, left, right, lambda hours: duration(hours * 3600)),
        horizontal_axis(x, bottom, "training rows"),
        *(_cell(run) for run in runs),
        _unsupported(chart, x, top, bottom),
        *_labels(runs),
        _user(point, x, y),
    ]
    return svg(width, bottom + 44, title, "".join(parts))


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
    # A third of a pixel more, so that no light shows between neighbours.
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left + 0.3:.1f}" '
        f'height="{bottom - top + 0.3:.1f}" {_fill(kind)}/>'
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


def _labels(runs: list[Run]) -> Iterator[str]:
    """Each winner's name once, in the widest of its runs that has room, nearest to their middle."""
    kinds = dict.fromkeys(run[4] for run in runs)
    for kind in kinds:
        own = [run for run in runs if run[4] == kind]
        words = _name(kind)
        wide = [run for run in own if run[1] - run[0] >= text_width(words) + 8]
        height = sum(run[3] - run[2] for run in own)
        if not wide or height < 18:
            continue
        widest = max(run[1] - run[0] for run in wide)
        broad = [run for run in wide if run[1] - run[0] >= 0.85 * widest]
        middle = sum((run[2] + run[3]) / 2 for run in broad) / len(broad)
        run = min(broad, key=lambda one: abs((one[2] + one[3]) / 2 - middle))
        across, down = (run[0] + run[1]) / 2, (run[2] + run[3]) / 2 + 4
        yield f'<g class="on-map">{text(across, down, words, "middle")}</g>'


def _user(point: tuple[int, float], x: Scale, y: Scale) -> str:
    n_train, hours = point
    across, up = x(n_train), y(hours)
    words = f"you: {n_train:,} rows, {duration(hours * 3600)}"
    room = text_width(words) + 16
    anchor_left = across + room > x.end
    at = across - room if anchor_left else across + 10
    above = up - 26 if up - 30 > y.end else up + 10
    return (
        f'<circle cx="{across:.1f}" cy="{up:.1f}" r="6.5" fill="var(--paper)" '
        f'stroke="var(--ink)" stroke-width="2.5"/><circle cx="{across:.1f}" cy="{up:.1f}" r="2" '
        f'fill="var(--ink)"/><rect x="{at:.1f}" y="{above:.1f}" width="{room - 8:.1f}" '
        f'height="20" rx="4" fill="var(--paper)" fill-opacity=".88"/>'
        + text(at + (room - 8) / 2, above + 14, words, "middle")
    )
