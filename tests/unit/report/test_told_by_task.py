"""What a report says of tasks other than one label a text, and what it must not say of them."""

from __future__ import annotations

import dataclasses
import re

import hand_made
import hand_made_findings
import hand_made_tasks
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shown_page import Page, on_a_page, read_page

from zenml_ftvr.report import comparison_page, evaluation_page, render_markdown, sections
from zenml_ftvr.report.blocks import Blocks, Code, Paragraph
from zenml_ftvr.report.charts import scatter_chart
from zenml_ftvr.report.page import html_of
from zenml_ftvr.report.wording import dollars, size, usd_text
from zenml_ftvr.values import (
    CurvePoint,
    Evaluation,
    LabelDoubt,
    Metric,
    Score,
)

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


def shown(blocks: Blocks) -> Page:
    return read_page(on_a_page(html_of(blocks)))


def of_task(name: str) -> Evaluation:
    return hand_made_tasks.report_of(name)[2]


def _changed(evaluation: Evaluation, **fields: object) -> Evaluation:
    """With other values of the chosen model."""
    first, *others = evaluation.models
    models = (dataclasses.replace(first, **fields), *others)  # type: ignore[arg-type]
    return dataclasses.replace(evaluation, models=models)


def test_spans_are_told_worst_first_and_tags_are_folded() -> None:
    page = shown(sections.results(of_task("tags")))
    assert "Spans: Full fine-tuning" in page.texts_in("h3")
    types = [cell for cell in page.texts_in("td") if cell in ("name", hand_made.SCRIPT)]
    assert types == [hand_made.SCRIPT, "name"]
    assert page.texts_in("summary") == ["All 4 tags, word by word"]


def test_words_that_were_given_no_tag_are_counted() -> None:
    said = shown(sections.results(of_task("tags"))).text
    assert "3 words were given no tag" in said
    every = _changed(of_task("tags"), labels=of_task("images").models[0].labels)
    complete = tuple(
        dataclasses.replace(one, n_rows=sum(row))
        for one, row in zip(every.models[0].labels, every.models[0].confusion, strict=True)
    )
    assert "given no tag" not in shown(sections.results(_changed(every, labels=complete))).text


def test_tags_that_mark_no_spans_are_not_judged_by_spans() -> None:
    plain = dataclasses.replace(_changed(of_task("tags"), spans=()), metric="token_accuracy")
    page = shown(sections.results(plain))
    assert "Entity-F1" not in page.text
    assert "Tags: Full fine-tuning" in page.texts_in("h3")
    assert "Entity-F1" in shown(sections.results(of_task("tags"))).text


def test_a_model_that_gives_every_word_one_tag_has_collapsed() -> None:
    recommendation, _, evaluation = hand_made_tasks.report_of("tags")
    collapsed = ((0, 0, 9, 0), (0, 0, 9, 0), (0, 0, 9, 0), (0, 0, 9, 0))
    told = sections.disappointments(recommendation, _changed(evaluation, confusion=collapsed))
    assert told[0].startswith("Full fine-tuning answers every word of the unseen rows with 'O'")


def test_each_label_of_sets_has_its_scores_and_no_confusions() -> None:
    page = shown(sections.results(of_task("labels")))
    assert "Labels: Full fine-tuning" in page.texts_in("h3")
    assert "Label, worst first" in page.texts_in("th")
    recommendation = hand_made_tasks.report_of("labels")[0]
    assert sections.disappointments(recommendation, of_task("labels")) == ()


@pytest.mark.parametrize("name", ["tags", "labels"])
def test_rows_with_mistakes_are_shown_with_what_was_wanted(name: str) -> None:
    page = shown(sections.results(of_task(name)))
    cells = page.texts_in("td")
    at = cells.index("abad1deaabad")
    assert cells[at + 2 : at + 4] == [f"Anna (name); Oslo ({hand_made.SCRIPT})", "(nothing)"]
    right = _changed(of_task(name), mistakes=())
    assert "The rows with the most mistakes" in page.texts_in("h3")
    assert "mistakes" not in shown(sections.results(right)).text


