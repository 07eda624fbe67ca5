"""What each part of a page says, and when it says nothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import hand_made
import hand_made_findings
import pytest
from shown_page import on_a_page, read_page

from zenml_ftvr import report
from zenml_ftvr.report import sections
from zenml_ftvr.report.page import html_of
from zenml_ftvr.values import (
    ClassCount,
    CurvePoint,
    Evaluation,
    Ledger,
    LedgerEntry,
    RankedArm,
    Recommendation,
    TrainedModel,
)


@pytest.fixture
def recommendation() -> Recommendation:
    return hand_made.recommendation()


@pytest.fixture
def evaluation() -> Evaluation:
    return hand_made.evaluation()


@pytest.fixture
def full() -> TrainedModel:
    return hand_made.trained_model("full")


def _rows(html: str) -> list[list[str]]:
    """The cells of every table row, as texts; an empty cell is ''."""
    rows: list[list[str]] = []
    for row in html.split("<tr")[1:]:
        cells = row.split("<td")[1:]
        rows.append(
            [" ".join(read_page(f"<td{cell.split('</tr>')[0]}").text.split()) for cell in cells]
        )
    return [row for row in rows if row]


def test_the_answer_has_verdict_score_difference_and_cost(
    recommendation: Recommendation, evaluation: Evaluation
) -> None:
    shown = read_page(html_of(sections.answer(recommendation, evaluation)))
    assert shown.texts_in("p") == [recommendation.verdict]
    assert shown.texts_in("b") == ["0.894", "+0.056", "0.556", "17.1 min"]
    assert "spent, of 31.2 min" in shown.texts_in(
        "span"
    )  # 0.5 h left, and 72 s that measuring took
    assert shown.texts_in("i")[-1] == "$0.11 at $0.4 an hour"


def test_the_answer_is_in_the_metric_that_decided(
    recommendation: Recommendation, evaluation: Evaluation
) -> None:
    by_f1 = dataclasses.replace(recommendation, metric="macro_f1")
    shown = read_page(html_of(sections.answer(by_f1, evaluation)))
    assert shown.texts_in("b")[:2] == ["0.750", "+0.010"]
    assert "Macro-F1 on 540 test rows" in shown.texts_in("span")
    assert any("within chance" in remark for remark in shown.texts_in("i"))


def test_a_choice_that_the_unseen_rows_contradict_says_so_at_the_top(
    recommendation: Recommendation, evaluation: Evaluation
) -> None:
    collapsed = tuple((sum(row), 0, 0, 0) for row in evaluation.models[0].confusion)
    worse = dataclasses.replace(evaluation.differences[0], mean=-0.144, low=-0.186, high=-0.102)
    contradicted = dataclasses.replace(
        evaluation,
        models=(
            dataclasses.replace(evaluation.models[0], confusion=collapsed),
            *evaluation.models[1:],
        ),
        differences=(worse, *evaluation.differences[1:]),
    )
    first, second = sections.disappointments(recommendation, contradicted)
    label = evaluation.models[0].labels[0].label
    assert first.startswith(f"Head only answers every unseen row with '{label}'")
    assert "significantly worse than the baseline (-0.144 [-0.186, -0.102] accuracy)" in second
    page = read_page(html_of(sections.answer(recommendation, contradicted)))
    assert first in page.text
    assert second in page.text


def test_nothing_is_said_of_a_choice_that_holds(
    recommendation: Recommendation, evaluation: Evaluation
) -> None:
    assert sections.disappointments(recommendation, evaluation) == ()


def test_a_chosen_baseline_has_no_difference_to_itself(
    recommendation: Recommendation, evaluation: Evaluation
) -> None:
    chosen = dataclasses.replace(
        evaluation, choice="baseline", models=evaluation.models[1:2], differences=()
    )
    shown = read_page(html_of(sections.answer(recommendation, chosen)))
    assert "against the baseline" not in shown.texts_in("span")
    assert shown.texts_in("b")[0] == "0.839"


def test_without_a_price_no_dollars_are_shown(
    recommendation: Recommendation, evaluation: Evaluation
) -> None:
    free = Ledger(entries=evaluation.ledger.entries, usd_per_hour=None)
    answer = html_of(sections.answer(recommendation, dataclasses.replace(evaluation, ledger=free)))
    assert "no price given" in answer
    assert "$" not in answer
    assert "$" not in html_of(sections.cost(free))
    assert {row[-1] for row in _rows(html_of(sections.cost(free)))} == {"–"}


def test_the_ranking_is_in_the_order_of_the_recommendation(recommendation: Recommendation) -> None:
    rows = _rows(html_of(sections.ranking(recommendation)))
    assert [row[1] for row in rows] == [
        "Head only",
        "Full fine-tuning",
        "Baseline",
        "From scratch",
        "LoRA",
    ]
    assert [row[2] for row in rows[:2]] == ["0.871 [0.851, 0.891]", "not measured"]
    assert [row[3] for row in rows[:3]] == ["cross-validation", "publications", "cross-validation"]
    assert [row[7] for row in rows[:3]] == ["yes"] * 3


def test_an_arm_that_does_not_fit_says_why_in_the_ranking(recommendation: Recommendation) -> None:
    scratch, lora = _rows(html_of(sections.ranking(recommendation)))[3:]
    assert scratch[4:7] == [
        "72.0 min [62.6, 82.8 min]",
        "$0.48 [$0.42, $0.55]",
        "205 MiB [184, 229 MiB]",
    ]
    assert scratch[7] == "it needs 1.2 h for 4 epochs; the budget leaves 0.5 h."
    assert lora[4:7] == ["–", "–", "–"]


def test_costs_of_before_there_were_limits_are_shown_without(
    recommendation: Recommendation,
) -> None:
    def bare(arm: RankedArm) -> RankedArm:
        cost = None if arm.cost is None else dataclasses.replace(arm.cost, limits=None)
        return dataclasses.replace(arm, cost=cost)

    old = dataclasses.replace(recommendation, arms=tuple(map(bare, recommendation.arms)))
    page = html_of(sections.ranking(old))
    assert _rows(page)[0][4:7] == ["36 s", "$0.0040", "410 MiB"]
    assert "dollars and memory have limits" not in page


def test_only_measured_arms_are_drawn(recommendation: Recommendation) -> None:
    shown = read_page(on_a_page(html_of(sections.ranking(recommendation))))
    assert len(shown.named("circle")) == 2
    assert "From scratch" not in shown.texts_in("text")


def test_the_majority_is_a_reference_for_accuracy_alone(recommendation: Recommendation) -> None:
    assert "always the top class" in html_of(sections.ranking(recommendation))
    arms = tuple(
        arm
        if arm.forecast.score is None
        else dataclasses.replace(
            arm,
            forecast=dataclasses.replace(
                arm.forecast, score=dataclasses.replace(arm.forecast.score, metric="macro_f1")
            ),
        )
        for arm in recommendation.arms
    )
    by_f1 = dataclasses.replace(recommendation, metric="macro_f1", arms=arms)
    assert "always the top class" not in html_of(sections.ranking(by_f1))


def test_every_source_is_named_in_the_reasons_of_an_arm(recommendation: Recommendation) -> None:
    shown = read_page(html_of(sections.ranking(recommendation))).texts_in("li")
    for arm in recommendation.arms:
        for sentence in (*arm.reasons, *arm.forecast.evidence):
            assert sentence in shown
    assert "Plan: 4 epochs: as many as there is time for." in shown


def test_a_companion_is_explained_and_none_is_not(recommendation: Recommendation) -> None:
    assert "Full fine-tuning was trained beside it" in html_of(sections.reasons(recommendation))
    alone = dataclasses.replace(recommendation, companion=None)
    assert "trained beside it" not in html_of(sections.reasons(alone))


def test_costs_stand_beside_their_predictions_and_add_up() -> None:
    ledger = Ledger(
        entries=(
            LedgerEntry(what="calibration", kind=None, seconds=30.0),
            LedgerEntry(what="training", kind="full", seconds=60.0, predicted_seconds=40.0),
        ),
        usd_per_hour=3.6,
    )
    assert _rows(html_of(sections.cost(ledger))) == [
        ["Calibration", "–", "30 s", "$0.0300"],
        ["Training, Full fine-tuning", "40 s", "60 s", "$0.0600"],
        ["Total", "", "1.5 min", "$0.0900"],
    ]
    assert "60 s (of 40 s)" in read_page(html_of(sections.cost(ledger))).texts_in("text")


def test_a_long_label_is_whole_in_the_tables(evaluation: Evaluation) -> None:
    long = "a label of very many words " * 4
    model = hand_made.model_evaluation("head", (long, "b"), ((3, 1), (0, 4)))
    shown = read_page(html_of(sections.results(dataclasses.replace(evaluation, models=(model,)))))
    assert shown.texts_in("td").count(long) == 1
    assert [head["title"] for head in shown.named("th") if "title" in head].count(long) == 2


def test_models_without_steps_have_no_curves(full: TrainedModel) -> None:
    solved = [hand_made.trained_model("head"), hand_made.trained_model("baseline")]
    assert html_of(sections.curves(solved)) == ""
    assert html_of(sections.curves([*solved, full])) == html_of(sections.curves([full]))


def test_a_curve_says_how_the_training_ended(full: TrainedModel) -> None:
    assert "stopped by the clock" in html_of(sections.curves([full]))
    finished = dataclasses.replace(full, stopped_by="finished")
    assert "stopped by the clock" not in html_of(sections.curves([finished]))
    assert "all that the plan foresaw" in html_of(sections.curves([finished]))


def test_losses_and_scores_are_two_charts(full: TrainedModel) -> None:
    shown = read_page(on_a_page(html_of(sections.curves([full]))))
    assert shown.texts_in("title") == [
        "Loss, Full fine-tuning",
        "Validation scores, Full fine-tuning",
    ]
    assert len(shown.named("polyline")) == 4


def test_a_diverged_loss_leaves_the_other_readings(full: TrainedModel) -> None:
    holes = tuple(
        CurvePoint(step=step, metric=metric, value=value, seconds=1.0)
        for step, metric, value in (
            (240, "train/loss", math.nan),
            (241, "train/loss", math.inf),
            (242, "eval/accuracy", math.nan),
        )
    )
    diverged = dataclasses.replace(full, curve=(*full.curve, *holes))
    assert html_of(sections.curves([diverged])) == html_of(sections.curves([full]))


def test_a_training_without_a_single_number_still_has_its_page(full: TrainedModel) -> None:
    lost = dataclasses.replace(
        full, curve=(CurvePoint(step=1, metric="train/loss", value=math.nan, seconds=1.0),)
    )
    shown = read_page(html_of(sections.curves([lost])))
    assert shown.named("svg") == []
    assert shown.texts_in("h3") == ["Full fine-tuning"]


def test_classes_are_listed_worst_first(evaluation: Evaluation) -> None:
    rows = [row for row in _rows(html_of(sections.results(evaluation))) if len(row) == 5]
    shown = [row[0] for row in rows if row[0] in hand_made.LABELS]
    assert shown == list(reversed(hand_made.LABELS))
    assert rows[0][1:] == ["0.870", "0.533", "0.820", "15"]


def test_few_classes_are_a_table_of_confusions(evaluation: Evaluation) -> None:
    heat = html_of(sections.results(evaluation)).split('<table class="heat">')[1]
    assert _rows(heat)[0] == ["280", "12", "8", ""]
    assert _rows(heat)[3] == ["1", "6", "", "8"]
    titles = [head["title"] for head in read_page(heat).named("th") if "title" in head]
    assert titles == [*hand_made.LABELS, *hand_made.LABELS]


def test_the_right_answers_are_of_another_colour_than_the_wrong_ones(
    evaluation: Evaluation,
) -> None:
    heat = html_of(sections.results(evaluation)).split('<table class="heat">')[1]
    first = read_page(heat.split("</tr>")[1]).named("td")
    assert "var(--s1) 65%" in first[0]["style"]  # 70 x 280 / 300
    assert "var(--s2) 3%" in first[1]["style"]


@pytest.fixture
def sixty(evaluation: Evaluation) -> Evaluation:
    """Sixty classes of ten rows each; class i is taken for class 0 as often as i modulo 10."""
    labels = tuple(f"class number {index:02d} of sixty" for index in range(60))
    confusion = [[0] * 60 for _ in labels]
    for index, row in enumerate(confusion):
        row[index] = 10 - index % 10
        row[0] += index % 10
    table = tuple(map(tuple, confusion))
    model = hand_made.model_evaluation("head", labels, table)
    return dataclasses.replace(evaluation, models=(model,), differences=(), n_test=600)


def test_many_classes_are_folded_and_all_there(sixty: Evaluation) -> None:
    html = html_of(sections.results(sixty))
    above, folded = html.split("<details>")
    assert "All 60 classes" in folded
    assert above.count("class number") == 20
    classes = {row[0] for row in _rows(folded.split("</details>")[0])}
    assert len(classes) == 60


def test_many_classes_show_their_most_frequent_confusions(sixty: Evaluation) -> None:
    html = html_of(sections.results(sixty))
    assert '<table class="heat">' not in html
    rows = _rows(html.split("What is taken for what")[1])
    assert len(rows) == 15
    assert [row[2] for row in rows] == ["9"] * 6 + ["8"] * 6 + ["7"] * 3
    assert {row[1] for row in rows} == {"class number 00 of sixty"}
    assert rows[0][0] == "class number 59 of sixty"


def test_a_class_without_test_rows_does_not_break_the_confusions(evaluation: Evaluation) -> None:
    model = hand_made.model_evaluation("head", ("a", "b"), ((3, 1), (0, 0)))
    html = html_of(
        sections.results(dataclasses.replace(evaluation, models=(model,), differences=()))
    )
    assert _rows(html.split('<table class="heat upright">')[1]) == [["3", "1"], ["", ""]]


def test_without_a_difference_there_is_no_empty_list(evaluation: Evaluation) -> None:
    assert "<ul>" not in html_of(sections.results(dataclasses.replace(evaluation, differences=())))


def test_the_data_shows_its_largest_class_first_and_its_bar_longest() -> None:
    html = html_of(sections.data(hand_made.data_profile()))
    assert [row[0] for row in _rows(html)] == list(hand_made.LABELS)
    bars = [bar["style"] for bar in read_page(html).named("div") if bar.get("class") == "bar"]
    assert bars == ["width:100.0%", "width:50.0%", "width:25.0%", "width:5.0%"]


def test_warnings_about_the_data_stand_out() -> None:
    profile = hand_made.data_profile()
    shown = read_page(html_of(sections.data(profile)))
    assert shown.named("div")[0]["class"] == "callout"
    assert profile.warnings[0] in shown.texts_in("div")


def test_data_without_a_tokenizer_has_no_tile_of_pieces() -> None:
    profile = dataclasses.replace(hand_made.data_profile(), tokens=None)
    assert "pieces a word" in html_of(sections.data(hand_made.data_profile()))
    assert "pieces a word" not in html_of(sections.data(profile))


@pytest.fixture
def found() -> Callable[..., dict[str, list[str]]]:
    """Render the data with its checks changed, and get the cells after each check's name."""

    def render(**changed: int) -> dict[str, list[str]]:
        checks = dataclasses.replace(hand_made.data_checks(), **changed)  # type: ignore[arg-type]
        profile = dataclasses.replace(hand_made.data_profile(), checks=checks)
        rows = _rows(html_of(sections.data(profile)).split("What was looked for")[1])
        return {name: cells for name, *cells in rows}

    return render


