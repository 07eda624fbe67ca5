"""The plain-Python face: one call from a file to an answer, and the parts it is made of."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

import zenml_ftvr
from zenml_ftvr import Budget, DataSource, ModelSource, Recommendation, Request, TextClassification
from zenml_ftvr.api import (
    calibrate_arms,
    plan_for,
    profile_dataset,
    recommend,
    recommend_from_evidence,
    resolve_base,
)
from zenml_ftvr.data import Dataset, dataset_from, load_dataset
from zenml_ftvr.errors import BudgetError, ConfigurationError, DataError, ModelError
from zenml_ftvr.train import silent
from zenml_ftvr.values import KINDS, Approach, Baseline, Full, Head, Kind, Scratch


@pytest.fixture(scope="module")
def rows_file(
    make_texts: Callable[..., tuple[list[str], list[str]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A CSV file of 240 rows."""
    file = tmp_path_factory.mktemp("rows") / "rows.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows(zip(*make_texts(240), strict=True))
    return file


@pytest.fixture(scope="module")
def answer(
    rows_file: Path, bert_folder: Path, learns: dict[Kind, Approach]
) -> Callable[[], Recommendation]:
    """The recommendation for the file and the tiny base model: made once."""
    done: list[Recommendation] = []

    def run() -> Recommendation:
        if not done:
            done.append(
                recommend(
                    str(rows_file),
                    budget=Budget(hours=1, usd=3.0),
                    approaches=list(learns.values()),
                    base_model=str(bert_folder),
                    task=TextClassification(max_length=32),
                    usd_per_hour=3.0,
                    seed=4,
                )
            )
        return done[0]

    return run


def test_every_arm_is_ranked_with_its_costs(answer: Callable[[], Recommendation]) -> None:
    recommendation = answer()
    assert {arm.kind for arm in recommendation.arms} == set(KINDS)
    for arm in recommendation.arms:
        assert arm.feasible, arm.reasons
        assert arm.cost is not None
        assert arm.cost.usd == pytest.approx(3.0 * arm.cost.hours)
        assert arm.plan is not None
        assert arm.plan.seed == 4
        assert arm.plan.data_fingerprint == recommendation.profile.fingerprint
    assert 0 < recommendation.hours_allowed < 1
    assert recommendation.chosen is recommendation.arms[0]


def test_the_cheap_arms_are_measured_and_the_choice_follows(
    answer: Callable[[], Recommendation],
) -> None:
    recommendation = answer()
    measured = {arm.kind: arm.forecast.score for arm in recommendation.arms}
    assert [kind for kind in KINDS if measured[kind] is not None] == ["baseline", "head"]
    # Words decide these labels, so word counts leave nothing for a network to gain.
    assert recommendation.choice == "baseline"
    assert recommendation.verdict.startswith("Leave the neural network alone")
    score = recommendation.chosen.forecast.score
    assert score is not None
    assert score.value > 0.9
    assert recommendation.profile.tokens is not None


