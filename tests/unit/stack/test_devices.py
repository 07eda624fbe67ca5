"""Which graphics cards a step is given."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.stack.devices import choose_gpus, one_at_a_time, visible_gpus
from zenml_ftvr.supervise import Limits, ProcessId, ProcessRecord


def _running(folder: Path, step: str, gpus: tuple[str, ...]) -> None:
    """A record whose process runs: this one."""
    me = ProcessId.of(os.getpid())
    assert me is not None
    ProcessRecord(
        step=step, host=socket.gethostname(), supervisor=me, limits=Limits(), gpus=gpus
    ).write(folder / f"{step}.json")


@pytest.mark.parametrize(
    ("named", "seen"),
    [("0,1", ["0", "1"]), ("GPU-8f2a, 3", ["GPU-8f2a", "3"]), ("", []), ("-1", [])],
)
def test_what_the_environment_names_is_what_is_there(
    monkeypatch: pytest.MonkeyPatch, named: str, seen: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == seen


def test_without_a_name_the_driver_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: GPU-1)'\necho 'GPU 1: A (UUID: GPU-2)'\n")
    driver.chmod(0o755)
    assert visible_gpus() == ["0", "1"]


def test_none_are_wanted_and_none_are_given(tmp_path: Path) -> None:
    assert choose_gpus("train", 0, ["0"], tmp_path) == ()


def test_what_a_running_step_has_is_not_given_again(tmp_path: Path) -> None:
    _running(tmp_path, "other", ("0",))
    assert choose_gpus("train", 1, ["0", "1"], tmp_path) == ("1",)


def test_what_an_ended_step_had_is_free(tmp_path: Path) -> None:
    gone = ProcessId(pid=os.getpid(), started=-1.0)  # a number that this process has now
    ProcessRecord(
        step="other", host=socket.gethostname(), supervisor=gone, limits=Limits(), gpus=("0",)
    ).write(tmp_path / "other.json")
    assert choose_gpus("train", 1, ["0"], tmp_path) == ("0",)


def test_too_many_are_refused_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'train' asks for 2 GPUs.*shows 1"):
        choose_gpus("train", 2, ["0"], tmp_path)


def test_too_few_free_ones_are_refused_with_who_has_them(tmp_path: Path) -> None:
    _running(tmp_path, "other", ("0", "1"))
    with pytest.raises(ConfigurationError, match=r"1 of 3 are free; other runs on the others"):
        choose_gpus("train", 2, ["0", "1", "2"], tmp_path)


def test_only_one_chooses_at_a_time(tmp_path: Path) -> None:
    import fcntl

    with (
        one_at_a_time(tmp_path),
        (tmp_path / "lock").open("w") as other,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (tmp_path / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
