"""Processes that are killed, and the next one that goes on: to the same bits."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHILD = Path(__file__).with_name("killed_run.py")
FEW_STEPS = {"max_steps": 26, "warmup_steps": 3, "eval_every_steps": 4}
"""Two and a half epochs of ten steps; a checkpoint every fourth step."""
APPROACHES: dict[str, dict[str, Any]] = {
    "full": {"learning_rate": 3e-3, "batch_size": 16},
    "lora": {"learning_rate": 4e-3, "batch_size": 16, "rank": 4},
    "partial": {"learning_rate": 5e-3, "batch_size": 16, "layers": 1},
    "scratch": {"batch_size": 16, "depth": 2, "vocabulary_size": 400},
}


class Runs:
    """Starts processes that train the same plan, with one cache for all of them."""

    def __init__(self, root: Path, job: dict[str, Any]) -> None:
        self.root = root
        self._job = job
        self._n = 0

    def run(self, kind: str, **die: int) -> tuple[int, str, dict[str, Any]]:
        """Exit code, what it said, and the record, empty for one that did not end."""
        self._n += 1
        job = {
            **self._job,
            "kind": kind,
            "approach": APPROACHES[kind],
            "folder": str(self.root / "model"),
            "record": str(self.root / f"record-{self._n}.json"),
            "die": die,
        }
        path = self.root / f"job-{self._n}.json"
        path.write_text(json.dumps(job))
        environment = {**os.environ, "ZENML_FTVR_CACHE": str(self.root / "cache")}
        environment |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        done = subprocess.run(
            [sys.executable, str(CHILD), str(path)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        record = self.root / f"record-{self._n}.json"
        return (
            done.returncode,
            done.stderr,
            json.loads(record.read_text()) if record.exists() else {},
        )

    def weights(self) -> str:
        """sha256 over the trained weights."""
        files = sorted((self.root / "model").glob("*.safetensors"))
        assert files
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

    def left(self) -> list[str]:
        """The folders of runs that did not end."""
        return [one.name for one in (self.root / "cache" / "runs").iterdir() if one.is_dir()]


@pytest.fixture(scope="session")
def job(make_texts: Callable[..., tuple[list[str], list[str]]], bert_folder: Path) -> Any:
    texts, labels = make_texts(240)
    return {"texts": texts, "labels": labels, "base": str(bert_folder), "fields": FEW_STEPS}


def killed_and_undisturbed(
    kind: str, job: dict[str, Any], tmp_path: Path, *deaths: dict[str, int]
) -> tuple[Runs, Runs, dict[str, Any], dict[str, Any]]:
    """One run that dies as `deaths` say and goes on each time, and one that is left alone."""
    alone, killed = Runs(tmp_path / "alone", job), Runs(tmp_path / "killed", job)
    for runs in (alone, killed):
        runs.root.mkdir()
    code, said, whole = alone.run(kind)
    assert code == 0, said
    for die in deaths:
        code, said, _ = killed.run(kind, **die)
        assert code == -signal.SIGKILL, said
        assert len(killed.left()) == 1
    code, said, resumed = killed.run(kind)
    assert code == 0, said
    return alone, killed, whole, resumed


def same_end(alone: Runs, killed: Runs, whole: dict[str, Any], resumed: dict[str, Any]) -> None:
    assert killed.weights() == alone.weights()
    assert resumed["curve"] == whole["curve"]
    assert killed.left() == []


def test_a_killed_run_ends_with_the_same_bits_and_the_same_curve(
    job: dict[str, Any], tmp_path: Path
) -> None:
    alone, killed, whole, resumed = killed_and_undisturbed(
        "full", job, tmp_path, {"step": 15}, {"save": 2}
    )
    same_end(alone, killed, whole, resumed)
    whats = [what for what, _ in resumed["ledger"]]
    assert whats == ["failed attempt", "failed attempt", "training"]
    assert sum(seconds for what, seconds in resumed["ledger"] if what == "failed attempt") > 0
    assert resumed["seconds"] == pytest.approx(sum(s for _, s in resumed["ledger"]), rel=0.01)
    assert any("went on from the checkpoint after step 16" in said for said in resumed["notes"])
    assert [what for what, _ in whole["ledger"]] == ["training"]
    assert whole["notes"] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_kills_at_random_moments_a_third_of_them_in_a_save_cost_at_most_one_save_interval(
    seed: int, job: dict[str, Any], tmp_path: Path
) -> None:
    """Each later than the one before, so that it comes."""
    rng = random.Random(seed)
    early, late = rng.randint(5, 11), rng.randint(18, 25)
    save = rng.randint(1, 2)
    alone, killed, whole, resumed = killed_and_undisturbed(
        "full", job, tmp_path, {"step": early}, {"save": save}, {"step": late}
    )
    same_end(alone, killed, whole, resumed)
    (said,) = [note for note in resumed["notes"] if "went on from the checkpoint" in note]
    assert 0 <= late - int(said.split()[-1].rstrip(".")) <= FEW_STEPS["eval_every_steps"]
    assert [what for what, _ in resumed["ledger"]] == [*["failed attempt"] * 3, "training"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lora", "partial", "scratch"])
def test_every_approach_goes_on_to_the_same_bits(
    kind: str, job: dict[str, Any], tmp_path: Path
) -> None:
    same_end(*killed_and_undisturbed(kind, job, tmp_path, {"save": 3}, {"step": 23}))


@pytest.mark.slow
def test_a_run_that_is_told_to_stop_saves_and_goes_on(job: dict[str, Any], tmp_path: Path) -> None:
    alone, told = Runs(tmp_path / "alone", job), Runs(tmp_path / "told", job)
    for runs in (alone, told):
        runs.root.mkdir()
    _, _, whole = alone.run("full")
    code, said, record = told.run("full", term=13)
    assert code not in (0, -signal.SIGTERM)
    assert record == {}
    assert "told to stop (SIGTERM) and saved after step 14 of 26" in said
    code, said, resumed = told.run("full")
    assert code == 0, said
    same_end(alone, told, whole, resumed)
    assert any("went on from the checkpoint after step 14" in one for one in resumed["notes"])
