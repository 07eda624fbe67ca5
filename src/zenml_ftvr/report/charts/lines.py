"""Lines over a common axis."""

from __future__ import annotations

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
    vertical_axis,
)

__all__ = ["Series", "line_chart"]

HEIGHT = 206
FEW = 16  # readings that are also drawn as dots


@dataclass(frozen=True, slots=True)
class Series:
    """A line: points of (x, y)."""

    name: str
    points: tuple[tuple[float, float], ...]


def line_chart(title: str, series: Sequence[Series], x_name: str, width: int = WIDE) -> str:
    """Lines over a common x axis, named at the top; points that are no numbers are left out."""
    kept = [
        Series(one.name, tuple(point for point in one.points if finite(*point))) for one in series
    ]
    kept = [one for one in kept if one.points]
    if not kept:
        return ""
    named, top = legend(
        [(one.name, _sign(COLOURS[index % len(COLOURS)])) for index, one in enumerate(kept)],
        0,
        width,
    )
    top += 10
    left, right, bottom = 52, width - 16, top + HEIGHT
    x, y = _scales(kept, (left, right), (bottom, top))
    parts = [named, vertical_axis(y, left, right), horizontal_axis(x, bottom, x_name)]
    for index, one in enumerate(kept):
        colour = COLOURS[index % len(COLOURS)]
        places = [(x(point[0]), y(point[1])) for point in one.points]
        path = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(places) <= FEW:  # show where they are
            parts += [
                f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3.5" fill="{colour}"/>'
                for across, down in places
            ]
    return svg(width, bottom + 44, title, "".join(parts))


def _sign(colour: str) -> Sign:
    return lambda x, y: f'<rect x="{x:.0f}" y="{y - 2:.0f}" width="22" height="4" fill="{colour}"/>'


def _scales(
    series: Sequence[Series], across: tuple[float, float], up: tuple[float, float]
) -> tuple[Scale, Scale]:
    xs = [point[0] for one in series for point in one.points]
    ys = [point[1] for one in series for point in one.points]
    low, high = min(ys), max(ys)
    pad = 0.05 * (high - low) or 0.05 * max(1.0, abs(high))
    low, high = low - pad if low < 0 else max(0.0, low - pad), high + pad
    return (
        Scale(low=min(0.0, *xs), high=max(xs), start=across[0], end=across[1]),
        Scale(low=low, high=high, start=up[0], end=up[1]),
    )
