"""Answers beside the truth, a dot a row."""

from __future__ import annotations

from collections.abc import Sequence

from zenml_ftvr.report.charts.frame import (
    COLOURS,
    WIDE,
    Scale,
    finite,
    horizontal_axis,
    svg,
    text,
    text_width,
    tick_text,
    ticks,
    vertical_axis,
)

__all__ = ["scatter_chart"]

SIDE = 360
MARGIN = 20
OPACITY = 0.45  # so that dots on one another are darker than one


def scatter_chart(
    title: str, pairs: Sequence[tuple[float, float]], names: tuple[str, str], width: int = WIDE
) -> str:
    """Dots on one scale both ways, and the diagonal, where the two are equal."""
    kept = [pair for pair in pairs if finite(*pair)]
    if not kept:
        return ""
    low, high = min(map(min, kept)), max(map(max, kept))
    pad = 0.04 * (high - low) or max(1.0, abs(high) * 0.04)
    low, high = low - pad, high + pad
    left = 16 + max(text_width(tick_text(tick)) for tick in ticks(low, high))
    side, top = min(SIDE, width - left - MARGIN), 24
    x = Scale(low=low, high=high, start=left, end=left + side)
    y = Scale(low=low, high=high, start=top + side, end=top)
    dots = "".join(
        f'<circle cx="{x(true):.1f}" cy="{y(said):.1f}" r="3.5"/>' for true, said in kept
    )
    parts = [
        vertical_axis(y, left, left + side),
        horizontal_axis(x, top + side, names[0]),
        text(left, top - 9, names[1], tone="muted"),
        f'<line x1="{left:.1f}" y1="{top + side:.1f}" x2="{left + side:.1f}" y2="{top:.1f}" '
        f'stroke="var(--muted)" stroke-dasharray="4 3"/>',
        f'<g fill="{COLOURS[0]}" fill-opacity="{OPACITY}">{dots}</g>',
    ]
    return svg(width, top + side + 44, title, "".join(parts))
