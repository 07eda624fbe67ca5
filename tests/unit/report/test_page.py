"""The shell and its parts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shown_page import read_page

from zenml_ftvr.report import page

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


def test_a_section_without_a_body_is_left_out() -> None:
    assert page.section("Training curves", "") == ""
    assert page.section("A & B", "<p></p>") == "<h2>A &amp; B</h2>\n<p></p>\n"


def test_no_sentences_make_no_list() -> None:
    assert page.paragraphs([]) == ""


def test_a_tile_without_a_remark_has_none() -> None:
    shown = read_page(page.facts([("0.9", "accuracy", ""), ("3", "classes", "the largest: a")]))
    assert shown.texts_in("b") == ["0.9", "3"]
    assert shown.texts_in("i") == ["the largest: a"]


def test_numeric_columns_and_the_chosen_row_are_marked() -> None:
    html = page.table(["a", "b"], [["x", "1"], ["y", "2"]], numeric=frozenset({1}), chosen=1)
    shown = read_page(html)
    assert [cell["class"] for cell in shown.named("td")] == ["l", "n", "l", "n"]
    assert [cell["class"] for cell in shown.named("th")] == ["l", "n"]
    assert shown.named("tr") == [{}, {}, {"class": "chosen"}]


@pytest.mark.parametrize(
    "part",
    [
        lambda text: page.table([text], [[text]]),
        lambda text: page.facts([(text, text, text)]),
        lambda text: page.paragraphs([text]),
        lambda text: page.callout(text),
        lambda text: page.code(text),
        lambda text: page.details(text, ""),
        lambda text: page.section(text, " "),
        lambda text: page.shell(text, ""),
    ],
)
@settings(max_examples=40, deadline=None)
@given(text=TEXT)
def test_any_text_shows_as_itself(part: Callable[[str], str], text: str) -> None:
    shown = read_page(part(text))
    assert shown.faults == []
    assert text in [run for _, run in shown.texts]


@pytest.mark.parametrize(
    "part",
    [
        lambda text: page.table([text], [[text]]),
        lambda text: page.facts([(text, text, text)]),
        lambda text: page.paragraphs([text]),
        lambda text: page.callout(text),
        lambda text: page.code(text),
        lambda text: page.details(text, ""),
    ],
)
def test_markup_in_a_text_adds_no_tag(part: Callable[[str], str]) -> None:
    plain = read_page(part("text")).tags
    assert read_page(part("</td></div></pre><script src='x'>\"")).tags == plain
