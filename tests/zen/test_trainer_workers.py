"""A step on the trainer whose workers share its training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trainer_pipelines
from zenml.client import Client

from zenml_ftvr.cli.setup import register, unregister
from zenml_ftvr.models import load
from zenml_ftvr.values import TrainedModel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _stack() -> Iterator[None]:
    register("ftvr", "offline", activate=True, usd_per_hour=0.5)
    yield
    Client().activate_stack("default")
    unregister("ftvr")


def test_two_workers_share_the_training_of_a_step(data_file: Path, base_folder: Path) -> None:
    done = trainer_pipelines.trains_with_two_workers(str(data_file), str(base_folder))
    assert done is not None
    step = Client().get_pipeline_run(done.id).steps["finetune_full"]
    assert step.run_metadata["trainer_workers"] == 2
    model: TrainedModel = step.outputs["model"][0].load()
    assert "2 workers shared its steps." in model.notes
    assert model.steps_done == model.plan.max_steps
    assert model.ledger.usd is not None
    assert load(model.path).predict(["a text"])[0].label in model.plan.labels
