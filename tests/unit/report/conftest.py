"""The rendered report, and the renewal of the golden files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hand_made
import hand_made_findings
import pytest

from zenml_ftvr.report import render_markdown, render_report


def pytest_addoption(parser: pytest.Parser) -> None:
    """`python -m pytest tests/unit/report --renew-golden` writes tests/golden anew."""
    parser.addoption("--renew-golden", action="store_true", help="write tests/golden anew")


@pytest.fixture(scope="session")
def html() -> str:
    """The report on the values made by hand."""
    return render_report(
        hand_made.recommendation(),
        hand_made.trained_models(),
        hand_made.evaluation(),
        title=hand_made.TITLE,
        versions=hand_made.VERSIONS,
        created=hand_made.CREATED,
    )


@pytest.fixture(scope="session")
def markdown() -> str:
    """The same as Markdown."""
    return render_markdown(
        hand_made.recommendation(),
        hand_made.trained_models(),
        hand_made.evaluation(),
        title=hand_made.TITLE,
        versions=hand_made.VERSIONS,
        created=hand_made.CREATED,
    )


@pytest.fixture(scope="session")
def whole_html() -> str:
    """A report with everything in it."""
    return render_report(
        hand_made_findings.recommendation(),
        hand_made_findings.trained_models(),
        hand_made_findings.evaluation(),
        title=hand_made.TITLE,
        versions=hand_made.VERSIONS,
        created=hand_made.CREATED,
    )


@pytest.fixture(scope="session")
def whole_markdown() -> str:
    """The same as Markdown."""
    return render_markdown(
        hand_made_findings.recommendation(),
        hand_made_findings.trained_models(),
        hand_made_findings.evaluation(),
        title=hand_made.TITLE,
        versions=hand_made.VERSIONS,
        created=hand_made.CREATED,
    )


@pytest.fixture
def matches_golden(request: pytest.FixtureRequest, repository: Path) -> Callable[[str, str], None]:
    """Compares a text with a file of tests/golden, byte for byte."""

    def compare(name: str, text: str) -> None:
        path = repository / "tests" / "golden" / name
        actual = text.encode("utf-8")
        if request.config.getoption("--renew-golden", default=False):
            path.write_bytes(actual)
        expected = path.read_bytes()
        if actual != expected:
            at = next(
                (i for i, (a, b) in enumerate(zip(actual, expected, strict=False)) if a != b),
                min(len(actual), len(expected)),
            )
            around = slice(max(0, at - 60), at + 60)
            pytest.fail(
                f"{path.name} differs from byte {at} on:\n"
                f"  golden:   {expected[around]!r}\n"
                f"  rendered: {actual[around]!r}\n"
                f"If the change is meant, look at it after: "
                f"python -m pytest tests/unit/report --renew-golden"
            )

    return compare