def test_numbers_are_told_by_how_far_they_are_off() -> None:
    page = shown(sections.results(of_task("numbers")))
    cells = page.texts_in("td")
    at = cells.index("+0.2500")
    assert cells[at - 1 : at + 4] == ["Full fine-tuning", "+0.2500", "1.500", "4.750", "1,204"]
    assert cells[cells.index("1,200") : cells.index("1,200") + 3] == ["1,200", "-4.500", "-1,204"]
    assert "RMSE of 29.30" in page.text
    assert "Of RMSE, lower is better. RMSE is in the unit of the numbers." in page.texts_in("p")
    assert "McNemar" not in page.text
    assert len(page.named("circle")) == 60 + 2  # rows, and the scores of two models


def test_a_few_of_many_rows_are_drawn_and_it_is_said() -> None:
    numbers = of_task("numbers").models[0].numbers
    assert numbers is not None
    assert len(numbers.pairs) < of_task("numbers").n_test
    assert "There are 60 of the rows" in shown(sections.results(of_task("numbers"))).text
    as_many = dataclasses.replace(of_task("numbers"), n_test=60)
    assert "of the rows, evenly spaced" not in shown(sections.results(as_many)).text


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=8), st.sampled_from([350, 640]))
def test_answers_beside_the_truth_stay_inside(pairs: list[tuple[float, float]], width: int) -> None:
    page = read_page(scatter_chart("t", pairs, ("truth", "answer"), width))
    view = re.fullmatch(r"0 0 (\d+) (\d+)", page.named("svg")[0]["viewbox"])
    assert view is not None
    for dot in page.named("circle"):
        assert 0 <= float(dot["cx"]) <= int(view[1])
        assert 0 <= float(dot["cy"]) <= int(view[2])
    assert scatter_chart("t", [(float("nan"), 1.0)], ("truth", "answer"), width) == ""


@pytest.mark.parametrize(("low", "high", "told"), [(0.1, 0.3, True), (-0.3, -0.1, False)])
def test_a_choice_is_worse_than_the_baseline_in_the_direction_of_the_metric(
    low: float, high: float, told: bool
) -> None:
    recommendation, _, evaluation = hand_made_tasks.report_of("language")
    (difference,) = evaluation.differences
    assert difference.metric == "bits_per_byte"
    moved = dataclasses.replace(difference, mean=(low + high) / 2, low=low, high=high)
    changed = dataclasses.replace(evaluation, differences=(moved,))
    assert bool(sections.disappointments(recommendation, changed)) is told


def test_of_metrics_that_are_better_lower_it_is_said_everywhere() -> None:
    recommendation, _, evaluation = hand_made_tasks.report_of("language")
    first = shown(sections.answer(recommendation, evaluation))
    assert "against the baseline, lower is better" in first.texts_in("span")
    assert first.texts_in("i")[0].endswith("; lower is better")
    results = shown(sections.results(evaluation))
    assert "Of bits per byte and perplexity, lower is better." in results.text
    assert "compare bits per byte" in results.text
    assert "bits per byte, lower is better" in results.texts_in("text")
    texts = shown(sections.results(of_task("texts")))
    assert "lower is better" not in texts.text


def test_perplexities_of_other_tokens_are_not_subtracted() -> None:
    evaluation = of_task("language")
    (difference,) = evaluation.differences
    both = (difference, dataclasses.replace(difference, metric="perplexity"))
    page = shown(sections.results(dataclasses.replace(evaluation, differences=both)))
    assert [text.split(":")[0] for text in page.texts_in("li")] == [
        "Full fine-tuning minus baseline, bits per byte"
    ]


@pytest.mark.parametrize(("value", "said"), [(1.0, "below the limits, better"), (2.0, "above")])
def test_a_score_below_its_forecast_is_the_better_one_where_lower_is(
    value: float, said: str
) -> None:
    recommendation, _, evaluation = hand_made_tasks.report_of("language")
    foreseen = Score(metric="bits_per_byte", value=1.5, low=1.4, high=1.6, n_rows=540)
    arms = tuple(
        dataclasses.replace(arm, forecast=dataclasses.replace(arm.forecast, score=foreseen))
        for arm in recommendation.arms
    )
    reached = dataclasses.replace(evaluation.models[0].scores[0], value=value)
    changed = _changed(evaluation, scores=(reached, *evaluation.models[0].scores[1:]))
    page = shown(sections.outcomes(dataclasses.replace(recommendation, arms=arms), changed))
    [judged] = [cell for cell in page.texts_in("td") if "limits, " in cell and "%" not in cell][:1]
    assert judged.startswith(said)
    assert judged.endswith("better than forecast" if value < 1.4 else "worse than forecast")


