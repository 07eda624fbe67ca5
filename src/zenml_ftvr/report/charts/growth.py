"""Learning curves: how scores grow with data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zenml_ftvr.report.charts.frame import (
    DASHES,
    WIDE,
    Scale,
    Sign,
    arm_colour,
    finite,
    horizontal_axis,
    legend,
    svg,
    text,
    text_width,
    vertical_axis,
)
from zenml_ftvr.values import Kind

__all__ = ["Growth", "growth_chart"]

HEIGHT = 270


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """An arm's curve with its limits, and the pilots that it goes through."""

    kind: Kind
    name: str
    line: tuple[tuple[float, float, float, float], ...]
    """Points of size in rows, mean, low and high."""
    pilots: tuple[tuple[float, float], ...]
    """Points of size in rows and score."""
    supported_to: float
    """Rows beyond which the line is thin."""


def growth_chart(
    title: str, arms: Sequence[Growth], today: int, width: int = WIDE, unit: str = "rows"
) -> str:
    """Bands, lines and pilots over sizes on a logarithmic axis; a dashed line at today's size."""
    kept = [_numbers(one) for one in arms]
    kept = [one for one in kept if one.line]
    if not kept:
        return ""
    named, top = legend([(one.name, _sign(one.kind)) for one in kept], 0, width)
    top += 28
    left, right, bottom = 52, width - 16, top + HEIGHT
    x, y = _scales(kept, today, (left, right), (bottom, top))
    parts = [
        named,
        vertical_axis(y, left, right),
        horizontal_axis(x, bottom, f"training {unit}"),
        _today(x, (today, unit), top, bottom),
        *(_band(one, x, y) for one in kept),
        *(_line(one, x, y) for one in kept),
        *(_pilots(one, x, y) for one in kept),
    ]
    return svg(width, bottom + 44, title, "".join(parts))


def _numbers(arm: Growth) -> Growth:
    return Growth(
        kind=arm.kind,
        name=arm.name,
        line=tuple(point for point in arm.line if finite(*point) and point[0] > 0),
        pilots=tuple(point for point in arm.pilots if finite(*point) and point[0] > 0),
        supported_to=arm.supported_to,
    )


def _sign(kind: Kind) -> Sign:
    def sign(x: float, y: float) -> str:
        return (
            f'<line x1="{x:.0f}" x2="{x + 24:.0f}" y1="{y:.0f}" y2="{y:.0f}" {_stroke(kind)}/>'
            f'<circle cx="{x + 12:.0f}" cy="{y:.0f}" r="3.5" fill="{arm_colour(kind)}"/>'
        )

    return sign


def _stroke(kind: Kind) -> str:
    dashes = f' stroke-dasharray="{DASHES[kind]}"' if DASHES[kind] else ""
    return f'stroke="{arm_colour(kind)}" stroke-width="2.2"{dashes}'


def _scales(
    arms: Sequence[Growth], today: int, across: tuple[float, float], up: tuple[float, float]
) -> tuple[Scale, Scale]:
    sizes = [float(today), *(point[0] for arm in arms for point in (*arm.line, *arm.pilots))]
    scores = [value for arm in arms for point in arm.line for value in point[1:]]
    scores += [score for arm in arms for _, score in arm.pilots]
    low, high = min(scores), max(scores)
    pad = max(0.01, 0.05 * (high - low))
    return (
        Scale(low=min(sizes) / 1.15, high=max(sizes), start=across[0], end=across[1], kind="log"),
        Scale(
            low=max(0.0, low - pad),
            high=min(1.0, high + pad) if high <= 1 else high + pad,
            start=up[0],
            end=up[1],
        ),
    )


def _today(x: Scale, size: tuple[int, str], top: float, bottom: float) -> str:
    today, unit = size
    words, place = f"today: {today:,} {unit}", x(today)
    fits = place + text_width(words) <= x.end
    return (
        f'<line x1="{place:.1f}" x2="{place:.1f}" y1="{top - 6:.0f}" y2="{bottom:.0f}" '
        f'stroke="var(--muted)" stroke-dasharray="4 3"/>'
        + text(place, top - 11, words, "start" if fits else "end", "muted")
    )


def _band(arm: Growth, x: Scale, y: Scale) -> str:
    upper = [(x(size), y(high)) for size, _, _, high in arm.line]
    lower = [(x(size), y(low)) for size, _, low, _ in reversed(arm.line)]
    path = " ".join(f"{across:.1f},{down:.1f}" for across, down in (*upper, *lower))
    return f'<polygon points="{path}" fill="{arm_colour(arm.kind)}" fill-opacity=".1"/>'


def _line(arm: Growth, x: Scale, y: Scale) -> str:
    """Full as far as pilots speak for it, thin beyond."""
    near = [point for point in arm.line if point[0] <= arm.supported_to]
    far = [point for point in arm.line if point[0] > arm.supported_to]
    parts = []
    for points, opacity in ((near, "1"), ([*near[-1:], *far] if far else [], ".4")):
        path = " ".join(f"{x(point[0]):.1f},{y(point[1]):.1f}" for point in points)
        if len(points) > 1:
            parts.append(
                f'<polyline points="{path}" fill="none" {_stroke(arm.kind)} opacity="{opacity}"/>'
            )
    return "".join(parts)


def _pilots(arm: Growth, x: Scale, y: Scale) -> str:
    return "".join(
        f'<circle cx="{x(size):.1f}" cy="{y(score):.1f}" r="3.5" fill="{arm_colour(arm.kind)}" '
        f'stroke="var(--paper)"/>'
        for size, score in arm.pilots
    )
