"""Quality against latency and size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zenml_ftvr.report.charts.frame import (
    WIDE,
    Scale,
    arm_colour,
    finite,
    horizontal_axis,
    svg,
    text,
    text_width,
    vertical_axis,
)
from zenml_ftvr.report.wording import size
from zenml_ftvr.values import Kind

__all__ = ["Place", "pareto_chart"]

HEIGHT = 270
LARGEST = 24.0  # radius of the largest model
SMALLEST = 4.0

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A model in the picture."""

    kind: Kind
    name: str
    quality: float
    milliseconds: float
    n_bytes: int
    is_dominated: bool


def pareto_chart(
    title: str,
    places: Sequence[Place],
    names: tuple[str, str],
    *,
    lower_is_better: bool = False,
    width: int = WIDE,
) -> str:
    """Circles whose area is the size on disk; a step line joins those that nothing beats.

    `names`: of the quality, and of the milliseconds.
    """
    kept = [one for one in places if finite(one.quality, one.milliseconds) and one.milliseconds > 0]
    if not kept:
        return ""
    top, left, right = 34, 52, width - 20
    bottom = top + HEIGHT
    x, y = _scales(kept, (left, right), (bottom, top))
    better = "lower is better" if lower_is_better else "higher is better"
    parts = [
        text(0, 12, f"{names[0]}, {better}; area: size on disk", tone="muted"),
        vertical_axis(y, left, right),
        horizontal_axis(x, bottom, names[1]),
        _front([one for one in kept if not one.is_dominated], x, y),
        *(_circle(one, kept, x, y) for one in sorted(kept, key=lambda one: -one.n_bytes)),
        *_labels(kept, x, y, width),
    ]
    return svg(width, bottom + 44, title, "".join(parts))


def _scales(
    places: Sequence[Place], across: tuple[float, float], up: tuple[float, float]
) -> tuple[Scale, Scale]:
    times = [one.milliseconds for one in places]
    quality = [one.quality for one in places]
    low, high = min(quality), max(quality)
    pad = max(0.02, 0.2 * (high - low))
    return (
        Scale(
            low=min(times) / 1.8, high=max(times) * 1.8, start=across[0], end=across[1], kind="log"
        ),
        Scale(low=low - pad, high=high + pad, start=up[0], end=up[1]),
    )


def _radius(place: Place, places: Sequence[Place]) -> float:
    most = max(one.n_bytes for one in places) or 1
    return max(SMALLEST, LARGEST * math.sqrt(place.n_bytes / most))


def _circle(place: Place, places: Sequence[Place], x: Scale, y: Scale) -> str:
    colour = arm_colour(place.kind)
    look = (
        f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="3 2"'
        if place.is_dominated
        else f'fill="{colour}" fill-opacity=".55" stroke="{colour}" stroke-width="1.5"'
    )
    return (
        f'<circle cx="{x(place.milliseconds):.1f}" cy="{y(place.quality):.1f}" '
        f'r="{_radius(place, places):.1f}" {look}/>'
    )


def _front(best: Sequence[Place], x: Scale, y: Scale) -> str:
    """Of models that nothing beats in quality, latency and size, those also unbeaten in two."""
    ordered = sorted(best, key=lambda one: one.milliseconds)
    path = " ".join(f"{x(one.milliseconds):.1f},{y(one.quality):.1f}" for one in ordered)
    return (
        f'<polyline points="{path}" fill="none" stroke="var(--muted)" stroke-dasharray="2 3"/>'
        if len(ordered) > 1
        else ""
    )


def _labels(places: Sequence[Place], x: Scale, y: Scale, width: float) -> list[str]:
    """Names with sizes beside their circles, where no other name is."""
    taken: list[Box] = []
    parts = []
    for place in sorted(places, key=lambda one: -one.quality):
        words = f"{place.name}, {size(place.n_bytes)}"
        room, radius = text_width(words), _radius(place, places)
        across, down = x(place.milliseconds), y(place.quality)
        tries = [
            (across + radius + 5, down + 4 + shift) for shift in (0, 16, -16, 32, -32, 48, -48)
        ] + [
            (across - radius - 5 - room, down + 4 + shift)
            for shift in (0, 16, -16, 32, -32, 48, -48)
        ]
        tries += [(across - room / 2, down - radius - 5), (across - room / 2, down + radius + 15)]
        at = next(
            (
                (left, base)
                for left, base in tries
                if left >= 0
                and left + room <= width
                and not any(_meet((left, base - 12, left + room, base + 3), box) for box in taken)
            ),
            (min(max(0.0, across - room / 2), width - room), down + radius + 15),
        )
        taken.append((at[0], at[1] - 12, at[0] + room, at[1] + 3))
        parts.append(text(at[0], at[1], words))
    return parts


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
