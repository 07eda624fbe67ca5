"""Everything that is measured of one model, on real trained ones."""

from __future__ import annotations

import csv
import dataclasses
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from zenml_ftvr.data import Dataset, halved, load_dataset
from zenml_ftvr.errors import ConfigurationError, DataError
from zenml_ftvr.evaluate import evaluate_models
from zenml_ftvr.evaluate.one_model import judging
from zenml_ftvr.evaluate.reliability import LEAST_FITTED
from zenml_ftvr.evaluate.test_split import ANSWERS_ALONE
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    Baseline,
    DataSource,
    Evaluation,
    EvaluationSettings,
    ForgettingSettings,
    Hardware,
    Kind,
    Ledger,
    ServingSettings,
    TrainedModel,
    TrainingPlan,
)

GOLDEN = Path(__file__).parents[2] / "golden"
ALL = EvaluationSettings(
    serving=ServingSettings(batch_sizes=(1, 4), seconds=0.02),
    forgetting=ForgettingSettings(n_texts=30),
)


def _evaluated(
    models: list[TrainedModel], dataset: Dataset, settings: EvaluationSettings
) -> Evaluation:
    return evaluate_models(
        models,
        dataset,
        spent=Ledger(usd_per_hour=1.0),
        predicted_seconds=[None] * len(models),
        seed=0,
        on_rows=lambda kind, done, total: None,
        settings=settings,
    )


@pytest.fixture(scope="module")
def whole(trained: Callable[[Kind], TrainedModel], dataset: Dataset) -> Evaluation:
    return _evaluated([trained("lora"), trained("baseline")], dataset, ALL)


def test_every_part_is_there_for_a_fine_tuned_model(whole: Evaluation, dataset: Dataset) -> None:
    lora, baseline = whole.models
    assert [cost.form for cost in lora.serving] == ["as trained", "merged"]
    assert [cost.form for cost in baseline.serving] == ["as trained"]
    assert lora.forgetting is not None
    assert lora.forgetting.measure == "neighbour agreement"
    assert baseline.forgetting is None
    assert lora.generation is None
    assert lora.slices == ()  # a quarter of 48 rows is too few
    for model in whole.models:
        assert model.probabilities is not None
        assert len(halved(dataset.validation)[0]) < LEAST_FITTED
        assert model.probabilities.temperature is None
        rows = sum(one.n_rows for one in model.probabilities.as_trained.bins)
        assert rows == len(dataset.test)
    assert whole.metric == "accuracy"
    assert [(one.first, one.second) for one in whole.tests] == [("lora", "baseline")]
    assert {(one.kind, one.form) for one in whole.pareto} == {
        ("lora", "as trained"),
        ("lora", "merged"),
        ("baseline", "as trained"),
    }


def test_an_evaluation_survives_being_written(whole: Evaluation) -> None:
    adapter = TypeAdapter(Evaluation)
    assert adapter.validate_json(adapter.dump_json(whole)) == whole


def test_an_evaluation_of_version_0_1_still_loads() -> None:
    import json

    content = json.loads((GOLDEN / "evaluation_of_0.1.json").read_text())
    old = TypeAdapter(Evaluation).validate_python(content["value"])
    assert old.model("head").score("accuracy").value == 0.894
    assert (old.metric, old.tests, old.pareto, old.n_groups) == (None, (), (), None)
    for model in old.models:
        assert (model.probabilities, model.forgetting, model.generation) == (None, None, None)
        assert (model.slices, model.label_doubts, model.serving, model.notes) == ((), (), (), ())


def test_what_is_not_asked_for_is_not_measured(
    trained: Callable[[Kind], TrainedModel], dataset: Dataset
) -> None:
    (model,) = _evaluated([trained("full")], dataset, ANSWERS_ALONE).models
    assert (model.serving, model.forgetting) == ((), None)