def test_pilots_of_the_rmse_are_shown_as_the_r2_that_they_are() -> None:
    recommendation, _, evaluation = hand_made_tasks.report_of("numbers")
    foreseen = Score(metric="r2", value=0.7, low=0.6, high=0.8, n_rows=540, level=0.8)
    arms = tuple(
        dataclasses.replace(
            arm, forecast=dataclasses.replace(arm.forecast, score=foreseen, basis="piloted")
        )
        for arm in recommendation.arms
    )
    by_rmse = dataclasses.replace(recommendation, arms=arms, metric="rmse")
    page = shown(sections.ranking(by_rmse))
    assert "R2" in page.texts_in("text")
    assert "R2 0.700 [0.600, 0.800]" in page.text.replace("\n", "")
    assert "Pilots are judged by R2, which puts models in the order of the RMSE." in page.text
    assert "lower is better" not in page.text
    outcome = shown(sections.outcomes(by_rmse, dataclasses.replace(evaluation, metric="rmse")))
    assert "Scores are R2." in outcome.text
    assert outcome.texts_in("td").count("within the limits") == 2  # 0.74 and 0.65
    by_r2 = dataclasses.replace(recommendation, arms=arms, metric="r2")
    assert "Pilots are judged by" not in shown(sections.ranking(by_r2)).text


def test_scores_by_two_metrics_are_not_drawn_on_one_scale() -> None:
    recommendation = hand_made_tasks.report_of("numbers")[0]
    first, *others = recommendation.arms

    def scored(metric: Metric, value: float) -> Score:
        return Score(metric=metric, value=value, low=value, high=value, n_rows=540)

    arms = (
        dataclasses.replace(
            first, forecast=dataclasses.replace(first.forecast, score=scored("rmse", 12.0))
        ),
        *(
            dataclasses.replace(
                arm, forecast=dataclasses.replace(arm.forecast, score=scored("r2", 0.5))
            )
            for arm in others
        ),
    )
    page = shown(sections.ranking(dataclasses.replace(recommendation, arms=arms, metric="rmse")))
    assert len(page.named("circle")) == len(others)


def test_images_are_not_spoken_of_as_texts() -> None:
    recommendation = hand_made_tasks.report_of("images")[0]
    page = shown(sections.data(recommendation.profile, hand_made_tasks.TASKS["images"]))
    checks = [cell for cell in page.texts_in("td") if "ext" in cell]
    assert checks == []
    assert "Rows that repeat a image" not in page.text
    assert "Rows that repeat an image" in page.texts_in("td")


def test_a_doubted_image_has_no_column_of_texts() -> None:
    doubt = LabelDoubt(
        row_id="ab" * 16,
        split="test",
        text="",
        given="4",
        suggested="7",
        probability_given=0.01,
        probability_suggested=0.98,
    )
    images = _changed(of_task("images"), label_doubts=(doubt,))
    assert "Text" not in shown(sections.label_doubts(images)).texts_in("th")
    texts = _changed(of_task("images"), label_doubts=(dataclasses.replace(doubt, text="a"),))
    assert "Text" in shown(sections.label_doubts(texts)).texts_in("th")


def test_what_the_other_models_write_is_folded_below() -> None:
    first, other = of_task("texts").models
    both = dataclasses.replace(
        of_task("texts"), models=(first, dataclasses.replace(other, generation=first.generation))
    )
    page = shown(sections.generation(both))
    assert page.texts_in("summary") == ["What Baseline writes"]
    assert page.texts_in("th").count("Wanted") == 2
    assert shown(sections.generation(of_task("texts"))).texts_in("summary") == []


