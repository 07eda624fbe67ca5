"""What the report tells of pilots, the map, reliability, weak parts, cost of use and texts."""

from __future__ import annotations

import dataclasses

import hand_made
import hand_made_findings as findings
import hand_made_tasks
import pytest
from shown_page import Page, on_a_page, read_page

from zenml_ftvr.report import render_report, sections
from zenml_ftvr.report.blocks import Blocks
from zenml_ftvr.report.page import html_of
from zenml_ftvr.values import (
    Adequacy,
    Evaluation,
    Gap,
    Ledger,
    LedgerEntry,
    Pieces,
    Predictability,
    Recommendation,
    Score,
)


@pytest.fixture(scope="module")
def recommendation() -> Recommendation:
    return findings.recommendation()


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return findings.evaluation()


def shown(blocks: Blocks) -> Page:
    return read_page(on_a_page(html_of(blocks)))


def rows(html: str) -> list[list[str]]:
    found = []
    for row in html.split("<tr")[1:]:
        cells = row.split("<td")[1:]
        found.append(
            [" ".join(read_page(f"<td{cell.split('</tr>')[0]}").text.split()) for cell in cells]
        )
    return [row for row in found if row]


def of_task(name: str) -> Page:
    return read_page(
        render_report(
            *hand_made_tasks.report_of(name), title="t", versions=hand_made.VERSIONS, created="now"
        )
    )


def test_every_pilot_with_a_score_is_a_point_of_its_arms_curve(
    recommendation: Recommendation,
) -> None:
    page = shown(sections.growth(recommendation))
    pilots = recommendation.pilots
    assert pilots is not None
    dots = [dot for dot in page.named("circle") if "stroke" in dot]
    assert len(dots) == sum(one.status == "scored" for one in pilots.runs)
    assert {dot["fill"] for dot in dots} == {f"var(--{kind})" for kind in findings.LAWS}
    assert len(page.named("polygon")) == len(findings.LAWS)


def test_a_curve_is_pale_beyond_what_pilots_speak_for(recommendation: Recommendation) -> None:
    lines = shown(sections.growth(recommendation)).named("polyline")
    assert [line["opacity"] for line in lines] == ["1", ".4"] * len(findings.LAWS)


def test_standings_stand_beside_their_forecasts(recommendation: Recommendation) -> None:
    first = rows(html_of(sections.growth(recommendation)))[0]
    assert first[0] == "Last layers"
    assert first[2:5] == ["beyond the pilots", "61%", "0.003"]


def test_what_would_change_the_answer_is_a_sentence(recommendation: Recommendation) -> None:
    sentences = shown(sections.growth(recommendation)).texts_in("li")
    assert (
        "Last layers and Full fine-tuning change places at about 4,320 rows, Last layers being "
        "ahead with fewer; from a budget of 24.0 min on the costlier one is chosen at today's size."
    ) in sentences
    assert any("do not change places at any size looked at" in one for one in sentences)


def test_a_score_that_is_asked_for_has_its_labels_counted(recommendation: Recommendation) -> None:
    html = html_of(sections.growth(recommendation)).split("Reaching 0.92")[1]
    assert rows(html)[:2] == [
        ["Last layers", "12%", "none that pilots speak for"],
        ["Full fine-tuning", "22%", "6,400"],
    ]


def test_a_pilot_that_came_to_nothing_is_listed_with_the_reason() -> None:
    html = html_of(sections.pilot_runs(findings.pilots()))
    lost = rows(html)[-1]
    assert lost[4:] == ["–", "31 s", "diverged: the loss was no number at step 12."]
    assert any("LoRA: its smallest pilot" in text for text in read_page(html).texts_in("li"))
    assert "they took 13.5 min of the 15.0 min" in html


def test_without_pilots_nothing_is_drawn_and_nothing_said() -> None:
    plain = hand_made.recommendation()
    assert sections.growth(plain) == sections.decision_map(plain) == ()