@pytest.mark.parametrize(
    ("field", "check"),
    [
        ("n_leaked_test", "Test rows with the text of a training or validation row"),
        ("n_leaked_validation", "Validation rows with the text of a training row"),
        ("n_near_duplicates", "Texts nearly the same as another"),
        ("n_near_leaked_test", "Test texts nearly a training or validation text"),
        ("n_near_leaked_validation", "Validation texts nearly a training text"),
        ("n_far_longer", "Rows far longer than the rest"),
        ("n_misencoded", "Rows that look wrongly decoded"),
    ],
)
def test_every_check_has_a_row_whatever_it_found(
    found: Callable[..., dict[str, list[str]]], field: str, check: str
) -> None:
    assert found(**{field: 1_234})[check][0] == "1,234"
    assert found(**{field: 0})[check][0] == "0"


def test_what_was_counted_before_stands_among_the_checks(
    found: Callable[..., dict[str, list[str]]],
) -> None:
    rows = found()
    assert rows["Rows that repeat a text"][0] == "12"
    assert rows["Texts with more than one label"][0] == "1"
    assert rows["Tokens cut off"] == ["6.0%", "beyond 128 a text"]
    assert rows["Rows far longer than the rest"][1] == "beyond 9,000 characters"


def test_a_sample_of_the_texts_is_said_with_its_size(
    found: Callable[..., dict[str, list[str]]],
) -> None:
    near = "Texts nearly the same as another"
    assert found()[near][1].endswith("; 3,588 distinct texts compared")
    sampled = found(n_distinct=80_000, n_compared=50_000)[near][1]
    assert sampled.endswith("; a sample of 50,000 of 80,000 distinct texts compared")


