"""Whatever ends a run ends the step's process, and all that this one started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trainer_pipelines
from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunUpdate, StepRunResponse

from zenml_ftvr.cli.setup import register, unregister
from zenml_ftvr.stack.trainer import Trainer
from zenml_ftvr.supervise import ProcessId

PATIENCE_SECONDS = 240.0  # for three processes to load ZenML on a busy machine


class Running:
    """A pipeline in a process of its own, whose step and grandchild are up."""

    def __init__(self, pipeline: str, folder: Path) -> None:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, trainer_pipelines.__file__, pipeline, str(folder)],
            cwd=Path(trainer_pipelines.__file__).parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that a signal to it is a signal to nothing else
        )
        file = folder / "pids"
        until(lambda: file.exists() or self.process.poll() is not None)
        assert file.exists(), self.process.communicate()[0]
        found = [ProcessId.of(int(pid)) for pid in file.read_text().split()]
        self.family = [one for one in found if one is not None]
        assert len(self.family) == 2

    def step(self) -> StepRunResponse:
        return (
            Client()
            .list_run_steps(name="has_a_grandchild", size=1, sort_by="desc:created", hydrate=True)
            .items[0]
        )

    def ends(self) -> str:
        output, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        until(lambda: not any(one.is_alive for one in self.family))
        return output


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


@pytest.fixture(scope="module", autouse=True)
def _stack() -> Iterator[None]:
    register("ftvr", "offline", activate=True)
    yield
    Client().activate_stack("default")
    unregister("ftvr")


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[str], Running]]:
    begun: list[Running] = []

    def begin_pipeline(name: str) -> Running:
        begun.append(Running(name, tmp_path))
        return begun[-1]

    yield begin_pipeline
    for one in begun:
        one.process.kill()
        one.process.communicate()


Begin = Callable[[str], Running]


def test_an_interrupted_run_leaves_nothing_and_says_so(begin: Begin) -> None:
    run = begin("stays")
    run.process.send_signal(signal.SIGINT)
    run.ends()
    assert run.process.returncode != 0
    step = run.step()
    assert step.status == ExecutionStatus.STOPPED
    assert step.exception_info is not None
    assert "was stopped on request" in str(step.exception_info.message)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pipeline", "number"),
    [
        ("stays", signal.SIGTERM),
        ("stays", signal.SIGKILL),
        ("stays_dynamically", signal.SIGINT),
        ("stays_dynamically", signal.SIGTERM),
        ("stays_beside_others", signal.SIGINT),
        ("stays_beside_others", signal.SIGKILL),
    ],
)
def test_a_run_that_is_ended_from_outside_leaves_nothing(
    begin: Begin, pipeline: str, number: signal.Signals
) -> None:
    run = begin(pipeline)
    run.process.send_signal(number)
    run.ends()
    assert run.process.returncode != 0


@pytest.mark.slow
def test_a_step_can_be_cancelled_from_another_process(begin: Begin) -> None:
    run = begin("stays")
    trainer = Client().active_stack.step_operator
    assert isinstance(trainer, Trainer)
    step = run.step()
    assert trainer.get_status(step) == ExecutionStatus.RUNNING
    assert os.getpgid(run.family[0].pid) == run.family[0].pid
    trainer.cancel(step)
    assert not any(one.is_alive for one in run.family)
    assert trainer.get_status(step) == ExecutionStatus.STOPPED
    output = run.ends()
    assert run.process.returncode == 1
    assert "was stopped on request (SIGTERM)" in output


@pytest.mark.slow
def test_a_run_that_is_stopped_in_the_store_ends(begin: Begin) -> None:
    """As the dashboard and `zenml pipeline runs stop` do it."""
    run = begin("stays")
    step = run.step()
    Client().zen_store.update_run(
        step.pipeline_run_id, PipelineRunUpdate(status=ExecutionStatus.STOPPING)
    )
    run.ends()
    assert run.process.returncode != 0
    assert run.step().status == ExecutionStatus.STOPPED
    assert Client().get_pipeline_run(step.pipeline_run_id).status == ExecutionStatus.STOPPED
