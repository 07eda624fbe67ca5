"""The whole report, byte for byte."""

from __future__ import annotations

from collections.abc import Callable

import hand_made_findings

from zenml_ftvr.report import comparison_markdown


def test_the_page_is_the_golden_one(html: str, matches_golden: Callable[[str, str], None]) -> None:
    matches_golden("report.html", html)


def test_the_markdown_is_the_golden_one(
    markdown: str, matches_golden: Callable[[str, str], None]
) -> None:
    matches_golden("report.md", markdown)


def test_the_page_with_everything_is_the_golden_one(
    whole_html: str, matches_golden: Callable[[str, str], None]
) -> None:
    matches_golden("report_of_everything.html", whole_html)


def test_the_markdown_of_everything_is_the_golden_one(
    whole_markdown: str, matches_golden: Callable[[str, str], None]
) -> None:
    matches_golden("report_of_everything.md", whole_markdown)


def test_the_comparison_is_the_golden_one(matches_golden: Callable[[str, str], None]) -> None:
    markdown = comparison_markdown(hand_made_findings.comparison())
    matches_golden("comparison.md", markdown)