def test_a_profile_from_before_the_checks_shows_none() -> None:
    assert "What was looked for" not in html_of(sections.data(hand_made.data_profile()))


def test_sixty_classes_of_data_are_cut_to_the_largest() -> None:
    classes = tuple(
        ClassCount(label=f"c{index:02d}", train=10 + index, validation=2, test=2)
        for index in range(60)
    )
    profile = dataclasses.replace(
        hand_made.data_profile(), classes=classes, n_train=sum(one.train for one in classes)
    )
    html = html_of(sections.data(profile))
    assert [row[0] for row in _rows(html)] == [f"c{index:02d}" for index in range(59, 39, -1)]
    assert "and 40 smaller classes" in html


def test_the_model_used_first_is_the_chosen_one_and_the_others_are_folded() -> None:
    html = html_of(sections.usage(hand_made.trained_models()))
    above = html.split("<details>")[0]
    assert "/models/head" in above
    assert "/models/full" not in above
    assert read_page(html).texts_in("summary") == [
        "Baseline, trained beside it",
        "Full fine-tuning, trained beside it",
    ]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("baseline", "not tracked"),
        (
            "head",
            "head-1a2b3c, offline; upload it with: wandb sync /runs/wandb/offline-run-1-abc123",
        ),
        ("full", "full-4d5e6f: https://wandb.example/team/zenml-ftvr/runs/def456"),
    ],
)
def test_where_the_run_is_tracked_is_said_as_it_is(kind: str, said: str) -> None:
    rows = dict(_rows(html_of(sections.plan_table(hand_made.trained_model(kind)))))  # type: ignore[arg-type]
    assert rows["W&B run"] == said


