"""What all charts share: the SVG around them, texts, scales, ticks, legends, colours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from zenml_ftvr.report.blocks import Blocks, Chart
from zenml_ftvr.report.wording import escape
from zenml_ftvr.values import Kind

__all__ = [
    "COLOURS",
    "DASHES",
    "NARROW",
    "WIDE",
    "Scale",
    "Sign",
    "arm_colour",
    "drawn",
    "finite",
    "horizontal_axis",
    "legend",
    "short",
    "svg",
    "text",
    "text_width",
    "tick_text",
    "ticks",
    "vertical_axis",
]

WIDE = 640  # of the picture's own units, which are pixels on a page
NARROW = 350  # what a phone of 390 pixels leaves
CHARACTER = 7.2  # widths of one at 13 px, at most, of the fonts that the page asks for
COLOURS = ("var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)")

DASHES: dict[Kind, str] = {
    "baseline": "2 3",
    "head": "",
    "contrastive": "8 3 2 3",
    "partial": "5 3",
    "full": "",
    "lora": "10 4",
    "scratch": "8 3",
}
"""Beside its colour, each approach has a line of its own, so that colour is never the only sign."""


def arm_colour(kind: Kind) -> str:
    """An approach has the same colour in every chart."""
    return f"var(--{kind})"


def drawn(draw: Callable[[int], str]) -> Blocks:
    """What `draw` makes for a page's width and for a phone's; nothing where it draws nothing."""
    wide = draw(WIDE)
    return (Chart(wide=wide, narrow=draw(NARROW)),) if wide else ()


def svg(width: float, height: float, title: str, body: str) -> str:
    """The picture around its body; `title` is what a screen reader says."""
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{body}</svg>'
    )


def text(
    x: float,
    y: float,
    words: str,
    anchor: Literal["start", "middle", "end"] = "start",
    tone: Literal["plain", "muted"] = "plain",
) -> str:
    """Words at a place."""
    style = ' class="muted"' if tone == "muted" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(words)}</text>'


def text_width(words: str) -> float:
    """At most so wide."""
    return CHARACTER * len(words)


def short(name: str, width: float) -> str:
    """As much of a name as fits into `width`."""
    fits = max(2, int(width / CHARACTER))
    return name if len(name) <= fits else name[: fits - 1] + "…"


def finite(*values: float) -> bool:
    """Whether all are numbers."""
    return all(map(math.isfinite, values))


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
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


def tick_text(value: float) -> str:
    """A tick's number."""
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.3g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From values to places."""

    low: float
    high: float
    start: float
    end: float
    kind: Literal["linear", "log"] = "linear"

    def __call__(self, value: float) -> float:
        """Where a value is drawn; what lies outside is drawn at the edge."""
        low, high, value = (
            self._on_scale(self.low),
            self._on_scale(self.high),
            self._on_scale(value),
        )
        share = (value - low) / ((high - low) or 1.0)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def _on_scale(self, value: float) -> float:
        return math.log(max(value, 1e-12)) if self.kind == "log" else value

    def ticks(self, wanted: int) -> list[float]:
        """Round values within the scale, at most about `wanted`."""
        if self.kind == "linear":
            return ticks(self.low, self.high, wanted)
        for factors in ((1, 2, 5), (1, 3), (1,)):
            decades = range(
                math.floor(math.log10(self.low)) - 1, math.ceil(math.log10(self.high)) + 1
            )
            round_ones = [factor * 10.0**decade for decade in decades for factor in factors]
            found = [one for one in round_ones if self.low * 0.999 <= one <= self.high * 1.001]
            if len(found) <= wanted:
                return found or [self.low, self.high]
        return found[:: -(-len(found) // wanted)]


def vertical_axis(
    y: Scale, left: float, right: float, words: Callable[[float], str] = tick_text
) -> str:
    """Lines across, each with its number at the left."""
    return "".join(
        f'<line class="grid" x1="{left:.0f}" x2="{right:.0f}" y1="{y(tick):.1f}" '
        f'y2="{y(tick):.1f}"/>' + text(left - 8, y(tick) + 4, words(tick), "end", "muted")
        for tick in y.ticks(5)
    )


def horizontal_axis(
    x: Scale, y: float, name: str, words: Callable[[float], str] = tick_text
) -> str:
    """Numbers below, and what they are; 36 high."""
    width = x.end - x.start
    numbers = [(x(tick), words(tick)) for tick in x.ticks(max(3, int(width / 55)))]
    kept: list[tuple[float, str]] = []
    for at, said in numbers:
        place = min(at, x.end + MARGIN - text_width(said) / 2)
        room = 8 + (text_width(said) + text_width(kept[-1][1])) / 2 if kept else 0
        if not kept or place - kept[-1][0] >= room:
            kept.append((place, said))
    return "".join(text(place, y + 18, said, "middle", "muted") for place, said in kept) + text(
        x.end, y + 36, name, "end", "muted"
    )


MARGIN = 16  # at the right of every chart
LEGEND_ROW = 20

Sign: TypeAlias = Callable[[float, float], str]
"""Draws a legend's sign at the place of its left end, within 24 x 12."""


def legend(entries: Sequence[tuple[str, Sign]], left: float, right: float) -> tuple[str, float]:
    """Signs with their names, in as many rows as they need, and the height of all rows."""
    parts, x, y = [], left, 10.0
    for name, sign in entries:
        needed = 30 + text_width(name) + 14
        if x > left and x + needed - 14 > right:
            x, y = left, y + LEGEND_ROW
        parts.append(sign(x, y) + text(x + 30, y + 4, short(name, right - x - 30), tone="muted"))
        x += needed
    return "".join(parts), y + 12
