"""The shell and its parts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from shown_page import Page, read_page

from zenml_ftvr.report import page
from zenml_ftvr.report.blocks import (
    Block,
    Bullets,
    Callout,
    Code,
    Details,
    Fact,
    Facts,
    Heading,
    HeatTable,
    Paragraph,
    Table,
    Verdict,
)
from zenml_ftvr.report.markdown import markdown_of
from zenml_ftvr.report.page import html_of

# What html.parser itself alters: it drops NUL, and surrogates are no text.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def test_a_page_says_its_title_language_and_encoding() -> None:
    shown = read_page(page.shell("A < B", "<p>body</p>"))
    assert shown.texts_in("title") == ["A < B"]
    assert shown.named("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in shown.named("meta")
    assert shown.texts_in("p") == ["body"]
    assert shown.faults == []


def test_light_and_dark_and_paper_are_styled() -> None:
    for rule in ("prefers-color-scheme:dark", "@media print", "@media (max-width:40rem)"):
        assert rule in page.STYLE


def test_every_colour_is_defined_for_light_and_dark() -> None:
    light, dark = page.STYLE.split("prefers-color-scheme:dark")
    for name in ("--s1", "--s2", "--s3", "--s4", "--ink", "--paper", "--muted", "--line"):
        assert f"{name}:#" in light
        assert f"{name}:#" in dark.split("}}")[0]


def test_on_a_phone_a_table_too_wide_for_it_names_each_number() -> None:
    wide = Table(
        header=("Model", *(f"Score {place} [95 %]" for place in range(4))),
        rows=(("head", *("0.894 [0.874, 0.914]",) * 4),),
        numeric=frozenset(range(1, 5)),
    )
    shown = read_page(html_of((wide,)))
    assert shown.named("table") == [{"class": "cards"}]
    assert [cell.get("data-name") for cell in shown.named("td")] == [None, *wide.header[1:]]
    assert ".cards td[data-name]::before{content:attr(data-name)" in page.STYLE.replace("\n", "")


def test_a_table_that_fits_a_phone_stays_one() -> None:
    small = Table(header=("Model", "Score"), rows=(("head", "0.894"),), numeric=frozenset({1}))
    shown = read_page(html_of((small,)))
    assert shown.named("table") == [{}]
    assert all("data-name" not in cell for cell in shown.named("td"))


def test_sentences_are_not_squeezed_on_a_phone() -> None:
    sentence = "Runs of one to four whole words that are in both of the texts, in any order."

    def table(*cells: str) -> str:
        return html_of((Table(header=tuple("abcde"[: len(cells)]), rows=(cells,)),))

    assert 'class="cards"' in table("BLEU", sentence, sentence)
    assert 'class="cards"' not in table("BLEU", sentence, "the rest")
    assert 'class="cards"' in table("row", sentence, "a", "b")
    assert 'class="cards"' not in table("row", "short", "a", "b")


def test_a_section_without_a_body_is_left_out() -> None:
    assert page.section("Training curves", ()) == ""
    assert page.section("Training curves", (Bullets(()),)) == ""
    html = page.section("A & B", (Paragraph("c"),))
    assert html == "<h2>A &amp; B</h2>\n<p>c</p>\n"


def test_a_tile_without_a_remark_has_none() -> None:
    tiles = Facts((Fact("0.9", "accuracy"), Fact("3", "classes", "the largest: a")))
    shown = read_page(html_of((tiles,)))
    assert shown.texts_in("b") == ["0.9", "3"]
    assert shown.texts_in("i") == ["the largest: a"]


def test_numeric_columns_and_the_chosen_row_are_marked() -> None:
    table = Table(
        header=("a", "b"), rows=(("x", "1"), ("y", "2")), numeric=frozenset({1}), chosen=1
    )
    shown = read_page(html_of((table,)))
    assert [cell["class"] for cell in shown.named("td")] == ["l", "n", "l", "n"]
    assert [cell["class"] for cell in shown.named("th")] == ["l", "n"]
    assert shown.named("tr") == [{}, {}, {"class": "chosen"}]


BLOCKS: dict[str, Callable[[str], Block]] = {
    "verdict": Verdict,
    "heading": Heading,
    "paragraph": Paragraph,
    "small paragraph": lambda text: Paragraph(text, "small"),
    "bullets": lambda text: Bullets((text, text)),
    "callout": Callout,
    "facts": lambda text: Facts((Fact(text, text, text),)),
    "table": lambda text: Table(header=(text, "b"), rows=((text, "d"),), shares=(0.5,)),
    "heat table": lambda text: HeatTable(labels=(text, "b"), counts=((1, 0), (2, 3))),
    "code": Code,
    "details": lambda text: Details(text, (Paragraph(text),)),
}
"""A block of every kind around a text, but charts, whose texts `charts` escapes."""


def _on_github(block: Block) -> Page:
    """As GitHub shows it: raw HTML let through, tables and strike-through understood."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return read_page(parser.render(markdown_of((block,))))


@pytest.mark.parametrize("kind", BLOCKS)
@settings(max_examples=40, deadline=None)
@given(text=TEXT)
def test_any_text_shows_as_itself(kind: str, text: str) -> None:
    shown = read_page(html_of((BLOCKS[kind](text),)))
    assert shown.faults == []
    assert text in [run for _, run in shown.texts]


HOSTILE = (
    "</td></div></pre></details><script src='x'>\"",
    "a | b\n\n| --- |\n# heading\n- item",
    "```\n<script>alert(1)</script>\n~~~",
    "![picture](https://example.com/x.png) [link](javascript:alert(1))",
    "--- *bold* _it_ ~~gone~~ `code` <!-- comment",
    "1. one",
    "- one",
    "&lt;b&gt; &amp; &#60;",
)


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("text", HOSTILE)
def test_markup_in_a_text_adds_no_tag(kind: str, text: str) -> None:
    build = BLOCKS[kind]
    assert _tags(build(text)) == _tags(build("text"))


def _tags(block: Block) -> list[tuple[str, list[str]]]:
    """With the names of their attributes, whose values may hold the text."""
    return [(tag, list(attributes)) for tag, attributes in read_page(html_of((block,))).tags]


def test_a_word_too_long_for_a_column_is_broken_and_others_are_not() -> None:
    table = Table(header=("a", "b"), rows=(("significant", "x" * 64),))
    assert [cell["class"] for cell in read_page(html_of((table,))).named("td")] == ["l", "l long"]


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("text", HOSTILE)
def test_markup_in_a_text_is_no_markup_in_markdown(kind: str, text: str) -> None:
    build, one_line = BLOCKS[kind], " ".join(text.split())
    shown = _on_github(build(text))
    assert shown.tags == _on_github(build("text")).tags
    assert shown.faults == []
    assert (text if kind == "code" else one_line) in "".join(run for _, run in shown.texts)


def test_a_name_in_a_text_calls_nobody() -> None:
    said = markdown_of((Paragraph("write to @team or me@example.com"),))
    assert "@team" not in said
    assert _on_github(Paragraph("@team")).texts_in("p") == ["@\u200bteam"]


def test_what_is_folded_on_the_page_is_folded_on_github() -> None:
    folded = Details("All of it", (Table(header=("a",), rows=(("b",),)),))
    shown = _on_github(folded)
    assert shown.texts_in("summary") == ["All of it"]
    assert shown.texts_in("td") == ["b"]
