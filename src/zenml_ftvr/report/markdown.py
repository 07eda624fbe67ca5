"""Blocks as Markdown, for pull requests: the same content as the page, without its pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import assert_never

from zenml_ftvr.report import sections
from zenml_ftvr.report.blocks import (
    Block,
    Blocks,
    Bullets,
    Callout,
    Caption,
    Chart,
    Code,
    Details,
    Facts,
    Heading,
    HeatTable,
    Paragraph,
    Table,
    Verdict,
)
from zenml_ftvr.report.whole import comparison_sections, report_sections
from zenml_ftvr.values import Comparison, Evaluation, Recommendation, TrainedModel

__all__ = ["comparison_markdown", "fenced", "markdown_of", "plain", "render_markdown"]


def plain(text: object) -> str:
    """Text that Markdown and HTML take for text, on one line, and that calls nobody's name."""
    escaped = re.sub(r"([\\`*_{}\[\]|#~])", r"\\\1", " ".join(str(text).split()))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"@(?=\w)", "@&#8203;", escaped)  # else GitHub tells whoever has that name


def _first(text: str) -> str:
    """Text at the beginning of a block, where a sign or a number would begin a list."""
    return re.sub(r"^([-+=]|\d+(?=[.)](\s|$)))", _not_a_list, plain(text))


def _not_a_list(mark: re.Match[str]) -> str:
    return f"{mark[0]}\\" if mark[0].isdigit() else f"\\{mark[0]}"


def fenced(text: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}python\n{text}\n{fence}"


def markdown_of(blocks: Blocks) -> str:
    """Blocks in their order, an empty line between them; every text in them is escaped here."""
    return "\n\n".join(part for block in blocks if (part := _markdown(block)))


def _markdown(block: Block) -> str:
    match block:
        case Verdict():
            return f"**{plain(block.text)}**"
        case Heading():
            return f"### {plain(block.text)}"
        case Paragraph():
            return _first(block.text)
        case Bullets():
            return "\n".join(f"- {_first(sentence)}" for sentence in block.sentences)
        case Callout():
            return f"> **Note:** {plain(block.text)}"
        case Facts():
            return _table(
                ("", "", ""), [(one.name, one.value, one.remark) for one in block.entries]
            )
        case Table():
            return _table(block.header, block.rows)
        case HeatTable():
            rows = [
                (label, *(str(count or "") for count in counts))
                for label, counts in zip(block.labels, block.counts, strict=True)
            ]
            return _table((f"True {block.noun}", *block.labels), rows)
        case Chart() | Caption():
            return ""
        case Code():
            return fenced(block.text)
        case Details():
            body = markdown_of(block.blocks)
            return f"<details><summary>{plain(block.summary)}</summary>\n\n{body}\n\n</details>"
        case _:
            assert_never(block)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [
        [plain(cell) for cell in header],
        ["---"] * len(header),
        *([plain(cell) for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def render_markdown(
    recommendation: Recommendation,
    models: Sequence[TrainedModel],
    evaluation: Evaluation,
    *,
    title: str,
    versions: Mapping[str, str],
    created: str,
) -> str:
    """The same content as the page, without its pictures."""
    parts = [f"# {plain(title)}", markdown_of(sections.answer(recommendation, evaluation))]
    parts += _sections(report_sections(recommendation, models, evaluation, versions))
    parts.append(f"zenml-ftvr, {plain(created)}")
    return "\n\n".join(part for part in parts if part) + "\n"


def comparison_markdown(comparison: Comparison) -> str:
    """A comparison of approaches, for a pull request."""
    parts = ["# Comparison", *_sections(comparison_sections(comparison))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sections(sections: Sequence[tuple[str, Blocks]]) -> list[str]:
    parts = []
    for heading, blocks in sections:
        if body := markdown_of(blocks):
            parts += [f"## {heading}" if heading else "", body]
    return parts
