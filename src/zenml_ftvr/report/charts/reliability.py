"""Confidence beside the share that is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zenml_ftvr.report.charts.frame import (
    COLOURS,
    WIDE,
    Scale,
    Sign,
    finite,
    horizontal_axis,
    legend,
    svg,
    text,
    tick_text,
    vertical_axis,
)

__all__ = ["ReliabilityPoint", "reliability_chart"]

SIDE = 280


@dataclass(frozen=True, slots=True)
class ReliabilityPoint:
    """Answers of like confidence."""

    confidence: float
    share_right: float
    n_rows: int


def reliability_chart(
    title: str, series: Sequence[tuple[str, Sequence[ReliabilityPoint]]], width: int = WIDE
) -> str:
    """Dots as large as their rows are many, squares for a second series, and the diagonal."""
    kept = [
        (name, [one for one in points if finite(one.confidence, one.share_right)])
        for name, points in series
    ]
    kept = [(name, points) for name, points in kept if points]
    if not kept:
        return ""
    named, top = legend([(name, _sign(index)) for index, (name, _) in enumerate(kept)], 0, width)
    top += 22
    left = 52
    side = min(SIDE, width - left - 20)
    low = min(min(one.confidence, one.share_right) for _, points in kept for one in points)
    low = math.floor(10 * max(0.0, low - 0.02)) / 10
    x = Scale(low=low, high=1.0, start=left, end=left + side)
    y = Scale(low=low, high=1.0, start=top + side, end=top)
    most = max(one.n_rows for _, points in kept for one in points)
    parts = [
        named,
        vertical_axis(y, left, left + side),
        horizontal_axis(x, top + side, "confidence of the answers", tick_text),
        text(left, top - 7, "share that is right", tone="muted"),
        f'<line x1="{left}" y1="{top + side:.1f}" x2="{left + side}" y2="{top:.1f}" '
        f'stroke="var(--muted)" stroke-dasharray="4 3"/>',
        *(_points(points, index, x, y, most) for index, (_, points) in enumerate(kept)),
    ]
    return svg(width, top + side + 44, title, "".join(parts))


def _sign(index: int) -> Sign:
    return lambda x, y: _mark(x + 14, y, 5.0, index)


def _mark(x: float, y: float, radius: float, index: int) -> str:
    colour = COLOURS[index % len(COLOURS)]
    if index == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}"/>'
    return (
        f'<rect x="{x - radius:.1f}" y="{y - radius:.1f}" width="{2 * radius:.1f}" '
        f'height="{2 * radius:.1f}" fill="none" stroke="{colour}" stroke-width="2"/>'
    )


def _points(points: Sequence[ReliabilityPoint], index: int, x: Scale, y: Scale, most: int) -> str:
    colour, dashes = COLOURS[index % len(COLOURS)], ' stroke-dasharray="5 3"' if index else ""
    ordered = sorted(points, key=lambda one: one.confidence)
    path = " ".join(f"{x(one.confidence):.1f},{y(one.share_right):.1f}" for one in ordered)
    line = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dashes}/>'
    return line + "".join(
        _mark(
            x(one.confidence),
            y(one.share_right),
            3 + 7 * math.sqrt(one.n_rows / (most or 1)),
            index,
        )
        for one in ordered
    )