def test_progress_is_printed_as_it_goes(
    rows_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recommend(str(rows_file), budget=Budget(hours=1), approaches=[Baseline()])
    printed = capsys.readouterr().out
    assert "calibrating" in printed
    assert "cross-validating baseline" in printed


def test_the_package_offers_the_same_function() -> None:
    assert zenml_ftvr.recommend is recommend


@pytest.fixture
def request_of(bert_folder: Path, learns: dict[Kind, Approach]) -> Callable[..., Request]:
    def make(budget: Budget) -> Request:
        return Request(
            budget=budget,
            approaches=tuple(learns[kind] for kind in ("baseline", "head", "full")),
            base_model=ModelSource(name=str(bert_folder)),
            task=TextClassification(max_length=32),
        )

    return make


def test_the_same_data_seed_and_calibration_give_the_same_recommendation(
    dataset: Dataset, request_of: Callable[..., Request]
) -> None:
    request = request_of(Budget(hours=1))
    base = resolve_base(request)
    profile = profile_dataset(dataset, base, request)
    calibration = calibrate_arms(dataset, profile, base, request, silent)
    first, again = (
        recommend_from_evidence(dataset, profile, calibration, base, request, silent)
        for _ in range(2)
    )
    assert (first.choice, first.verdict) == (again.choice, again.verdict)
    assert first.reasons == again.reasons
    for one, other in zip(first.arms, again.arms, strict=True):
        assert (one.approach, one.feasible, one.forecast) == (
            other.approach,
            other.feasible,
            other.forecast,
        )
        assert one.cost == other.cost
        assert one.plan is not None
        assert other.plan is not None
        assert one.plan.fingerprint == other.plan.fingerprint


def test_the_reference_is_calibrated_even_where_it_is_not_offered(
    dataset: Dataset, bert_folder: Path
) -> None:
    request = Request(
        budget=Budget(hours=1),
        approaches=(Head(),),
        base_model=ModelSource(name=str(bert_folder)),
        task=TextClassification(max_length=32),
    )
    base = resolve_base(request)
    profile = profile_dataset(dataset, base, request)
    calibration = calibrate_arms(dataset, profile, base, request, silent)
    assert [arm.kind for arm in calibration.arms] == ["baseline", "head"]
    answer = recommend_from_evidence(dataset, profile, calibration, base, request, silent)
    assert [arm.kind for arm in answer.arms] == ["head"]


def test_dollars_without_a_price_are_refused_before_anything_is_read() -> None:
    with pytest.raises(BudgetError, match=r"\$5, but the machine has no price"):
        recommend("no-such-file.csv", budget=Budget(usd=5))


def test_what_cannot_be_found_is_named(rows_file: Path) -> None:
    with pytest.raises(DataError, match=r"no-such-file\.csv does not exist"):
        recommend("no-such-file.csv", budget=Budget(hours=1), approaches=[Baseline()])
    with pytest.raises(ModelError, match=r"'\./no-such-model'"):
        recommend(str(rows_file), budget=Budget(hours=1), base_model="./no-such-model")


def test_texts_longer_than_the_base_model_reads_are_refused(bert_folder: Path) -> None:
    request = Request(
        budget=Budget(hours=1),
        base_model=ModelSource(name=str(bert_folder)),
        task=TextClassification(max_length=8192),
    )
    with pytest.raises(ConfigurationError, match=r"max_length is 8192.*has \d+ positions"):
        resolve_base(request)


def test_no_base_model_is_looked_for_where_none_is_needed() -> None:
    request = Request(
        budget=Budget(hours=1),
        approaches=(Baseline(), Scratch()),
        base_model=ModelSource(name="./no-such-model"),
    )
    assert resolve_base(request) is None


def test_a_plan_for_one_approach_takes_all_its_epochs(rows_file: Path, bert_folder: Path) -> None:
    dataset = load_dataset(DataSource(name=str(rows_file)))
    source = ModelSource(name=str(bert_folder))
    plan = plan_for(
        dataset, Full(epochs=3, batch_size=10), source, TextClassification(max_length=32), 9
    )
    assert plan.max_steps == -(-3 * len(dataset.train) // 10)
    assert (plan.seed, plan.labels) == (9, ("chess", "cooking", "sailing"))
    assert (plan.wall_seconds, plan.predicted_hours) == (None, None)
    assert plan.model == source
    assert plan.data_fingerprint == dataset.fingerprint


def test_what_was_trained_is_loaded_from_the_package(
    trained: Callable[[Kind], zenml_ftvr.values.TrainedModel],
) -> None:
    (answer,) = zenml_ftvr.load(trained("baseline").path).predict(["keel mast rudder"])
    assert answer.label == "sailing"


def test_rows_in_memory_are_answered_like_a_file(
    make_texts: Callable[..., tuple[list[str], list[str]]],
) -> None:
    texts, labels = make_texts(240)
    rows = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
    dataset = dataset_from(rows)
    for data in (rows, dataset):
        answer = recommend(data, budget=Budget(hours=1), approaches=[Baseline()])
        assert answer.profile.source == "in memory"
        assert answer.profile.fingerprint == dataset.fingerprint


def test_a_wrong_row_in_memory_is_named() -> None:
    with pytest.raises(DataError, match=r"^in memory, row 2: 'text' is empty"):
        recommend(
            [{"text": "x", "label": "a"}, {"text": "", "label": "b"}],
            budget=Budget(hours=1),
            approaches=[Baseline()],
        )
