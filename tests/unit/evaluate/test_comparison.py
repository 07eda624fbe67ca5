"""Approaches over seeds on the same test rows: the table and its verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zenml_ftvr.data import Dataset
from zenml_ftvr.errors import ConfigurationError, DataError
from zenml_ftvr.evaluate import Contest, compare_trained
from zenml_ftvr.evaluate.test_split import ANSWERS_ALONE
from zenml_ftvr.models import load
from zenml_ftvr.tasks import score
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    Approach,
    Baseline,
    Budget,
    Comparison,
    EvaluationSettings,
    Full,
    Hardware,
    Ledger,
    LedgerEntry,
    ServingSettings,
    TrainedModel,
    TrainingPlan,
)

SPENT = Ledger(entries=(LedgerEntry(what="training", kind="full", seconds=30.0),), usd_per_hour=2.0)
UNTRAINED = Full(learning_rate=1e-9)
"""Learns nothing: what is compared with it is better for certain."""


@pytest.fixture(scope="module")
def models(
    plan_of: Callable[..., TrainingPlan],
    dataset: Dataset,
    hardware: Hardware,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[TrainedModel]:
    """Word counts, and a network that learnt nothing, each with three seeds."""
    folder = tmp_path_factory.mktemp("compared")

    def train(approach: Approach, seed: int) -> TrainedModel:
        steps = {} if approach.kind == "baseline" else {"max_steps": 2}
        plan = plan_of(approach, seed=seed, **steps)
        return run_plan(plan, dataset, folder / f"{approach.kind}-{seed}", hardware)

    return [train(approach, seed) for approach in (UNTRAINED, Baseline()) for seed in (2, 0, 1)]


def _compared(
    models: list[TrainedModel], dataset: Dataset, contest: Contest, settings: EvaluationSettings
) -> Comparison:
    return compare_trained(models, dataset, contest, settings, 0, lambda kind, done, total: None)


@pytest.fixture(scope="module")
def comparison(models: list[TrainedModel], dataset: Dataset) -> Comparison:
    contest = Contest(
        budget=Budget(hours=1.0), left_out=(("scratch", "it takes 9 hours."),), spent=SPENT
    )
    settings = EvaluationSettings(
        serving=ServingSettings(batch_sizes=(1,), seconds=0.02), forgetting=None
    )
    return _compared(models, dataset, contest, settings)


def test_the_best_mean_comes_first_with_every_seed(
    comparison: Comparison, models: list[TrainedModel], dataset: Dataset
) -> None:
    assert [arm.kind for arm in comparison.arms] == ["baseline", "full"]
    for arm in comparison.arms:
        own = sorted((one for one in models if one.kind == arm.kind), key=lambda one: one.plan.seed)
        values = [score(load(one.path).answers(dataset.test), "accuracy") for one in own]
        assert [one.seed for one in arm.seeds] == [0, 1, 2]
        assert [one.score for one in arm.seeds] == pytest.approx(values)
        assert arm.score("accuracy").value == pytest.approx(np.mean(values))
        assert arm.deviation == pytest.approx(np.std(values, ddof=1))
        assert arm.usd == pytest.approx(arm.train_seconds / 1800)
        assert len(arm.serving) == 1


def test_a_clear_winner_is_named_with_its_significance(comparison: Comparison) -> None:
    (difference,) = comparison.differences
    assert (difference.first, difference.second, difference.n_seeds) == ("baseline", "full", 3)
    assert difference.is_significant
    assert (comparison.winner, comparison.tied) == ("baseline", ("baseline",))
    assert comparison.verdict.startswith("'baseline' is significantly better than every other")
    assert "3 seeds each" in comparison.verdict
    assert f"{comparison.n_test} test rows" in comparison.verdict


def test_what_was_known_before_is_kept(comparison: Comparison) -> None:
    assert comparison.left_out == (("scratch", "it takes 9 hours."),)
    assert comparison.budget == Budget(hours=1.0)
    assert comparison.seeds == (0, 1, 2)
    assert comparison.ledger.entries[0] == SPENT.entries[0]
    evaluated = [one for one in comparison.ledger.entries if one.what == "evaluation"]
    assert [one.kind for one in evaluated].count("baseline") == 3
    assert {one.kind for one in comparison.pareto} == {"baseline", "full"}


def test_one_seed_each_names_no_winner(models: list[TrainedModel], dataset: Dataset) -> None:
    few = [one for one in models if one.plan.seed == 0]
    found = _compared(few, dataset, Contest(), ANSWERS_ALONE)
    assert found.winner is None
    assert set(found.tied) == {"baseline", "full"}
    assert "one seed" in found.verdict
    assert "not significantly better than 'full'" in found.verdict
    assert any("stands for one model" in note for note in found.notes)
    assert found.arms[0].deviation is None
    assert found.arms[0].usd is None


def test_a_copy_is_no_better_and_the_cheaper_is_named(
    models: list[TrainedModel], dataset: Dataset
) -> None:
    baselines = [one for one in models if one.kind == "baseline"]
    copies = []
    for one in baselines:  # the same answers under another name, trained for longer
        plan = dataclasses.replace(one.plan, approach=UNTRAINED)
        copies.append(dataclasses.replace(one, plan=plan, seconds=one.seconds + 60))
    found = _compared([*baselines, *copies], dataset, Contest(), ANSWERS_ALONE)
    assert found.winner is None
    assert found.tied == ("baseline", "full")
    assert "not significantly better" in found.verdict
    (difference,) = found.differences
    assert (difference.mean, difference.is_significant) == (0, False)


def test_trainings_that_the_budget_ended_are_named(
    models: list[TrainedModel], dataset: Dataset
) -> None:
    ended = [
        dataclasses.replace(one, stopped_by="budget") if one.kind == "full" else one
        for one in models
    ]
    found = _compared(ended, dataset, Contest(), ANSWERS_ALONE)
    assert any("ended trainings of full" in note for note in found.notes)


def test_one_seed_twice_is_no_more_evidence(models: list[TrainedModel], dataset: Dataset) -> None:
    with pytest.raises(ConfigurationError, match="'full' has several models of one seed"):
        _compared([*models, models[0]], dataset, Contest(), ANSWERS_ALONE)


def test_one_approach_is_compared_with_nothing(
    models: list[TrainedModel], dataset: Dataset
) -> None:
    with pytest.raises(ConfigurationError, match="nothing to compare"):
        _compared(models[:3], dataset, Contest(), ANSWERS_ALONE)


def test_models_of_other_data_are_refused(
    models: list[TrainedModel], dataset: Dataset, tmp_path: Path
) -> None:
    other = dataclasses.replace(dataset, fingerprint="f" * 64)
    with pytest.raises(DataError, match="trained on data"):
        _compared(models, other, Contest(), ANSWERS_ALONE)