def test_every_validation_score_is_among_the_numbers_of_a_curve() -> None:
    losses = [
        CurvePoint(step=step, metric="train/loss", value=1.0, seconds=1.0) for step in range(1, 100)
    ]
    scores = [
        CurvePoint(step=step, metric="eval/loss", value=0.5, seconds=1.0)
        for step in (17, 34, 51, 68)
    ]
    model = dataclasses.replace(hand_made.trained_model("full"), curve=(*losses, *scores))
    cells = shown(sections.curves([model])).texts_in("td")
    assert {"17", "34", "51", "68"} <= set(cells)
    assert len(cells) // 3 <= 20


def test_a_baseline_that_cannot_be_asked_without_this_package_says_so() -> None:
    def words(name: str) -> list[str]:
        models = hand_made_tasks.report_of(name)[1]
        blocks = sections.usage([one for one in models if one.kind == "baseline"])
        assert sum(isinstance(one, Code) for one in blocks) == 2
        return [one.text for one in blocks if isinstance(one, Paragraph)]

    assert words("tags") == ["Without this package it can be opened, but not asked:"]
    assert words("numbers") == ["Without this package:"]


def test_how_to_read_a_picture_is_said_only_beside_it() -> None:
    found = hand_made_tasks.report_of("images")
    markdown = render_markdown(*found, title="t", versions=hand_made.VERSIONS, created="now")
    assert "Blue is right" not in markdown
    assert "Blue is right" in evaluation_page(found[2])
    assert "True class" in markdown


def test_small_things_are_not_rounded_to_nothing() -> None:
    assert size(12_345) == "12.3 kB"
    assert size(123_456) == "0.1 MB"
    assert dollars(0.00001) == "< $0.0001"
    assert dollars(0.0) == "$0.0000"
    cost = hand_made.recommendation().arms[0].cost
    assert cost is not None
    assert cost.limits is not None
    alike = dataclasses.replace(
        cost, usd=0.0002, limits=dataclasses.replace(cost.limits, usd=(0.00019, 0.00021))
    )
    assert usd_text(alike) == "$0.0002"


def test_sizes_of_a_language_model_are_blocks_and_not_labels() -> None:
    language = dataclasses.replace(hand_made_findings.recommendation(), metric="bits_per_byte")
    for recommendation, unit, other in (
        (language, "blocks", "rows"),
        (hand_made_findings.recommendation(), "rows", "blocks"),
    ):
        page = shown((*sections.growth(recommendation), *sections.decision_map(recommendation)))
        drawn = page.texts_in("text")
        assert f"training {unit}" in drawn
        assert f"training {other}" not in drawn
        assert any(text.startswith("today: ") and text.endswith(unit) for text in drawn)
        [header] = [one for one in page.texts_in("th") if one.startswith("The next")]
        assert header.endswith("labels" if unit == "rows" else "blocks")
        assert ("A block is what the model reads" in page.text) is (unit == "blocks")


def test_a_text_that_is_not_cut_is_not_said_to_be() -> None:
    profile = hand_made_tasks.report_of("language")[0].profile
    assert profile.tokens is not None
    whole = dataclasses.replace(
        profile, tokens=dataclasses.replace(profile.tokens, max_length=None, truncated_share=0.0)
    )
    assert "cut off" in shown(sections.data(profile)).text
    uncut = shown(sections.data(whole)).text
    assert "cut off" not in uncut.lower()
    assert "no text is cut" in uncut


def test_a_curve_of_what_is_better_lower_says_so() -> None:
    def axes(name: str) -> list[str]:
        return shown(sections.curves(hand_made_tasks.report_of(name)[1])).texts_in("text")

    assert "Validation scores by step, lower is better" in axes("language")
    assert "Validation scores by step" in axes("texts")


def test_a_comparison_says_which_way_is_better() -> None:
    found = hand_made_findings.comparison()
    assert "lower is better" not in comparison_page(found)
    arms = tuple(
        dataclasses.replace(
            arm, scores=tuple(_of_language(score, "accuracy") for score in arm.scores)
        )
        for arm in found.arms
    )
    page = comparison_page(dataclasses.replace(found, arms=arms, metric="bits_per_byte"))
    assert "bits per byte, lower is better" in page


def _of_language(score: Score, metric: str) -> Score:
    return dataclasses.replace(score, metric="bits_per_byte") if score.metric == metric else score
