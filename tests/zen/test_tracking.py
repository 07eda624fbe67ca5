"""A stack with our tracker: one run a step, and no link that does not exist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from zenml import pipeline
from zenml.client import Client
from zenml.models import PipelineRunResponse

from zenml_ftvr.cli.setup import register, unregister
from zenml_ftvr.steps import evaluate_model, load_data, train_baseline
from zenml_ftvr.values import DataSource, TextClassification, TrackingSettings, TrainedModel

TRACKED = train_baseline.with_options(experiment_tracker="ftvr_wandb")
EVALUATED = evaluate_model.with_options(experiment_tracker="ftvr_wandb")


@pipeline(enable_cache=False)
def tracked_training(data: DataSource) -> None:
    """The tracker of the stack opens the runs; the step's own settings are not needed."""
    dataset = load_data(data)
    model = TRACKED(
        dataset,
        task=TextClassification(max_length=32),
        tracking=TrackingSettings(project="not-this-one"),
    )
    EVALUATED(dataset, model)


@pytest.fixture(scope="module")
def run(source: DataSource) -> Iterator[PipelineRunResponse]:
    register("ftvr", "offline", activate=True)
    done = tracked_training(source)
    assert done is not None
    yield done
    Client().activate_stack("default")
    unregister("ftvr")


def test_a_step_and_its_training_share_one_run(run: PipelineRunResponse) -> None:
    metadata = run.steps["train_baseline"].run_metadata
    model: TrainedModel = run.steps["train_baseline"].outputs["model"][0].load()
    assert model.tracked is not None
    assert model.tracked.run_id == metadata["wandb_run_id"]
    assert model.tracked.offline_folder == metadata["wandb_offline_folder"]
    assert model.tracked.project == "zenml-ftvr"
    folder = Path(str(metadata["wandb_offline_folder"]))
    assert (folder / f"run-{model.tracked.run_id}.wandb").is_file()


def test_an_offline_step_shows_how_to_upload_and_no_link(run: PipelineRunResponse) -> None:
    metadata = run.steps["train_baseline"].run_metadata
    assert metadata["wandb_sync_command"] == f"wandb sync {metadata['wandb_offline_folder']}"
    assert not [name for name in metadata if "url" in name]
    assert not [value for value in metadata.values() if "http" in str(value)]


def test_every_tracked_step_has_a_run_of_its_own(run: PipelineRunResponse) -> None:
    ids = {
        run.steps[name].run_metadata["wandb_run_id"]
        for name in ("train_baseline", "evaluate_model")
    }
    assert len(ids) == 2
    assert "wandb_run_id" not in run.steps["load_data"].run_metadata
    assert wandb.run is None
