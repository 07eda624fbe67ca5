"""The Markdown report and the model card, read back with a CommonMark parser."""

from __future__ import annotations

import dataclasses
import re

import hand_made
import hand_made_findings
import hand_made_tasks
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from shown_page import Page, read_page

from zenml_ftvr.report import (
    comparison_markdown,
    comparison_page,
    model_card,
    render_markdown,
    render_report,
)
from zenml_ftvr.report.blocks import Table
from zenml_ftvr.report.markdown import fenced, markdown_of, plain
from zenml_ftvr.values import ModelSource, TrainedModel, metrics_of

# Letters, marks and what Markdown and HTML read as markup; a parser may alter other white space.
TEXT = st.text(
    st.one_of(
        st.sampled_from("\\`*_{}[]()#+-.!|<>&~\"'=:/ "),
        st.characters(categories=["L", "N"]),
    ),
    min_size=1,
    max_size=30,
).map(lambda text: " ".join(text.split()))


def shown(markdown: str) -> Page:
    """As GitHub shows it: raw HTML let through, tables and strike-through understood."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return read_page(parser.render(markdown))


def render(**changes: object) -> str:
    """The report, with other values of the recommendation."""
    return render_markdown(
        dataclasses.replace(hand_made.recommendation(), **changes),  # type: ignore[arg-type]
        hand_made.trained_models(),
        hand_made.evaluation(),
        title=hand_made.TITLE,
        versions=hand_made.VERSIONS,
        created=hand_made.CREATED,
    )


def test_markup_in_names_shows_as_text(markdown: str) -> None:
    page = shown(markdown)
    assert page.named("script") == []
    assert page.faults == []
    assert page.texts_in("h1") == [hand_made.TITLE]
    assert any(hand_made.LABELS[2] in item for item in page.texts_in("li"))


@settings(deadline=None)
@given(TEXT)
def test_any_text_is_text_in_a_list(text: str) -> None:
    page = shown(f"- x{plain(text)}x")
    assert [tag for tag, _ in page.tags] == ["ul", "li"]
    assert page.texts_in("li")[0] == f"x{text}x"


@settings(deadline=None)
@given(TEXT, TEXT)
def test_any_text_stays_in_its_cell(first: str, second: str) -> None:
    page = shown(
        markdown_of((Table(header=("a", "b"), rows=((f"x{first}x", f"x{second}x"), ("c", "d"))),))
    )
    assert page.texts_in("td") == [f"x{first}x", f"x{second}x", "c", "d"]
    assert page.texts_in("th") == ["a", "b"]


def test_a_line_break_in_a_text_starts_no_new_block() -> None:
    assert plain("one\n\n# two\r\n- three") == "one \\# two - three"


@settings(deadline=None)
@given(st.text("`ab\n", max_size=30))
def test_a_fence_outlasts_the_backticks_in_it(code: str) -> None:
    page = shown(fenced(code))
    assert [tag for tag, _ in page.tags] == ["pre", "code"]
    assert "".join(page.texts_in("code")) == f"{code}\n"


def test_the_ranking_has_a_row_for_every_arm(markdown: str) -> None:
    ranking = shown(markdown.split("## The approaches, ranked")[1].split("<details>")[0])
    assert len(ranking.named("tr")) == 1 + 5
    cells = ranking.texts_in("td")
    assert cells[:3] == ["1", "Head only", "0.871 [0.851, 0.891]"]
    assert cells[3:8] == [
        "cross-validation",
        "36 s [31, 41 s]",
        "$0.0040 [$0.0035, $0.0046]",
        "410 MiB [369, 459 MiB]",
        "yes",
    ]
    assert "it needs 1.2 h for 4 epochs; the budget leaves 0.5 h." in cells


def _missing(html: str, markdown: str) -> list[str]:
    """What a page says and the Markdown does not, but for pictures and how to read them."""
    html = re.sub(r'<p class="caption[^>]*>.*?</p>', "", html)
    in_pictures = {"text", "title", "style"}
    said = " ".join("".join(run for _, run in shown(markdown).texts).split())
    said = said.replace("\u200b", "")
    return [
        text
        for tag, text in read_page(html).texts
        if tag not in in_pictures and text.strip() and " ".join(text.split()) not in said
    ]


def test_the_markdown_says_all_that_the_page_says(html: str, markdown: str) -> None:
    assert _missing(html, markdown) == []


def test_the_whole_markdown_says_all_that_the_whole_page_says(
    whole_html: str, whole_markdown: str
) -> None:
    assert _missing(whole_html, whole_markdown) == []
    assert shown(whole_markdown).named("script") == []
    assert shown(whole_markdown).faults == []


@pytest.mark.parametrize("name", hand_made_tasks.TASKS)
def test_the_markdown_of_a_task_says_all_that_its_page_says(name: str) -> None:
    found = hand_made_tasks.report_of(name)
    options = {"title": "t", "created": "now"}
    html = render_report(*found, versions=hand_made.VERSIONS, **options)
    markdown = render_markdown(*found, versions=hand_made.VERSIONS, **options)
    assert _missing(html, markdown) == []
    assert shown(markdown).named("script") == []


def test_a_comparison_is_markdown_too() -> None:
    found = hand_made_findings.comparison()
    assert _missing(comparison_page(found), comparison_markdown(found)) == []


def test_without_a_price_no_dollars_are_shown() -> None:
    arms = tuple(
        arm
        if arm.cost is None
        else dataclasses.replace(arm, cost=dataclasses.replace(arm.cost, usd=None))
        for arm in hand_made.recommendation().arms
    )
    ranking = render(arms=arms).split("## The approaches, ranked")[1].split("## ")[0]
    assert "$" not in ranking


def test_a_verdict_with_marks_stays_bold_and_whole() -> None:
    verdict = "Fine-tune my_model*v2* | all of it: a < b."
    assert verdict in shown(render(verdict=verdict)).texts_in("strong")


@pytest.fixture
def full() -> TrainedModel:
    return hand_made.trained_model("full")


def _metadata(card: str) -> dict[str, object]:
    _, metadata, _ = card.split("---\n", 2)
    loaded: dict[str, object] = yaml.safe_load(metadata)
    return loaded


@pytest.mark.parametrize(
    ("kind", "library"),
    [("baseline", "sklearn"), ("head", "transformers"), ("full", "transformers")],
)
def test_a_card_names_the_library_that_loads_it(kind: str, library: str) -> None:
    metadata = _metadata(model_card(hand_made.trained_model(kind), hand_made.VERSIONS))  # type: ignore[arg-type]
    assert metadata["library_name"] == library
    assert metadata["pipeline_tag"] == "text-classification"
    assert metadata["tags"] == ["zenml-ftvr", kind]


@pytest.mark.parametrize(
    ("name", "base_model"),
    [
        ("minilm", None),
        ("/home/me/model", None),
        ("./models/mine", None),
        ("org/model-v1.5", "org/model-v1.5"),
    ],
)
def test_only_a_hub_id_is_linked_as_the_base_model(
    full: TrainedModel, name: str, base_model: str | None
) -> None:
    plan = dataclasses.replace(full.plan, model=ModelSource(name=name))
    card = model_card(dataclasses.replace(full, plan=plan), hand_made.VERSIONS)
    assert _metadata(card).get("base_model") == base_model


def test_a_card_tells_labels_scores_seed_and_versions(full: TrainedModel) -> None:
    page = shown(model_card(full, hand_made.VERSIONS).split("---\n", 2)[2])
    items = page.texts_in("li")
    assert page.named("script") == []
    assert f"Labels: {', '.join(hand_made.LABELS)}." in items
    assert "Steps: 237 of batch size 16, learning rate 5e-05." in items
    assert (
        "On the validation rows at the end: accuracy 0.850 at step 237, macro_f1 0.700 at step 237."
        in items
    )
    assert any(item.startswith("Seed 7; plan ") for item in items)
    assert any(item.startswith("The licences of its base model") for item in items)
    assert "Versions: python 3.11.7, zenml-ftvr 0.1.0, torch 2.13.0." in items


def test_a_card_is_read_by_the_hubs_own_library(full: TrainedModel) -> None:
    from huggingface_hub import ModelCard

    plan = dataclasses.replace(full.plan, model=ModelSource(name="org/model"))
    card = ModelCard(model_card(dataclasses.replace(full, plan=plan), hand_made.VERSIONS))
    assert card.data.to_dict()["library_name"] == "transformers"
    assert card.data.base_model == "org/model"
    assert card.data.to_dict()["base_model_relation"] == "finetune"
    assert card.data.metrics == ["accuracy", "macro_f1"]
    assert card.text.lstrip().startswith("# Full fine-tuning, text-classification")


@pytest.mark.parametrize("name", hand_made_tasks.TASKS)
def test_a_card_of_any_task_speaks_of_that_task(name: str) -> None:
    _, models, _ = hand_made_tasks.report_of(name)
    task = hand_made_tasks.TASKS[name]
    for model in models:
        card = model_card(model, hand_made.VERSIONS)
        assert f", {task.kind}" in card
        assert _metadata(card)["metrics"] == list(metrics_of(task)[:2])[: 2 if model.curve else 0]
        assert shown(card.split("---\n", 2)[2]).named("script") == []
    if name in ("tags", "language", "chat", "texts", "images"):
        assert "word counts" not in model_card(models[1], hand_made.VERSIONS)


def test_a_card_names_no_folder_of_the_machine_that_trained(full: TrainedModel) -> None:
    card = model_card(full, hand_made.VERSIONS)
    assert full.path not in card
    assert "path/to/this/folder" in card
