"""The local disk is gone, and ZenML's S3 artifact store is all that is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trainer_pipelines
from zenml.client import Client

from zenml_ftvr.stack.remote_files import ArtifactStoreFiles, files_of_active_store
from zenml_ftvr.values import TrainedModel

pytest.importorskip("moto.server", reason="moto is not among the requirements")
pytest.importorskip("s3fs", reason="s3fs comes with ZenML's S3 integration")

BUCKET = "checkpoints"
CREDENTIALS = {"key": "testing", "secret": "testing"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A local S3: moto's server in this process."""
    from moto.server import ThreadedMotoServer

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(scope="module", autouse=True)
def _stack(endpoint: str) -> Iterator[None]:
    import boto3

    boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=CREDENTIALS["key"],
        aws_secret_access_key=CREDENTIALS["secret"],
    ).create_bucket(Bucket=BUCKET)
    client = Client()
    client.create_stack_component(
        name="s3",
        flavor="s3",
        component_type="artifact_store",
        configuration={
            "path": f"s3://{BUCKET}/zenml",
            **CREDENTIALS,
            "client_kwargs": {"endpoint_url": endpoint, "region_name": "us-east-1"},
        },
    )
    client.create_stack("in_s3", {"orchestrator": "default", "artifact_store": "s3"})
    client.activate_stack("in_s3")
    yield
    client.activate_stack("default")


@pytest.fixture
def files() -> ArtifactStoreFiles:
    found = files_of_active_store()
    assert found is not None
    return found


def test_files_are_sent_listed_brought_and_removed(
    files: ArtifactStoreFiles, tmp_path: Path
) -> None:
    assert files.names("run") == []
    here = tmp_path / "file"
    here.write_bytes(b"one" * 100_000)
    for name in ("run/a/b", "run/c", "other/d"):
        files.put(here, name)
    assert sorted(files.names("run")) == ["run/a/b", "run/c"]
    assert sorted(files.names("")) == ["other/d", "run/a/b", "run/c"]
    files.get("run/a/b", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == here.read_bytes()
    here.write_bytes(b"two")
    files.put(here, "run/c")
    files.get("run/c", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"two"
    files.remove("run/c")
    files.remove("run/c")
    files.remove("nothing")
    assert files.names("run") == ["run/a/b"]
    files.remove("run")
    files.remove("other")
    assert files.names("") == []


def test_nothing_is_copied_where_the_store_is_on_this_machine() -> None:
    client = Client()
    client.activate_stack("default")
    assert files_of_active_store() is None
    client.activate_stack("in_s3")


class Machine:
    """A process with a disk of its own for caches; the store and the ZenML database stay."""

    def __init__(self, disk: Path, data_file: Path, base: Path) -> None:
        self.disk, self._data, self._base = disk, data_file, base

    def run(self, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ZENML_FTVR_CACHE": str(self.disk), **more}
        environment |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        return subprocess.run(
            [
                sys.executable,
                trainer_pipelines.__file__,
                "trains_in_steps",
                str(self._data),
                str(self._base),
            ],
            cwd=Path(trainer_pipelines.__file__).parent,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )


def _last_model() -> TrainedModel:
    run = Client().list_pipeline_runs(sort_by="desc:created", size=1, hydrate=True).items[0]
    model: TrainedModel = run.steps["finetune_full"].outputs["model"][0].load()
    return model


@pytest.mark.slow
def test_with_the_disk_gone_the_next_run_goes_on_from_the_store(
    files: ArtifactStoreFiles, data_file: Path, base_folder: Path, tmp_path: Path
) -> None:
    first = Machine(tmp_path / "first", data_file, base_folder)
    killed = first.run(KILL_AT_STEP="23")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    names = files.names("")
    marks = [name for name in names if name.endswith("whole.json")]
    assert 1 <= len(marks) <= 2
    assert [name for name in names if name.endswith("attempts.jsonl")]
    shutil.rmtree(first.disk)

    second = Machine(tmp_path / "second", data_file, base_folder)
    done = second.run()
    assert done.returncode == 0, done.stderr
    resumed = _last_model()
    assert [entry.what for entry in resumed.ledger.entries] == ["failed attempt", "training"]
    (said,) = [note for note in resumed.notes if "went on from" in note]
    step = int(said.split()[-1].rstrip("."))
    assert 23 - 5 <= step < 23  # at most one save interval was lost
    assert files.names("") == []

    alone = Machine(tmp_path / "third", data_file, base_folder)
    done = alone.run(KILL_AT_STEP="")
    assert done.returncode == 0, done.stderr
    undisturbed = _last_model()
    assert undisturbed.notes == ()
    assert _weights(resumed) == _weights(undisturbed)
    assert json.dumps([(p.step, p.metric, p.value) for p in resumed.curve]) == json.dumps(
        [(p.step, p.metric, p.value) for p in undisturbed.curve]
    )


def _weights(model: TrainedModel) -> bytes:
    return (Path(model.path) / "model.safetensors").read_bytes()
