"""A canary for a key: it is used, and it is nowhere to be found."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from pathlib import Path

import hand_made
import pytest
import wandb
from wandb_server import KEY, WandbServer

from zenml_ftvr.errors import TrackingError
from zenml_ftvr.tracking import RunDescription, TrackedArtifact, open_run, report_content
from zenml_ftvr.tracking.wandb import publish_kept, wait_until_written
from zenml_ftvr.values import TrackingSettings

CANARY = KEY.encode()
DATA = TrackedArtifact(name="exp-data", kind="dataset", fingerprint="d1", metadata={})
MODEL = TrackedArtifact(name="exp-head", kind="model", fingerprint="m1", metadata={})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that is written is written here."""
    for name in ("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "TMPDIR"):
        place = tmp_path / name.lower()
        place.mkdir()
        monkeypatch.setenv(name, str(place))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _command_lines() -> Iterator[bytes]:
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                yield (process / "cmdline").read_bytes()
            except OSError:  # it has ended
                continue


def _holding(folder: Path) -> list[str]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 10
    return [str(file) for file in files if CANARY in file.read_bytes()]


def _write(mode: str, folder: Path) -> None:
    settings = TrackingSettings(mode=mode, project="p")  # type: ignore[arg-type]
    described = RunDescription(
        name=f"run-{mode}", group="exp", job_type="train", tags=("head",), config={"seed": 1}
    )
    with open_run(settings, described) as run:
        run.uses(DATA)
        run.log({"train/loss": 1.0}, 1)
        run.attach("ftvr/ranking", ["approach"], [["head"]])
        run.makes(MODEL)
        run.register(MODEL, "model")
        content = report_content(
            hand_made.recommendation(),
            (),
            hand_made.evaluation(),
            title="T",
            experiment="exp",
        )
        run.publish(content, folder / mode / "wandb_report.json")
        tracked = run.tracked()
        if Path("/proc").is_dir():
            lines = list(_command_lines())
            assert any(b"wandb-core" in line for line in lines)
            assert not [line for line in lines if CANARY in line]
    if tracked is not None and tracked.offline_folder is not None:
        wait_until_written(Path(tracked.offline_folder))


def test_the_key_is_in_no_file_no_argument_and_no_output(
    wandb_server: WandbServer, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _write("online", folder)
    _write("offline", folder)
    list(publish_kept(folder / "offline", lambda *_: None, folder))
    wandb.teardown()  # which writes the last logs
    assert wandb_server.requests
    assert wandb_server.refused == 0
    assert _holding(folder) == []
    assert not [body for body in wandb_server.bodies if CANARY in body]
    for held in wandb_server.answers.artifacts.values():
        assert not [file for file in held.files.values() if CANARY in file]
    captured = capfd.readouterr()
    assert KEY not in captured.out
    assert KEY not in captured.err


def test_the_key_is_in_no_exception(
    wandb_server: WandbServer,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _write("offline", folder)
    monkeypatch.setitem(wandb_server.answers._mutations, "upsertView", lambda _: 1 / 0)  # type: ignore[arg-type]
    with pytest.raises(TrackingError) as caught:
        list(publish_kept(folder / "offline", lambda *_: None, folder))
    wandb_server.faults.clear()  # they were meant
    assert KEY not in "".join(traceback.format_exception(caught.value))
    wandb_server.stop()
    with pytest.raises(TrackingError) as caught:
        list(publish_kept(folder / "offline", lambda *_: None, folder))
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in caplog.text


def test_a_malformed_key_is_not_repeated(
    wandb_server: WandbServer,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", f" {KEY}\tx ")
    wandb.teardown()
    try:
        _write("auto", folder)
    except Exception as error:
        assert KEY not in "".join(traceback.format_exception(error))  # noqa: PT017
    assert KEY not in caplog.text
    captured = capfd.readouterr()
    assert KEY not in captured.out + captured.err
    assert os.environ["WANDB_API_KEY"] == f" {KEY}\tx "
