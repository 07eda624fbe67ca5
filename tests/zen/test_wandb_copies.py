"""The copy of an offline run in an artifact store that is elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from fake_bucket import FakeBucket, make_bucket

from zenml_ftvr.stack import copies
from zenml_ftvr.stack.copies import OfflineCopy, copy_of

SETTINGS = {"silent": True, "console": "off", "x_transaction_log_flush_interval": 0.1}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """An open offline run that is written to disk at once."""
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    yield wandb.init(project="p", mode="offline", settings=wandb.Settings(**SETTINGS))
    wandb.finish()


@pytest.fixture
def bucket() -> FakeBucket:
    return make_bucket()


def _copy(run: Any, bucket: FakeBucket) -> OfflineCopy:
    folder = Path(run.dir).parent
    uri = copy_of(str(folder), bucket)
    assert uri == f"{bucket.path}/ftvr_wandb/{folder.name}"
    return OfflineCopy(folder, uri, bucket)


def _held(run: Any, bucket: FakeBucket, name: str) -> bytes:
    with bucket.open(f"{bucket.path}/ftvr_wandb/{Path(run.dir).parent.name}/{name}", "rb") as file:
        content: bytes = file.read()
    return content


def test_it_is_kept_up_to_date_while_the_run_is_written(
    run: Any, bucket: FakeBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that vanishes has left what it had written."""
    monkeypatch.setattr(copies, "EVERY_SECONDS", 0.1)
    copy = _copy(run, bucket)
    name = f"run-{run.id}.wandb"
    sizes = []
    for _ in range(2):
        for step in range(50):
            run.log({"train/loss": 1.0, "train/global_step": step})
        time.sleep(1.5)
        sizes.append(len(_held(run, bucket, name)))
    assert 0 < sizes[0] < sizes[1]
    run.finish()
    copy.end()


def test_in_the_end_it_is_the_whole_run_with_the_files_of_its_tables(
    run: Any, bucket: FakeBucket
) -> None:
    copy = _copy(run, bucket)
    run.log({"t": wandb.Table(columns=["a"], data=[["x"]])})
    folder = Path(run.dir).parent
    run.finish()
    copy.end()
    name = f"run-{run.id}.wandb"
    assert _held(run, bucket, name) == (folder / name).read_bytes()
    below = f"ftvr_wandb/{folder.name}/"
    names = [one.removeprefix(below) for one in bucket.names() if one.startswith(below)]
    assert [one for one in names if one.startswith("ftvr_staged/")]
    assert [one for one in names if one.startswith("files/media/table/")]
    assert "ftvr_copy.json" in names


def test_a_store_that_fails_is_warned_of_and_costs_no_step(
    run: Any,
    bucket: FakeBucket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: Any) -> None:
        raise PermissionError("read only")

    copy = _copy(run, bucket)
    monkeypatch.setattr(bucket, "open", fail)
    run.finish()
    with caplog.at_level(logging.WARNING, logger="zenml_ftvr"):
        copy.end()
    [record] = [one for one in caplog.records if one.name.startswith("zenml_ftvr")]
    assert "PermissionError" in record.getMessage()
    assert str(Path(run.dir).parent) in record.getMessage()


def test_nothing_is_copied_where_the_store_is_on_this_machine() -> None:
    assert copies.active_store() is None
    assert copy_of("/runs/offline-run-1", None) is None
