"""Whole pages: nothing foreign in them, nothing of the user's taken for markup."""

from __future__ import annotations

import dataclasses
import re

import hand_made
import hand_made_findings
import pytest
from shown_page import on_a_page, read_page

from zenml_ftvr import report
from zenml_ftvr.decide import record_of
from zenml_ftvr.values import CurvePoint

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(
    params=[
        "report",
        "whole report",
        *(f"report of {name}" for name in hand_made_findings.TASKS),
        "profile",
        "calibration",
        "pilots",
        "recommendation",
        "record",
        "whole recommendation",
        "evaluation",
        "whole evaluation",
        "comparison",
        "model",
        "dataset",
    ]
)
def any_page(request: pytest.FixtureRequest, html: str) -> str:
    """Every kind of page that is made."""
    match request.param:
        case "report":
            return html
        case "whole report":
            return request.getfixturevalue("whole_html")
        case str() as name if name.startswith("report of "):
            return report.render_report(
                *hand_made_findings.report_of(name.removeprefix("report of ")),
                title=hand_made.TITLE,
                versions=hand_made.VERSIONS,
                created=hand_made.CREATED,
            )
        case "pilots":
            return report.pilots_page(hand_made_findings.pilots())
        case "whole recommendation":
            return report.recommendation_page(hand_made_findings.recommendation())
        case "whole evaluation":
            return report.evaluation_page(hand_made_findings.evaluation())
        case "comparison":
            return report.comparison_page(hand_made_findings.comparison())
        case "profile":
            return report.profile_page(hand_made.data_profile())
        case "calibration":
            return report.calibration_page(hand_made.calibration())
        case "recommendation":
            return report.recommendation_page(hand_made.recommendation())
        case "record":
            record = record_of(hand_made.recommendation(), hand_made.evaluation())
            return report.record_page(dataclasses.replace(record, verdict=SCRIPT))
        case "evaluation":
            return report.evaluation_page(hand_made.evaluation())
        case "model":
            return report.trained_model_page(hand_made.trained_model("full"))
        case _:
            return report.dataset_page(
                f"Data set {hand_made.SOURCE}", {"Source": SCRIPT}, [("train", SCRIPT, SCRIPT)]
            )


def test_a_page_is_well_formed(any_page: str) -> None:
    shown = read_page(any_page)
    assert shown.faults == []
    assert any_page.startswith("<!DOCTYPE html>\n")
    assert len(shown.texts_in("title")) == 1 + len(shown.named("svg"))  # the page's, the charts'


def test_a_page_has_no_script_and_no_handler(any_page: str) -> None:
    shown = read_page(any_page)
    assert "<script" not in any_page.lower()
    assert shown.named("script") == []
    for _, attributes in shown.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert not [value for value in attributes.values() if "javascript:" in value]


def test_a_page_loads_nothing(any_page: str) -> None:
    shown = read_page(any_page)
    for tag, attributes in shown.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
        assert "src" not in attributes
        assert not attributes.get("href", "").startswith("http") or tag == "a"
        assert "url(" not in attributes.get("style", "")
    style = " ".join(shown.texts_in("style"))
    assert not re.search(r"url\(|@import|https?:", style)


def test_every_chart_is_also_drawn_for_a_phone(any_page: str) -> None:
    boxes = [one["class"] for one in read_page(any_page).named("div") if "chart" in one["class"]]
    assert boxes.count("chart wide") == boxes.count("chart narrow") == len(boxes) / 2


def test_every_chart_has_a_title_of_its_own(any_page: str) -> None:
    shown = read_page(on_a_page(any_page))
    titles = shown.texts_in("title")[1:]
    assert len(titles) == len(shown.named("svg"))
    assert all(titles)
    assert len(set(titles)) == len(titles)


def test_markup_in_labels_and_names_shows_as_text(html: str) -> None:
    shown = read_page(html)
    assert shown.texts_in("h1") == [hand_made.TITLE]
    for label in hand_made.LABELS:
        assert label in shown.texts_in("td")
        assert {"title": label} in shown.named("th")
    assert hand_made.SOURCE in shown.texts_in("i")
    assert any("A processor <of some make>" in text for text in shown.texts_in("p"))


def test_the_report_answers_in_this_order(html: str) -> None:
    assert read_page(html).texts_in("h2") == [
        "The approaches, ranked",
        "Why this one",
        "On unseen rows",
        "Forecast and outcome",
        "Cost, predicted and actual",
        "Training curves",
        "The data",
        "Use the model",
        "What was not checked",
        "Where this comes from",
    ]


def test_without_a_training_loop_there_is_no_section_of_curves() -> None:
    models = hand_made.trained_models()[:2]
    html = report.render_report(
        hand_made.recommendation(),
        models,
        hand_made.evaluation(),
        title="t",
        versions={},
        created="now",
    )
    assert "Training curves" not in html
    assert "The data" in html


def test_the_report_ends_with_its_date(html: str) -> None:
    assert read_page(html).texts_in("footer") == [f"zenml-ftvr, {hand_made.CREATED}"]


def test_equal_values_give_equal_bytes(html: str) -> None:
    again = report.render_report(
        hand_made.recommendation(),
        hand_made.trained_models(),
        hand_made.evaluation(),
        title=hand_made.TITLE,
        versions=hand_made.VERSIONS,
        created=hand_made.CREATED,
    )
    assert again == html


def test_a_models_page_shows_its_last_validation_scores() -> None:
    shown = read_page(report.trained_model_page(hand_made.trained_model("full")))
    tiles = dict(zip(shown.texts_in("span"), shown.texts_in("b"), strict=True))
    assert tiles == {
        "loss on validation rows at the end": "0.500",
        "accuracy on validation rows at the end": "0.850",
        "macro-F1 on validation rows at the end": "0.700",
    }
    assert "4 epochs: as many as there is time for." in shown.texts_in("li")


def test_a_models_page_survives_a_loss_that_is_no_number() -> None:
    model = hand_made.trained_model("full")
    lost = CurvePoint(step=300, metric="eval/loss", value=float("nan"), seconds=400.0)
    shown = read_page(
        report.trained_model_page(dataclasses.replace(model, curve=(*model.curve, lost)))
    )
    assert shown.faults == []
    assert shown.texts_in("b")[0] == "–"


def test_a_long_row_of_data_is_cut_and_says_so() -> None:
    shown = read_page(
        report.dataset_page("t", {}, [("train", "a", "x" * 301), ("train", "b", "y")])
    )
    assert "x" * 300 + "…" in shown.texts_in("td")
    assert "x" * 301 not in shown.text
    assert "y" in shown.texts_in("td")
