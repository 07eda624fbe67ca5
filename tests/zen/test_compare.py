"""Comparing trained models as a step: a list of models in, one verdict out."""

from __future__ import annotations

import html
import random
from pathlib import Path

import pytest
from zenml import pipeline
from zenml.client import Client

from tests.zen.conftest import NOISE, TOPICS
from zenml_ftvr.steps import compare_models, load_data, train_baseline, train_from_scratch
from zenml_ftvr.values import (
    Comparison,
    DataSource,
    EvaluationSettings,
    Scratch,
    ServingSettings,
    TextClassification,
    TrackingSettings,
)

TASK = TextClassification(max_length=16)
QUIET = TrackingSettings(mode="disabled")
QUICK = EvaluationSettings(serving=ServingSettings(batch_sizes=(1,), seconds=0.02), forgetting=None)
TINY = Scratch(depth=1, epochs=1, vocabulary_size=120, batch_size=16)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> str:
    rng = random.Random(0)
    lines = ["text,label"]
    for place in range(240):
        label = sorted(TOPICS)[place % 3]
        words = [*rng.sample(TOPICS[label].split(), 3), *rng.sample(NOISE.split(), 4)]
        lines.append(f"{' '.join(words)} {place},{label}")
    path = tmp_path_factory.mktemp("compared") / "rows.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pipeline(enable_cache=False)
def two_approaches(source: DataSource) -> None:
    dataset = load_data(source, TASK)
    models = []
    for seed in (0, 1):
        models.append(train_baseline(dataset, task=TASK, tracking=QUIET, seed=seed))
        models.append(
            train_from_scratch(dataset, approach=TINY, task=TASK, tracking=QUIET, seed=seed)
        )
    compare_models(dataset, models, tracking=QUIET, evaluation=QUICK)


def test_a_list_of_models_becomes_one_table_and_one_verdict(rows: str, client: Client) -> None:
    run = two_approaches(DataSource(name=rows))
    assert run is not None
    artifact = run.steps["compare_models"].outputs["comparison"][0]
    found: Comparison = artifact.load()
    assert {arm.kind for arm in found.arms} == {"baseline", "scratch"}
    assert found.arms[0].kind == "baseline"  # an epoch of the other is far too little
    assert all([one.seed for one in arm.seeds] == [0, 1] for arm in found.arms)
    assert found.seeds == (0, 1)
    assert found.differences[0].n_seeds == 2
    assert found.budget is None
    assert len(found.pareto) == 2
    assert artifact.run_metadata["verdict"] == found.verdict
    trained = [one for one in found.ledger.entries if one.what == "training"]
    assert len(trained) == 4
    page = Path(artifact.uri) / "page.html"
    assert html.escape(found.verdict) in page.read_text()
