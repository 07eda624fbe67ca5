"""Several workers on this machine train what one would."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from worker_cases import (
    APPROACHES,
    FULL,
    SAME,
    curves_differ_by,
    granted,
    plan_of_few_steps,
    save_model_without_dropout,
    trained,
)

from zenml_ftvr.data import Dataset, write_dataset
from zenml_ftvr.errors import ConfigurationError, TrainingError
from zenml_ftvr.hardware import detect
from zenml_ftvr.models import load
from zenml_ftvr.train import granted_team, run_plan
from zenml_ftvr.train.faults import Interrupted
from zenml_ftvr.train.team import ALONE
from zenml_ftvr.values import (
    Approach,
    Baseline,
    Contrastive,
    Full,
    Hardware,
    Lora,
    TrainedModel,
)


@pytest.fixture(scope="module")
def base(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model_without_dropout(dataset, tmp_path_factory.mktemp("no-dropout"))


def weights(folder: str | Path) -> str:
    files = sorted(Path(folder).glob("*.safetensors"))
    assert files
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def same_answers(one: TrainedModel, other: TrainedModel, dataset: Dataset) -> None:
    texts = dataset.test.texts
    answers = [load(model.path).predict(texts) for model in (one, other)]
    assert [a.label for a in answers[0]] == [a.label for a in answers[1]]


def test_two_workers_have_the_curve_of_one(base: Path, dataset: Dataset, tmp_path: Path) -> None:
    plan = plan_of_few_steps(dataset, base)
    heard: list[str] = []

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        heard.append(f"{what} {done}/{total}")

    logged: list[int] = []
    one = trained(plan, dataset, tmp_path / "one")
    with granted(threads=2, workers=2):
        two = run_plan(
            plan,
            dataset,
            tmp_path / "two",
            detect(),
            progress=progress,
            log=lambda metrics, step: logged.append(step),
            team=granted_team(plan, detect()),
        )
    assert curves_differ_by(one, two) < SAME
    same_answers(one, two, dataset)
    assert {point.step for point in two.curve} == set(logged)
    assert heard[-1] == "training full 26/26"
    assert (two.n_params, two.n_trainable) == (one.n_params, one.n_trainable)
    assert two.peak_memory_gib > 0
    assert [entry.what for entry in two.ledger.entries] == ["training"]


@pytest.mark.slow
@pytest.mark.parametrize("approach", APPROACHES[1:], ids=lambda one: str(one.kind))
def test_every_approach_that_takes_steps_divides_them(
    approach: Approach, base: Path, dataset: Dataset, tmp_path: Path
) -> None:
    plan = plan_of_few_steps(dataset, base, approach)
    one = trained(plan, dataset, tmp_path / "one")
    three = trained(plan, dataset, tmp_path / "three", workers=3)  # 16 rows: 5, 5 and 6
    assert curves_differ_by(one, three) < SAME
    assert three.notes == ("3 workers shared its steps.",)


def test_divided_weights_have_the_curve_of_one_and_load_as_usual(
    base: Path, dataset: Dataset, tmp_path: Path
) -> None:
    plan = plan_of_few_steps(dataset, base)
    one = trained(plan, dataset, tmp_path / "one")
    two = trained(plan, dataset, tmp_path / "two", workers=2, sharding="full")
    assert curves_differ_by(one, two) < SAME
    same_answers(one, two, dataset)
    files = [{file.name for file in Path(model.path).iterdir()} for model in (one, two)]
    assert files[0] == files[1]


class Background:
    """A training in a process of its own, with two workers below it."""

    def __init__(self, base: Path, dataset: Dataset, root: Path, sharding: str = "none") -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        if not (root / "data").exists():
            write_dataset(dataset, root / "data")
        environment = {**os.environ, "ZENML_FTVR_CACHE": str(root / "cache")}
        paths = [Path(__file__).parent, Path(__file__).parents[2], os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("two_workers.py")),
                *(str(one) for one in (base, root / "data", root / "model")),
                sharding,
            ],
            env={**environment, "PYTHONPATH": os.pathsep.join(map(str, paths))},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_step(self, step: int) -> list[psutil.Process]:
        """Until the checkpoint after it is whole; the two workers."""
        until = time.monotonic() + 240
        while not list(self.root.glob(f"cache/runs/*/seed-0/checkpoint-{step}/whole.json")):
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.005)
        family = psutil.Process(self.process.pid).children(recursive=True)
        return [one for one in family if "zenml_ftvr.train.worker" in one.cmdline()]

    def end(self) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        output, errors = self.process.communicate(timeout=240)
        return self.process.returncode, output, errors


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=30)
    return not alive


@pytest.mark.slow
@pytest.mark.parametrize("sharding", ["none", "full"])
def test_killed_workers_go_on_to_the_same_bits(
    sharding: str, base: Path, dataset: Dataset, tmp_path: Path
) -> None:
    alone = Background(base, dataset, tmp_path / "alone", sharding)
    code, _, errors = alone.end()
    assert code == 0, errors
    killed = Background(base, dataset, tmp_path / "killed", sharding)
    workers = killed.wait_for_step(8)
    assert len(workers) == 2
    for worker in workers:
        worker.kill()
    code, _, errors = killed.end()
    assert code == 1
    assert re.search(r"worker [12] of 2 was ended by SIGKILL", errors), errors
    again = Background(base, dataset, tmp_path / "killed", sharding)
    code, notes, errors = again.end()
    assert code == 0, errors
    assert re.search(r"went on from the checkpoint after step (8|12|16|20)", notes), notes
    assert weights(again.root / "model") == weights(alone.root / "model")


@pytest.mark.slow
def test_nothing_runs_on_where_the_process_that_waits_is_killed_and_the_next_goes_on(
    base: Path, dataset: Dataset, tmp_path: Path
) -> None:
    left = Background(base, dataset, tmp_path / "left")
    left.wait_for_step(4)
    family = psutil.Process(left.process.pid).children(recursive=True)
    assert len(family) >= 3
    left.process.kill()
    assert gone(family)
    left.end()
    again = Background(base, dataset, tmp_path / "left")
    code, notes, errors = again.end()
    assert code == 0, errors
    assert "It went on from the checkpoint after step" in notes
    alone = Background(base, dataset, tmp_path / "alone")
    assert alone.end()[0] == 0
    assert weights(again.root / "model") == weights(alone.root / "model")


@pytest.mark.slow
def test_workers_that_are_told_to_stop_save_and_go_on(
    base: Path, dataset: Dataset, tmp_path: Path
) -> None:
    told = Background(base, dataset, tmp_path / "told")
    workers = told.wait_for_step(4)
    told.process.terminate()
    code, _, errors = told.end()
    assert "was told to stop (SIGTERM) and saved after step" in errors
    assert code != 0
    assert gone(workers)
    again = Background(base, dataset, tmp_path / "told")
    code, notes, errors = again.end()
    assert code == 0, errors
    assert "It went on from the checkpoint after step" in notes


@pytest.mark.slow
def test_workers_that_are_told_to_stop_in_the_last_step_leave_the_model_to_write(
    base: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    plan = plan_of_few_steps(dataset, base)

    def tell(metrics: dict[str, float], step: int) -> None:
        if step == plan.max_steps:
            os.kill(os.getpid(), signal.SIGTERM)

    with granted(threads=2, workers=2):
        team = granted_team(plan, detect())
        with pytest.raises(Interrupted, match=r"told to stop \(SIGTERM\)"):
            run_plan(plan, dataset, tmp_path / "model", detect(), log=tell, team=team)
        again = run_plan(plan, dataset, tmp_path / "model", detect(), team=team)
        alone = run_plan(plan, dataset, tmp_path / "alone", detect(), team=team)
    assert any(re.search(r"went on from the checkpoint after step 26", n) for n in again.notes)
    assert weights(again.path) == weights(alone.path)


@pytest.mark.slow
def test_an_error_of_a_worker_comes_back_as_one_of_ours(
    base: Path, dataset: Dataset, tmp_path: Path
) -> None:
    plan = plan_of_few_steps(dataset, base)
    plan = dataclasses.replace(plan, learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"'full' became .* by step \d+\. Lower its learning"):
        trained(plan, dataset, tmp_path / "model", workers=2)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "approach",
    [Baseline(), Contrastive(pairs=8, batch_size=4), Full(batch_size=1)],
    ids=["baseline", "contrastive", "one row"],
)
def test_what_cannot_be_divided_is_trained_by_one_and_says_so(
    approach: Approach, base: Path, dataset: Dataset, hardware: Hardware
) -> None:
    plan = plan_of_few_steps(dataset, base, approach)
    with granted(workers=2):
        team = granted_team(plan, hardware)
    assert team.is_alone
    assert re.search(rf"grants 2 workers; '{plan.kind}' was trained by one", team.notes[0])


def test_that_one_trains_it_is_said_of_the_model(
    base: Path, dataset: Dataset, tmp_path: Path
) -> None:
    plan = dataclasses.replace(plan_of_few_steps(dataset, base, Baseline()), max_steps=0)
    model = trained(plan, dataset, tmp_path / "model", workers=2)
    assert "trained by one: its work is not in steps" in model.notes[0]


def test_a_team_is_no_larger_than_a_batch(base: Path, dataset: Dataset, hardware: Hardware) -> None:
    plan = plan_of_few_steps(dataset, base, Full(batch_size=2, learning_rate=1e-3))
    with granted(workers=3, threads=4):
        team = granted_team(plan, hardware)
    assert (team.workers, team.threads) == (2, 2)
    assert team.notes == ("Of 3 workers, 2 shared its steps: as many as a batch has rows.",)


@pytest.mark.parametrize(
    ("fields", "approach", "said"),
    [
        ({"sharding": "full"}, Lora(batch_size=4), "Set sharding=none for this step"),
        (
            {"target": "ray", "gpu_count": 3, "ray_storage": "/shared"},
            FULL,
            r"3 GPUs, and the trainer's 2 workers cannot share them evenly",
        ),
    ],
)
def test_what_a_team_cannot_do_is_refused(
    fields: dict[str, Any],
    approach: Approach,
    said: str,
    base: Path,
    dataset: Dataset,
    hardware: Hardware,
) -> None:
    plan = plan_of_few_steps(dataset, base, approach)
    with granted(workers=2, **fields), pytest.raises(ConfigurationError, match=said):
        granted_team(plan, hardware)


def test_each_worker_takes_a_card(base: Path, dataset: Dataset, hardware: Hardware) -> None:
    plan = plan_of_few_steps(dataset, base)
    one_card = dataclasses.replace(hardware, device="cuda", device_memory_gib=16.0)
    with granted(workers=2), pytest.raises(ConfigurationError, match="this step sees 1 GPUs"):
        granted_team(plan, one_card)


def test_without_a_grant_one_process_trains(
    base: Path, dataset: Dataset, hardware: Hardware
) -> None:
    assert granted_team(plan_of_few_steps(dataset, base), hardware) is ALONE


def test_a_worker_knows_no_zenml() -> None:
    code = "import sys, zenml_ftvr.train.worker; print(sum(n == 'zenml' for n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "0", done.stderr
