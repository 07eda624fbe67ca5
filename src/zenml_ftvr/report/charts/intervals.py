"""Values with their limits, one a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zenml_ftvr.report.charts.frame import (
    COLOURS,
    WIDE,
    Scale,
    finite,
    short,
    svg,
    text,
    tick_text,
    ticks,
)

__all__ = ["Interval", "interval_chart"]

ROW = 30


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its limits, on a row of its own."""

    name: str
    value: float
    low: float
    high: float


def interval_chart(
    title: str,
    rows: Sequence[Interval],
    axis: str,
    reference: tuple[str, float] | None = None,
    width: int = WIDE,
) -> str:
    """Dots with whiskers on a common scale named `axis`; a dashed line for the reference."""
    rows = [row for row in rows if finite(row.value, row.low, row.high)]
    if not rows:
        return ""
    left = 150 if width >= WIDE else 118
    top = 24 if reference is not None else 6
    bottom = top + ROW * len(rows)
    x = _scale(rows, reference, left, width - 20)
    parts = [
        f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top}" y2="{bottom}"/>'
        + text(x(tick), bottom + 18, tick_text(tick), "middle", "muted")
        for tick in _ticks(x, 5 if width >= WIDE else 3)
    ]
    if reference is not None:
        name, value = reference
        at_the_end = x(value) > (left + x.end) / 2
        parts.append(
            f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{top - 4}" y2="{bottom}" '
            f'stroke="var(--muted)" stroke-dasharray="4 3"/>'
            + text(x(value), top - 9, name, "end" if at_the_end else "start", "muted")
        )
    for index, row in enumerate(rows):
        y = top + ROW * (index + 0.5)
        parts.append(
            text(0, y + 4, short(row.name, left))
            + f'<line x1="{x(row.low):.1f}" x2="{x(row.high):.1f}" y1="{y}" y2="{y}" '
            f'stroke="{COLOURS[0]}" stroke-width="2.5"/>'
            f'<circle cx="{x(row.value):.1f}" cy="{y}" r="5.5" fill="{COLOURS[0]}"/>'
        )
    parts.append(text(x.end, bottom + 36, axis, "end", "muted"))
    return svg(width, bottom + 42, title, "".join(parts))


def _ticks(x: Scale, wanted: int) -> list[float]:
    """Two at least, or a reader cannot tell how long the scale is."""
    found = ticks(x.low, x.high, wanted)
    return found if len(found) >= 2 else ticks(x.low, x.high, 2 * wanted)


def _scale(
    rows: Sequence[Interval], reference: tuple[str, float] | None, left: float, right: float
) -> Scale:
    values = [limit for row in rows for limit in (row.low, row.high)]
    if reference is not None:
        values.append(reference[1])
    low, high = min(values), max(values)
    pad = max(0.01, 0.06 * (high - low))
    return Scale(
        low=low - pad if low < 0 else max(0.0, low - pad),
        high=min(1.0, high + pad) if high <= 1 else high + pad,
        start=left,
        end=right,
    )
