"""Charts as inline SVG. The numbers are also in the tables beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zenml_ftvr.report.wording import escape

__all__ = ["Interval", "Series", "interval_chart", "line_chart", "pair_chart"]

WIDTH = 640
NAME_WIDTH = 150  # for names at the left of a row
WIDE_NAME_WIDTH = 205  # for names of two parts
CHARACTER = 7.2  # widths of one at 13 px, at most, of the fonts that the page asks for
ROW = 30
COLOURS = ("var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)")


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its limits, on a row of its own."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Series:
    """A line: points of (x, y)."""

    name: str
    points: tuple[tuple[float, float], ...]


def _svg(height: float, title: str, body: str) -> str:
    return (
        f'<div class="chart"><svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{body}</svg></div>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", muted: bool = False) -> str:
    style = ' class="muted"' if muted else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(text)}</text>'


def _short(name: str, width: float = NAME_WIDTH) -> str:
    """As much of a name as fits into `width`."""
    fits = int(width / CHARACTER)
    return name if len(name) <= fits else name[: fits - 1] + "…"


def _ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, about `wanted` of them."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    rough = span / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _tick_text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.3g}"


def interval_chart(
    title: str, rows: Sequence[Interval], reference: tuple[str, float] | None = None
) -> str:
    """Dots with whiskers, one a row, on a common scale; a dashed line for the reference."""
    if not rows:
        return ""
    values = [limit for row in rows for limit in (row.low, row.high)]
    if reference is not None:
        values.append(reference[1])
    low, high = min(values), max(values)
    pad = max(0.01, 0.06 * (high - low))
    low, high = max(0.0, low - pad), min(1.0, high + pad) if high <= 1 else high + pad
    left, right, top = NAME_WIDTH, WIDTH - 20, 24 if reference is not None else 6

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    bottom = top + ROW * len(rows)
    parts = [
        f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top}" y2="{bottom}"/>'
        + _text(x(tick), bottom + 18, _tick_text(tick), "middle", muted=True)
        for tick in _ticks(low, high)
    ]
    if reference is not None:
        name, value = reference
        at_the_end = x(value) > (left + right) / 2
        parts.append(
            f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{top - 4}" y2="{bottom}" '
            f'stroke="var(--muted)" stroke-dasharray="4 3"/>'
            + _text(x(value), top - 9, name, "end" if at_the_end else "start", muted=True)
        )
    for index, row in enumerate(rows):
        y = top + ROW * (index + 0.5)
        parts.append(
            _text(0, y + 4, _short(row.name))
            + f'<line x1="{x(row.low):.1f}" x2="{x(row.high):.1f}" y1="{y}" y2="{y}" '
            f'stroke="{COLOURS[0]}" stroke-width="2.5"/>'
            f'<circle cx="{x(row.value):.1f}" cy="{y}" r="5.5" fill="{COLOURS[0]}"/>'
        )
    return _svg(bottom + 26, title, "".join(parts))


def pair_chart(
    title: str, rows: Sequence[tuple[str, float | None, float, str]], names: tuple[str, str]
) -> str:
    """Two bars a row: predicted (None draws no bar) and actual, with the text at the bar's end."""
    if not rows:
        return ""
    most = max(value for _, first, second, _ in rows for value in (first or 0.0, second))
    left, right, top = WIDE_NAME_WIDTH, WIDTH - 150, 26
    scale = (right - left) / most if most > 0 else 0.0
    parts = [
        f'<rect x="{left}" y="2" width="12" height="12" fill="var(--line)" '
        f'stroke="var(--muted)"/>' + _text(left + 18, 13, names[0], muted=True),
        f'<rect x="{left + 110}" y="2" width="12" height="12" fill="{COLOURS[0]}"/>'
        + _text(left + 128, 13, names[1], muted=True),
    ]
    height = 34
    for index, (name, predicted, actual, text) in enumerate(rows):
        y = top + height * index
        parts.append(_text(0, y + 17, _short(name, WIDE_NAME_WIDTH)))
        if predicted is not None:
            parts.append(
                f'<rect x="{left}" y="{y}" width="{max(1.0, predicted * scale):.1f}" height="10" '
                f'fill="var(--line)" stroke="var(--muted)" stroke-width=".7"/>'
            )
        parts.append(
            f'<rect x="{left}" y="{y + 12}" width="{max(1.0, actual * scale):.1f}" height="10" '
            f'fill="{COLOURS[0]}"/>'
        )
        end = left + max(predicted or 0.0, actual) * scale
        parts.append(_text(end + 8, y + 16, text, muted=True))
    return _svg(top + height * len(rows), title, "".join(parts))


def line_chart(title: str, series: Sequence[Series], x_name: str) -> str:
    """Lines over a common x axis, named at the top; points that are no numbers are left out."""
    drawn = [
        Series(one.name, tuple(p for p in one.points if all(map(math.isfinite, p))))
        for one in series
    ]
    drawn = [one for one in drawn if one.points]
    if not drawn:
        return ""
    xs = [point[0] for one in drawn for point in one.points]
    ys = [point[1] for one in drawn for point in one.points]
    x_low, x_high = min(0.0, *xs), max(xs)
    y_low, y_high = min(ys), max(ys)
    pad = 0.05 * (y_high - y_low) or 0.05 * max(1.0, abs(y_high))
    y_low, y_high = y_low - pad if y_low < 0 else max(0.0, y_low - pad), y_high + pad
    left, right, top, bottom = 48, WIDTH - 16, 30, 236

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x = left + (point[0] - x_low) / ((x_high - x_low) or 1.0) * (right - left)
        y = bottom - (point[1] - y_low) / (y_high - y_low) * (bottom - top)
        return x, y

    parts = []
    for tick in _ticks(y_low, y_high):
        y = place((x_low, tick))[1]
        parts.append(
            f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            + _text(left - 8, y + 4, _tick_text(tick), "end", muted=True)
        )
    for tick in _ticks(x_low, x_high, 6):
        parts.append(
            _text(place((tick, y_low))[0], bottom + 18, _tick_text(tick), "middle", muted=True)
        )
    parts.append(_text(right, bottom + 36, x_name, "end", muted=True))
    at = float(left)
    for index, one in enumerate(drawn):
        colour = COLOURS[index % len(COLOURS)]
        places = [place(point) for point in one.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(places) <= 16:  # few readings: show where they are
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places
            ]
        parts.append(
            f'<rect x="{at:.0f}" y="4" width="14" height="4" fill="{colour}"/>'
            + _text(at + 20, 11, one.name, muted=True)
        )
        at += 40 + 7.5 * len(one.name)
    return _svg(bottom + 44, title, "".join(parts))
