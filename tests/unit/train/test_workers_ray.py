"""Two nodes of a Ray cluster, on this machine, train what one process would."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from worker_cases import (
    SAME,
    curves_differ_by,
    granted,
    plan_of_few_steps,
    save_model_without_dropout,
    trained,
)

from zenml_ftvr.data import Dataset
from zenml_ftvr.hardware import detect
from zenml_ftvr.models import load
from zenml_ftvr.train import granted_team, no_log, run_plan
from zenml_ftvr.values import TrainedModel, TrainingPlan

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head with one core, and another node with one: a worker fits on each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")  # it would look at the whole machine
        from ray.cluster_utils import Cluster

        cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        yield cluster
        cluster.shutdown()


@pytest.fixture(scope="module")
def plan(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> TrainingPlan:
    base = save_model_without_dropout(dataset, tmp_path_factory.mktemp("no-dropout"))
    return plan_of_few_steps(dataset, base)


@pytest.fixture(scope="module")
def one(
    plan: TrainingPlan, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> TrainedModel:
    return trained(plan, dataset, tmp_path_factory.mktemp("one") / "model")


def on_two_nodes(
    cluster: Any,
    plan: TrainingPlan,
    dataset: Dataset,
    folder: Path,
    log: Callable[[dict[str, float], int], None],
    **fields: int,
) -> TrainedModel:
    """Trained by two workers on the cluster; its storage is empty afterwards."""
    storage = folder / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    where = {"target": "ray", "ray_address": cluster.address, "ray_storage": str(storage)}
    with granted(workers=2, threads=2, **where, **fields):
        team = granted_team(plan, detect())
        model = run_plan(plan, dataset, folder / "model", detect(), log=log, team=team)
    assert list(storage.iterdir()) == []
    return model


def test_two_nodes_have_the_curve_of_one_process(
    cluster: Any, plan: TrainingPlan, one: TrainedModel, dataset: Dataset, tmp_path: Path
) -> None:
    node = cluster.add_node(num_cpus=1)
    logged: list[int] = []
    try:
        two = on_two_nodes(
            cluster, plan, dataset, tmp_path, lambda metrics, step: logged.append(step)
        )
    finally:
        cluster.remove_node(node)
    assert curves_differ_by(one, two) < SAME
    assert {point.step for point in two.curve} == set(logged)
    texts = dataset.test.texts
    answers = [load(model.path).predict(texts) for model in (one, two)]
    assert [a.label for a in answers[0]] == [a.label for a in answers[1]]


def test_a_training_that_loses_a_node_goes_on_from_the_last_checkpoint(
    cluster: Any, plan: TrainingPlan, one: TrainedModel, dataset: Dataset, tmp_path: Path
) -> None:
    """With one worker where one is enough; a checkpoint is there after every fourth step."""
    node = cluster.add_node(num_cpus=1)
    readings: list[int] = []
    lost = threading.Event()

    def lose_the_node(metrics: dict[str, float], step: int) -> None:
        readings.append(step)
        if step >= 9 and not lost.is_set():
            lost.set()
            cluster.remove_node(node, allow_graceful=False)

    left = on_two_nodes(cluster, plan, dataset, tmp_path, lose_the_node, least_workers=1)
    assert lost.is_set()
    again = [after for before, after in pairwise(readings) if after < before]
    assert len(again) == 1  # it went back once
    assert again[0] >= 5  # and not to the beginning: a checkpoint is there after step 4
    assert curves_differ_by(one, left) < SAME
    assert left.steps_done == plan.max_steps
    (said,) = [note for note in left.notes if "went on from the checkpoint after" in note]
    assert re.search(r"after step (4|8|12)\.", said)


class Broken(Exception):  # noqa: N818  (stands for whatever ends a step's process)
    """Raised on the way."""


def test_what_an_earlier_go_left_in_the_storage_is_gone_on_from_though_the_limit_is_used_up(
    cluster: Any, plan: TrainingPlan, dataset: Dataset, tmp_path: Path
) -> None:
    node = cluster.add_node(num_cpus=1)

    def break_off(metrics: dict[str, float], step: int) -> None:
        if step >= 10:
            raise Broken

    try:
        with pytest.raises(Broken):
            on_two_nodes(cluster, plan, dataset, tmp_path, break_off)
        hurried = dataclasses.replace(plan, wall_seconds=0.5)  # the same plan, and less time
        model = on_two_nodes(cluster, hurried, dataset, tmp_path, no_log)
    finally:
        cluster.remove_node(node)
    assert model.stopped_by == "budget"
    (said,) = [note for note in model.notes if "went on from the checkpoint after" in note]
    went_on_from = int(said.split()[-1].rstrip("."))
    assert went_on_from >= 4
    assert model.steps_done == went_on_from + 1  # what the brake needs to see
    assert [entry.what for entry in model.ledger.entries] == ["failed attempt", "training"]