def test_pilots_without_a_score_say_why(recommendation: Recommendation) -> None:
    lost = dataclasses.replace(recommendation, foresight=None)
    page = shown(sections.growth(lost))
    assert page.texts_in("p") == ["No small training came to a score."]
    assert any("its smallest pilot would take" in text for text in page.texts_in("li"))


def test_the_map_has_the_winners_of_its_grid(recommendation: Recommendation) -> None:
    html = html_of(sections.decision_map(recommendation))
    found = findings.decision_map()
    table = rows(html)
    assert len(table) == 7
    names = {None: "no arm fits", "baseline": "Baseline", "head": "Head only"}
    assert table[-1][1] == names[found.winners[0][0]]
    assert table[-1][-1] == names[found.winners[0][-1]]
    assert table[0][1] == names[found.winners[-1][0]]


def test_the_user_stands_on_the_map_where_they_are(recommendation: Recommendation) -> None:
    page = shown(sections.decision_map(recommendation))
    assert "you" in page.texts_in("text")
    assert any("2,520 training rows, and 30.0 min" in text for text in page.texts_in("p"))
    ring = next(one for one in page.named("circle") if one["r"] == "6.5")
    left, right = 58, 624
    assert left < float(ring["cx"]) < right


def test_only_what_no_pilot_speaks_for_is_hatched(recommendation: Recommendation) -> None:
    foresight = recommendation.foresight
    assert foresight is not None
    assert foresight.map is not None
    assert "no pilot speaks for it" in html_of(sections.decision_map(recommendation))
    bounded = dataclasses.replace(foresight.map, supported_to=None)
    without = dataclasses.replace(
        recommendation, foresight=dataclasses.replace(foresight, map=bounded)
    )
    page = shown(sections.decision_map(without))
    assert page.named("path") == []
    assert "no pilot speaks for it" not in page.text


def test_how_well_the_base_model_fits_is_told_in_numbers(recommendation: Recommendation) -> None:
    def score(value: float) -> Score:
        return Score(metric="accuracy", value=value, low=value - 0.02, high=value + 0.02, n_rows=9)

    found = Adequacy(
        n_rows=400,
        seconds=3.0,
        pieces=Pieces(per_word=1.3, unknown_share=0.001, vocabulary_size=30_522),
        probe=score(0.8),
        twin=score(0.6),
        over_twin=Gap(mean=0.2, low=0.15, high=0.25),
        over_baseline=Gap(mean=0.01, low=-0.02, high=0.04),
        predictability=Predictability(by_model=1.9, by_ngrams=2.2, n_bytes=10_000),
    )
    evidence = dataclasses.replace(recommendation.evidence, adequacy=found)
    page = shown(sections.adequacy(dataclasses.replace(recommendation, evidence=evidence)))
    assert page.texts_in("li") == [
        "Pretraining put in +0.200 [+0.150, +0.250], significant.",
        "Over the baseline, its features bring +0.010 [-0.020, +0.040], within chance.",
        "The base model's tokenizer, with 30,522 pieces to choose from, makes 1.30 of a word; 0.1% "
        "of them are unknown to it.",
        "As published, the base model foretells 10,000 bytes of the texts with 1.90 bits for each; "
        "n-grams of bytes, counted on other texts of this data, take 2.20.",
    ]
    assert sections.adequacy(recommendation) == ()


def test_models_are_compared_by_twos_with_corrected_chances(evaluation: Evaluation) -> None:
    html = html_of(sections.results(evaluation)).split("more than chance")[1]
    assert rows(html)[0] == [
        "Last layers minus Baseline",
        "accuracy",
        "+0.055 [+0.031, +0.080]",
        "McNemar, mid-p: 48 against 18 rows",
        "< 0.001",
        "< 0.001",
        "significant",
    ]
    assert "538 groups" in html
    assert "Last layers minus baseline, accuracy" not in html  # which the table has