def test_a_plan_is_shown_to_the_number(full: TrainedModel) -> None:
    rows = dict(_rows(html_of(sections.plan_table(full))))
    assert rows["Steps"] == "237 of 630"
    assert rows["Learning rate"] == "5e-05"
    assert rows["Plan"] == full.plan.fingerprint
    assert rows["Base model"] == f"minilm, sha256 {hand_made.WEIGHTS}"


def test_a_pinned_base_model_shows_its_revision(full: TrainedModel) -> None:
    source = dataclasses.replace(full.plan.model, name="org/model", revision="abc")  # type: ignore[type-var]
    pinned = dataclasses.replace(full, plan=dataclasses.replace(full.plan, model=source))
    rows = dict(_rows(html_of(sections.plan_table(pinned))))
    assert rows["Base model"] == f"org/model at abc, sha256 {hand_made.WEIGHTS}"


def test_an_accelerator_is_named_with_its_memory() -> None:
    measured = hand_made.calibration()
    cpu = html_of(sections.provenance([], measured, {"python": "3.11"}))
    assert "accelerators" not in cpu
    gpu = dataclasses.replace(
        measured,
        hardware=dataclasses.replace(
            measured.hardware, device="cuda", n_devices=2, device_memory_gib=79.2
        ),
    )
    assert "2 accelerators of 79.2 GiB" in html_of(sections.provenance([], gpu, {"python": "3.11"}))


