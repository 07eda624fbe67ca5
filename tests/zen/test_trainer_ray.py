"""A step as a task of a real Ray cluster on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trainer_pipelines
from zenml.client import Client

from zenml_ftvr.cli.setup import register, unregister
from zenml_ftvr.stack.trainer import Trainer
from zenml_ftvr.supervise import ProcessId

pytest.importorskip("ray")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 2, "gcs_server_port": port, "include_dashboard": False},
        )
        yield cluster.address
        cluster.shutdown()


@pytest.fixture(scope="module", autouse=True)
def _stack() -> Iterator[None]:
    register("ftvr", "offline", activate=True, usd_per_hour=0.5)
    yield
    Client().activate_stack("default")
    unregister("ftvr")


def test_a_step_runs_on_the_cluster_with_its_settings(address: str) -> None:
    done = trainer_pipelines.on_ray(address)
    assert done is not None
    step = Client().get_pipeline_run(done.id).steps["look_around"]
    seen = step.outputs["seen"][0].load()
    assert seen["variable"] == "there"
    assert (seen["threads"], seen["torch_threads"]) == (1, 1)
    assert seen["pid"] == seen["group"] != os.getpid()
    assert step.run_metadata["trainer_target"] == "ray"


def test_a_limit_holds_on_the_node_and_its_error_comes_back(address: str) -> None:
    with pytest.raises(RuntimeError, match="fills_memory"):
        trainer_pipelines.too_much_on_ray(address)
    newest = Client().list_pipeline_runs(size=1, sort_by="desc:created").items[0]
    failed = Client().get_pipeline_run(newest.id).steps["fills_memory"]
    assert failed.exception_info is not None
    assert "its limit is 1 GiB" in str(failed.exception_info.message)


def test_cancelling_leaves_nothing_on_the_node(address: str, tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, trainer_pipelines.__file__, "stays_on_ray", str(tmp_path), address],
        cwd=Path(trainer_pipelines.__file__).parent,
    )
    deadline = time.monotonic() + 240
    while not (tmp_path / "pids").exists():
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    family = [ProcessId.of(int(pid)) for pid in (tmp_path / "pids").read_text().split()]
    assert None not in family
    step = Client().list_run_steps(name="has_a_grandchild", size=1, sort_by="desc:created").items[0]
    trainer = Client().active_stack.step_operator
    assert isinstance(trainer, Trainer)
    trainer.cancel(step)
    while any(one is not None and one.is_alive for one in family):
        assert time.monotonic() < deadline  # Ray has to notice that nobody waits any more
        time.sleep(0.1)
    assert run.wait(120) != 0