def test_a_forecast_stands_beside_what_came_of_it(
    recommendation: Recommendation, evaluation: Evaluation
) -> None:
    table = rows(html_of(sections.outcomes(recommendation, evaluation)))
    assert table[0] == [
        "Last layers",
        "pilots, 90% limits",
        "0.884 [0.863, 0.905]",
        "0.894 [0.874, 0.914]",
        "within the limits",
    ]
    arm = recommendation.arm("partial")
    assert arm.forecast.score is not None
    low = dataclasses.replace(arm.forecast.score, low=0.5, high=0.6, value=0.55)
    missed = dataclasses.replace(arm, forecast=dataclasses.replace(arm.forecast, score=low))
    below = dataclasses.replace(recommendation, arms=(missed, *recommendation.arms[1:]))
    assert (
        rows(html_of(sections.outcomes(below, evaluation)))[0][-1]
        == "above the limits, better than forecast"
    )
    assert sections.outcomes(*hand_made_tasks.report_of("tags")[::2]) == ()


def test_a_record_says_which_forecasts_held() -> None:
    table = rows(html_of(sections.record(findings.record())))
    assert [(row[0], row[4], row[6]) for row in table] == [
        ("Last layers", "within the limits", "16.2 min"),
        ("Baseline", "above the limits, better than forecast", "–"),
        ("Full fine-tuning", "within the limits", "16.2 min"),
    ]


def test_a_score_is_judged_by_the_digits_that_are_shown(
    recommendation: Recommendation, evaluation: Evaluation
) -> None:
    arm = recommendation.arm("partial")
    assert arm.forecast.score is not None
    reached = evaluation.models[0].score("accuracy").value
    limit = dataclasses.replace(arm.forecast.score, high=reached - 1e-4)
    at_it = dataclasses.replace(arm, forecast=dataclasses.replace(arm.forecast, score=limit))
    limited = dataclasses.replace(recommendation, arms=(at_it, *recommendation.arms[1:]))
    assert rows(html_of(sections.outcomes(limited, evaluation)))[0][-1] == "within the limits"


def test_reliability_is_drawn_of_the_chosen_and_told_of_all(evaluation: Evaluation) -> None:
    html = html_of(sections.reliability(evaluation))
    table = rows(html)
    assert [row[:3] for row in table[:3]] == [
        ["Last layers", "0.030", "0.011"],
        ["Baseline", "0.050", "0.011"],
        ["Full fine-tuning", "0.070", "0.011"],
    ]
    page = shown(sections.reliability(evaluation))
    assert len(page.named("circle")) == 9 + 1  # bins with rows, and the legend's
    assert any("too sure of itself" in text for text in page.texts_in("li"))
    check = evaluation.models[0].probabilities
    assert check is not None
    assert len(table) - 3 == len(check.as_trained.bins) * 2


def test_without_probabilities_there_is_no_diagram() -> None:
    assert sections.reliability(hand_made.evaluation()) == ()


def test_parts_that_are_answered_worse_stand_out(evaluation: Evaluation) -> None:
    page = shown(sections.slices(evaluation))
    [callout] = [text for tag, text in page.texts if tag == "div"]
    assert callout.startswith(f"Rows with 'plan' of 'premium | {hand_made.SCRIPT}'")
    judged = [row[-1] for row in rows(html_of(sections.slices(evaluation)))]
    assert judged == ["worse", "within chance", "within chance", "better"]


def test_likely_label_errors_are_cut_and_the_rest_is_folded(evaluation: Evaluation) -> None:
    html = html_of(sections.label_doubts(evaluation))
    above, folded = html.split("<details>")
    assert len(rows(above)) == 10
    assert len(rows(folded)) == 14
    assert rows(above)[1][1].endswith("…")
    assert rows(above)[0][0] == "00abcdef0123, validation"
    assert read_page(html).named("script") == []


def test_cost_of_use_has_every_batch_and_the_price_once(evaluation: Evaluation) -> None:
    table = rows(html_of(sections.serving(evaluation)))
    assert table[0][:5] == ["Last layers", "1", "9.4 ms", "12.2 ms", "17.9 ms"]
    assert [row[-1] for row in table[:2]] == ["", "$0.46"]


