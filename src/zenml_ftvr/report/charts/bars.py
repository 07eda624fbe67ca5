"""Predicted and actual, two bars a row."""

from __future__ import annotations

from collections.abc import Sequence

from zenml_ftvr.report.charts.frame import COLOURS, WIDE, finite, short, svg, text, text_width

__all__ = ["pair_chart"]

ROW = 34
NAME_WIDTH = 205  # for names of two parts
NARROW_ROW = 52  # where the name stands above its bars


def pair_chart(
    title: str,
    rows: Sequence[tuple[str, float | None, float, str]],
    names: tuple[str, str],
    width: int = WIDE,
) -> str:
    """Bars of predicted (None draws none) and actual, with the text at the bar's end."""
    rows = [row for row in rows if finite(row[1] or 0.0, row[2])]
    if not rows:
        return ""
    most = max(value for _, first, second, _ in rows for value in (first or 0.0, second))
    beside = width >= WIDE
    named = max(text_width(name) for name, *_ in rows) + 12
    left = round(min(width / 2, max(NAME_WIDTH, named))) if beside else 0
    room = max(text_width(said) for *_, said in rows) + 12
    scale = (width - left - room) / most if most > 0 else 0.0
    parts = [
        f'<rect x="{left}" y="2" width="12" height="12" fill="var(--line)" '
        f'stroke="var(--muted)"/>' + text(left + 18, 13, names[0], tone="muted"),
        f'<rect x="{left + 110}" y="2" width="12" height="12" fill="{COLOURS[0]}"/>'
        + text(left + 128, 13, names[1], tone="muted"),
    ]
    top, height = 26, ROW if beside else NARROW_ROW
    for index, (name, predicted, actual, said) in enumerate(rows):
        y = top + height * index
        parts.append(text(0, y + (17 if beside else 12), short(name, left or width)))
        y += 0 if beside else 18
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
        parts.append(text(end + 8, y + 16, said, tone="muted"))
    return svg(width, top + height * len(rows), title, "".join(parts))
