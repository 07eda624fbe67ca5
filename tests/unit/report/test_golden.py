"""The whole report, byte for byte."""

from __future__ import annotations

from collections.abc import Callable


def test_the_page_is_the_golden_one(html: str, matches_golden: Callable[[str, str], None]) -> None:
    matches_golden("report.html", html)


def test_the_markdown_is_the_golden_one(
    markdown: str, matches_golden: Callable[[str, str], None]
) -> None:
    matches_golden("report.md", markdown)