def test_the_best_model_says_what_it_costs_beside_the_fastest(evaluation: Evaluation) -> None:
    page = shown(sections.serving(evaluation))
    assert (
        "Last layers is better than Baseline by 0.055 accuracy; it takes 13 times as long for one "
        "row, and 44 times as much disk."
    ) in page.texts_in("li")
    dashed = [one for one in page.named("circle") if "stroke-dasharray" in one]
    assert len(dashed) == 1  # full fine-tuning, which the last layers beat


def test_forgetting_is_a_change_with_its_interval(evaluation: Evaluation) -> None:
    table = rows(html_of(sections.forgetting(evaluation)))
    assert table[0][2:] == ["1.000", "0.710", "-0.290 [-0.330, -0.250]", "0.040"]
    assert "10 nearest texts" in table[0][1]


def test_written_texts_stand_beside_what_was_wanted() -> None:
    page = of_task("texts")
    cells = page.texts_in("td")
    assert "(nothing)" in cells
    assert "The meeting | was <b>moved</b>." in cells
    assert "the same said in other words, and what is left out" in cells


def test_a_comparison_says_who_is_told_apart_from_whom() -> None:
    table = rows(html_of(sections.comparison(findings.comparison())))
    assert [row[-1] for row in table[:6]] == [
        "best mean",
        "not told apart from the best",
        "not told apart from the best",
        *["significantly worse than the best"] * 3,
    ]
    page = shown(sections.comparison(findings.comparison()))
    assert any(
        text.startswith("Contrastive was left out: it needs") for text in page.texts_in("li")
    )
    assert any("3 seeds and 540 rows drawn again" in text for text in page.texts_in("li"))


@pytest.mark.parametrize("name", hand_made_tasks.TASKS)
def test_a_report_speaks_of_its_own_task(name: str) -> None:
    page = of_task(name)
    assert page.faults == []
    said = page.text
    if name != "images":
        assert "top class" not in said
    if name not in ("images", "tags"):
        assert "What is taken for what" not in said
    if name in ("tags", "language", "chat", "texts", "images"):
        assert "word counts" not in said
    if name in ("language", "chat", "texts", "numbers"):
        assert "Class" not in page.texts_in("th")
        assert "classes" not in page.texts_in("span")
    if name in ("labels", "tags"):
        assert name in page.texts_in("span")
        assert "classes" not in said


@pytest.mark.parametrize("name", ["whole", *hand_made_tasks.TASKS])
def test_what_was_not_checked_is_told_of_what_was_not(name: str) -> None:
    if name == "whole":
        told = sections.limits(findings.recommendation(), findings.evaluation())
    else:
        found = hand_made_tasks.report_of(name)
        told = sections.limits(found[0], found[2])
    assert told[0].startswith("One seed (7)")
    measured = name == "whole"
    assert any("forgot was not measured" in one for one in told) == (
        not measured and name not in ("language", "chat")
    )
    assert any("No column of the data was named" in one for one in told) != measured


def test_what_was_done_for_several_seeds_is_summed() -> None:
    training = LedgerEntry(what="training", kind="full", seconds=60, predicted_seconds=30)
    ledger = Ledger(entries=(training, training, dataclasses.replace(training, kind="head")))
    table = rows(html_of(sections.cost(ledger)))
    assert [row[:3] for row in table[:2]] == [
        ["Training, Full fine-tuning × 2", "60 s", "2.0 min"],
        ["Training, Head only", "30 s", "60 s"],
    ]
    unforetold = dataclasses.replace(training, predicted_seconds=None)
    assert rows(html_of(sections.cost(Ledger(entries=(training, unforetold)))))[0][1] == "–"


def test_adapters_beaten_by_their_merged_form_are_not_beaten_by_themselves() -> None:
    found = findings.comparison()
    itself = dataclasses.replace(found.pareto[0], kind="lora", dominated_by="lora")
    page = shown(sections.comparison_serving(dataclasses.replace(found, pareto=(itself,))))
    assert "LoRA, merged" in page.texts_in("td")
