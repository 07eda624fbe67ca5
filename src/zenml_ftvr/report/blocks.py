"""What a page is made of, before it is HTML or Markdown. Every text in it is plain text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "Block",
    "Blocks",
    "Bullets",
    "Callout",
    "Caption",
    "Chart",
    "Code",
    "Details",
    "Fact",
    "Facts",
    "Heading",
    "HeatTable",
    "Paragraph",
    "Table",
    "Verdict",
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer in one sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Heading:
    """Of a part of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Some sentences; `small` ones say how to read what is beside them."""

    text: str
    size: Literal["normal", "small"] = "normal"


@dataclass(frozen=True, slots=True)
class Caption:
    """How to read the picture, or the colours, beside it: only where those are shown."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of sentences; nothing where there are none."""

    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Callout:
    """A sentence that must not be overlooked."""

    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A number, what it is, and a remark, which may be empty."""

    value: str
    name: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """The numbers to look at first."""

    entries: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of texts."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    """Columns that are set to the right."""
    chosen: int | None = None
    """The row that stands out."""
    shares: tuple[float, ...] = ()
    """A bar at the end of each row, 0 to 1; none where empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatTable:
    """Counts of one class answered with another: rows are true, columns answered."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    noun: str = "class"
    """What a label is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A picture, as SVG; its numbers also stand in a text or table beside it."""

    wide: str
    """For a page."""
    narrow: str
    """The same for a phone, where letters of the wide one would be too small."""


@dataclass(frozen=True, slots=True)
class Code:
    """Lines of Python, to copy."""

    text: str


@dataclass(frozen=True, slots=True)
class Details:
    """What only some readers want, below its summary."""

    summary: str
    blocks: Blocks


Block: TypeAlias = (
    Verdict
    | Heading
    | Paragraph
    | Caption
    | Bullets
    | Callout
    | Facts
    | Table
    | HeatTable
    | Chart
    | Code
    | Details
)
Blocks: TypeAlias = tuple[Block, ...]
