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
LARGEST = 18.0  # radius of the largest model
SMALLEST = 4.0
NEIGHBOUR = 8.0  # pixels between a circle and its name, up to which no line has to join them

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
        _front(kept, x, y, lower_is_better),
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


def _front(places: Sequence[Place], x: Scale, y: Scale, lower_is_better: bool) -> str:
    """Through each model that is better than all faster ones."""
    front: list[Place] = []
    for one in sorted(places, key=lambda one: (one.milliseconds, _loss(one, lower_is_better))):
        if not front or _loss(one, lower_is_better) < _loss(front[-1], lower_is_better):
            front.append(one)
    path = " ".join(f"{x(one.milliseconds):.1f},{y(one.quality):.1f}" for one in front)
    return (
        f'<polyline points="{path}" fill="none" stroke="var(--muted)" stroke-dasharray="2 3"/>'
        if len(front) > 1
        else ""
    )


def _loss(place: Place, lower_is_better: bool) -> float:
    return place.quality if lower_is_better else -place.quality


SHIFTS = (0, 16, -16, 32, -32, 48, -48, 64, -64)  # up and down, until there is room for a name


def _labels(places: Sequence[Place], x: Scale, y: Scale, width: float) -> list[str]:
    """Names with sizes beside their circles, where no other name is."""
    circles = [_circle_box(one, places, x, y) for one in places]
    numbers = [(0.0, y(tick) - 8, x.start - 8, y(tick) + 8) for tick in y.ticks(5)]
    taken: list[Box] = []
    parts = []
    for place in sorted(places, key=lambda one: -one.quality):
        words = f"{place.name}, {size(place.n_bytes)}"
        room, radius = text_width(words), _radius(place, places)
        across, down = x(place.milliseconds), y(place.quality)
        beside = [
            (left, down + 4 + shift)
            for shift in SHIFTS
            for left in (across + radius + 5, across - radius - 5 - room)
        ]
        over = [(across - room / 2, down - radius - 5), (across - room / 2, down + radius + 15)]
        tries = [
            (left, base)
            for left, base in (*beside, *over)
            if left >= 0 and left + room <= width and 12 <= base <= y.start
        ]
        at = next(
            (
                one
                # over a circle rather than over the axis, and rather there than over a name
                for boxes in ([*taken, *numbers, *circles], [*taken, *numbers], taken)
                for one in tries
                if not any(_meet(_text_box(one, room), box) for box in boxes)
            ),
            (min(max(0.0, across - room / 2), width - room), down + radius + 15),
        )
        taken.append(_text_box(at, room))
        leader = _leader(_text_box(at, room), (across, down), radius)
        parts.append(f'{leader}<g class="beside">{text(at[0], at[1], words)}</g>')
    return parts


def _leader(box: Box, centre: tuple[float, float], radius: float) -> str:
    """A line from a name that had to move away to its circle; nothing where they are neighbours."""
    across, down = centre
    near = min(max(across, box[0]), box[2]), min(max(down, box[1]), box[3])
    if math.dist(near, centre) <= radius + NEIGHBOUR:
        return ""
    return (
        f'<line x1="{near[0]:.1f}" y1="{near[1]:.1f}" x2="{across:.1f}" y2="{down:.1f}" '
        f'stroke="var(--muted)"/>'
    )


def _text_box(at: tuple[float, float], room: float) -> Box:
    return at[0], at[1] - 12, at[0] + room, at[1] + 3


def _circle_box(place: Place, places: Sequence[Place], x: Scale, y: Scale) -> Box:
    across, down = x(place.milliseconds), y(place.quality)
    radius = _radius(place, places)
    return across - radius, down - radius, across + radius, down + radius


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
