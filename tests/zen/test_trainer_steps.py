"""Steps on the trainer: their processes, settings, logs, retries and errors."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trainer_pipelines
from zenml.client import Client
from zenml.models import PipelineRunResponse

from zenml_ftvr.cli.setup import register, unregister

Failures = dict[str, tuple[str, str]]


@pytest.fixture(scope="module", autouse=True)
def _stack() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZENML_DISABLE_STEP_LOGS_STORAGE", "false")
        patch.setenv("ZENML_LOGGING_VERBOSITY", "INFO")
        patch.setenv("ZENML_DYNAMIC_PIPELINE_MONITORING_INTERVAL", "1")
        patch.delenv("OMP_NUM_THREADS", raising=False)
        register("ftvr", "offline", activate=True, usd_per_hour=0.5)
        yield
        Client().activate_stack("default")
        unregister("ftvr")


@pytest.fixture(scope="module")
def run() -> PipelineRunResponse:
    done = trainer_pipelines.settings_for_each_step()
    assert done is not None
    return Client().get_pipeline_run(done.id)


@pytest.fixture(scope="module")
def seen(run: PipelineRunResponse) -> dict[str, object]:
    value: dict[str, object] = run.steps["look_around"].outputs["seen"][0].load()
    return value


def test_a_step_on_the_trainer_has_a_process_and_a_group_of_its_own(
    run: PipelineRunResponse, seen: dict[str, object]
) -> None:
    assert seen["pid"] == seen["group"]
    assert seen["pid"] != os.getpid()
    assert run.steps["look_around"].run_metadata["trainer_pid"] == seen["pid"]
    assert run.steps["in_the_same_process"].outputs["pid"][0].load() == os.getpid()


def test_settings_of_the_step_win_over_those_registered_and_resources_reach_it(
    seen: dict[str, object],
) -> None:
    assert seen["variable"] == "here"
    assert seen["usd_per_hour"] == 0.5  # as registered
    assert seen["workers"] == 2
    assert (seen["threads"], seen["torch_threads"]) == (1, 1)
    assert seen["devices"] == ""
    assert seen["memory_limit_gib"] == 4  # the lesser of the step's two


def test_the_log_of_the_step_has_whole_lines_also_of_a_grandchild(run: PipelineRunResponse) -> None:
    logs = {one.source: one.uri for one in run.steps["look_around"].log_collection or []}
    records = Path(str(logs["step"])).read_text().splitlines()
    messages = [json.loads(record)["message"].rstrip() for record in records]
    assert "printed in pieces" in messages
    assert "by a grandchild" in messages
    bars = [message for message in messages if "% done" in message]
    assert bars[-1] == "100% done"
    assert len(bars) <= 2  # drawn eleven times within two seconds


def test_a_killed_step_is_tried_again_and_says_what_happened(tmp_path: Path) -> None:
    done = trainer_pipelines.killed_and_tried_again(str(tmp_path))
    assert done is not None
    attempts = sorted(
        Client().list_run_steps(pipeline_run_id=done.id, exclude_retried=False, hydrate=True).items,
        key=lambda one: one.version,
    )
    assert [attempt.status for attempt in attempts] == ["retried", "completed"]
    assert attempts[0].exception_info is not None
    assert "was ended by SIGKILL" in str(attempts[0].exception_info.message)
    assert attempts[1].outputs["attempt"][0].load() == 2


@pytest.fixture(scope="module")
def parallel(tmp_path_factory: pytest.TempPathFactory) -> PipelineRunResponse:
    # In this mode ZenML does not raise for failures that nothing waited for.
    done = trainer_pipelines.side_by_side(str(tmp_path_factory.mktemp("met")))
    assert done is not None
    return Client().get_pipeline_run(done.id)


@pytest.fixture(scope="module")
def failures(parallel: PipelineRunResponse) -> Failures:
    return {
        name: (str(step.exception_info.source), str(step.exception_info.message))
        for name, step in parallel.steps.items()
        if step.exception_info is not None and step.status == "failed"
    }


@pytest.mark.slow
def test_steps_of_a_dynamic_pipeline_run_side_by_side(parallel: PipelineRunResponse) -> None:
    met = [
        step.outputs["met"][0].load()
        for name, step in parallel.steps.items()
        if name.startswith("sleeps_beside")
    ]
    assert sorted(met) == ["one met two", "two met one"]


@pytest.mark.slow
def test_every_failure_is_an_error_of_ours_with_its_number(failures: Failures) -> None:
    assert sorted(failures) == ["exits", "fills_memory", "refuses", "takes_long"]
    assert failures["refuses"] == (
        "zenml_ftvr.errors.DataError",
        "the column 'label' is absent. Pass label_column.",
    )
    ours = "zenml_ftvr.errors.TrainingError"
    assert {failures[name][0] for name in ("exits", "fills_memory", "takes_long")} == {ours}
    assert "called sys.exit(3)" in failures["exits"][1]
    assert "its limit is 1.5 GiB" in failures["fills_memory"][1]
    assert "its limit is wall_hours=0.00416667" in failures["takes_long"][1]
