"""Copies of trainings in an artifact store that is elsewhere: a bucket in memory."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fake_bucket import FakeBucket, make_bucket

from zenml_ftvr.stack.remote_files import ArtifactStoreFiles, files_of_active_store
from zenml_ftvr.train.checkpoints import commit, last_whole
from zenml_ftvr.train.mirror import Mirror

RUN = f"{'a' * 16}-{'b' * 16}"


@pytest.fixture
def bucket() -> FakeBucket:
    return make_bucket()


@pytest.fixture
def files(bucket: FakeBucket) -> ArtifactStoreFiles:
    return ArtifactStoreFiles(bucket)


def test_files_are_sent_listed_brought_and_removed(
    files: ArtifactStoreFiles, bucket: FakeBucket, tmp_path: Path
) -> None:
    here, back = tmp_path / "here", tmp_path / "back"
    here.write_bytes(b"content")
    assert files.names("run") == []
    for name in ("run/a/b", "run/c", "other/d"):
        files.put(here, name)
    assert sorted(files.names("run")) == ["run/a/b", "run/c"]
    assert sorted(files.names("")) == ["other/d", "run/a/b", "run/c"]
    assert bucket.names() == ["ftvr_runs/other/d", "ftvr_runs/run/a/b", "ftvr_runs/run/c"]
    files.get("run/a/b", back)
    assert back.read_bytes() == b"content"
    files.remove("run/c")
    files.remove("nothing")
    assert files.names("run") == ["run/a/b"]
    files.remove("run")
    assert files.names("run") == []


def test_a_checkpoint_comes_back_whole(files: ArtifactStoreFiles, tmp_path: Path) -> None:
    checkpoint = tmp_path / "here" / RUN / "seed-0" / "checkpoint-4"
    (checkpoint / "deep").mkdir(parents=True)
    (checkpoint / "deep" / "weights").write_bytes(b"w" * 1000)
    (checkpoint / "trainer_state.json").write_text('{"best_model_checkpoint": null}')
    commit(checkpoint, {})
    mirror = Mirror(files, tmp_path / "here" / RUN)
    mirror.follow()
    time.sleep(1.0)  # it looks twice a second
    mirror.stop()
    other = tmp_path / "there" / RUN
    other.mkdir(parents=True)
    Mirror(files, other).fetch()
    found = last_whole(other / "seed-0")
    assert found is not None
    assert (found / "deep" / "weights").read_bytes() == b"w" * 1000


def test_nothing_is_copied_where_the_store_is_on_this_machine() -> None:
    assert files_of_active_store() is None