def test_an_arm_that_was_not_calibrated_says_why() -> None:
    shown = read_page(html_of(sections.calibration(hand_made.calibration())))
    assert [row[0] for row in _rows(html_of(sections.calibration(hand_made.calibration())))] == [
        "Baseline",
        "Head only",
        "Full fine-tuning",
        "From scratch",
    ]
    assert shown.texts_in("li") == [
        "LoRA: it needs about 20.0 GiB by arithmetic; the machine has 15.5 GiB."
    ]


def test_the_limits_name_the_seed_that_was_used(
    recommendation: Recommendation, evaluation: Evaluation
) -> None:
    assert "One seed (7)" in sections.limits(recommendation, evaluation)[0]


def test_what_the_labels_names_alone_are_worth_is_said_where_it_was_measured(
    recommendation: Recommendation,
) -> None:
    assert "Without any training" not in html_of(sections.ranking(recommendation))
    evidence = recommendation.evidence
    measured = dataclasses.replace(evidence, zero_shot=evidence.measured[0])
    shown = read_page(
        html_of(sections.ranking(dataclasses.replace(recommendation, evidence=measured)))
    )
    assert "the base model finds nearest reaches accuracy 0.842 [0.822, 0.862]" in shown.text


def test_a_reason_that_all_arms_share_is_told_once() -> None:
    why = "Calibration took all that pilots may take."
    found = hand_made_findings.pilots()
    none = dataclasses.replace(
        found, runs=(), skipped=(("full", why), ("lora", "its own reason.")), stopped=why
    )
    told = report.pilots_page(none)
    assert told.count(why) == 1
    assert "its own reason." in told