@pytest.fixture(scope="module")
def file(
    make_texts: Callable[..., tuple[list[str], list[str]]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Learnable rows of thirty customers, of whom each has eight; one shop's labels are noise."""
    path = tmp_path_factory.mktemp("file") / "rows.csv"
    texts, labels = make_texts(480)
    rng = random.Random(0)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label", "customer", "shop"])
        for place, (text, label) in enumerate(zip(texts, labels, strict=True)):
            shop = "north" if place % 3 else "south"
            shown = rng.choice(sorted(set(labels))) if shop == "south" else label
            writer.writerow([text, shown, f"customer {place % 60}", shop])
    return path


def _baseline_of(
    dataset: Dataset, plan_of: Callable[..., TrainingPlan], hardware: Hardware, folder: Path
) -> TrainedModel:
    return run_plan(plan_of(Baseline(), of=dataset), dataset, folder / "baseline", hardware)


def test_a_column_of_the_user_s_makes_slices_and_the_bad_one_is_found(
    file: Path, plan_of: Callable[..., TrainingPlan], hardware: Hardware, tmp_path: Path
) -> None:
    dataset = load_dataset(DataSource(name=str(file), test_fraction=0.4))
    model = _baseline_of(dataset, plan_of, hardware, tmp_path)
    settings = dataclasses.replace(ANSWERS_ALONE, slice_columns=("shop",))
    (found,) = _evaluated([model], dataset, settings).models
    assert found.probabilities is not None
    assert found.probabilities.n_fitted == len(halved(dataset.validation)[0])
    by_value = {one.value: one for one in found.slices if one.column == "shop"}
    assert set(by_value) == {"north", "south"}
    assert sum(one.column == "length" for one in found.slices) == 4
    assert by_value["south"].is_worse
    assert found.slices[0] == by_value["south"]
    assert not by_value["north"].is_worse


def test_rows_of_one_group_are_drawn_together(
    file: Path, plan_of: Callable[..., TrainingPlan], hardware: Hardware, tmp_path: Path
) -> None:
    dataset = load_dataset(DataSource(name=str(file), group_column="customer", test_fraction=0.4))
    model = _baseline_of(dataset, plan_of, hardware, tmp_path)
    found = _evaluated([model], dataset, ANSWERS_ALONE)
    assert found.grouped_by == "customer"
    assert found.n_groups is not None
    assert found.n_groups * 8 == found.n_test
    assert "groups of 'customer'" in found.models[0].score("accuracy").method


def test_groups_that_cannot_be_read_again_are_told_of(
    file: Path, plan_of: Callable[..., TrainingPlan], hardware: Hardware, tmp_path: Path
) -> None:
    dataset = load_dataset(DataSource(name=str(file), group_column="customer", test_fraction=0.4))
    model = _baseline_of(dataset, plan_of, hardware, tmp_path)
    gone = dataclasses.replace(
        dataset, source=dataclasses.replace(dataset.source, name="in memory")
    )
    found = _evaluated([model], gone, ANSWERS_ALONE)
    assert found.grouped_by is None
    assert any("may be too narrow" in note for note in found.models[0].notes)


def test_an_absent_column_or_text_ends_it_before_a_test_row_is_answered(
    file: Path, plan_of: Callable[..., TrainingPlan], hardware: Hardware, tmp_path: Path
) -> None:
    dataset = load_dataset(DataSource(name=str(file)))
    model = _baseline_of(dataset, plan_of, hardware, tmp_path)
    settings = dataclasses.replace(ANSWERS_ALONE, slice_columns=("stop",))
    with pytest.raises(DataError, match="Did you mean 'shop'"):
        judging([model], dataset, settings, None, 0)
    absent = EvaluationSettings(forgetting=ForgettingSettings(texts=str(tmp_path / "no.csv")))
    with pytest.raises(DataError, match="does not exist"):
        judging([model], dataset, absent, None, 0)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"slice_columns": [""]}, "empty name"),
        ({"slice_columns": ["a", "a"]}, "names a column twice"),
        ({"slices": ["a"]}, "unknown key 'slices'"),
        ({"serving": {"seconds": 0}}, "must be above 0"),
        ({"serving": {"batch_sizes": []}}, "give numbers of rows"),
        ({"serving": {"usd_per_hour": -1}}, "must be above 0"),
        ({"forgetting": {"n_texts": 5}}, "at least 20"),
        ({"forgetting": {"texts": " "}}, "is empty"),
    ],
)
def test_settings_that_mean_nothing_are_refused(written: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TypeAdapter(EvaluationSettings).validate_python(written)


def test_parts_are_left_out_by_null() -> None:
    written = {"serving": None, "forgetting": None}
    assert TypeAdapter(EvaluationSettings).validate_python(written) == ANSWERS_ALONE
