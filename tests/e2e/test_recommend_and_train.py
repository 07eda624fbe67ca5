"""The ready pipeline, started as a user starts it, from an installed package and another folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tests.e2e.conftest import BIN, MODULES, PIPELINE

Run = Callable[..., subprocess.CompletedProcess[str]]
Record = dict[str, Any]

CONFIGURATION = """\
parameters:
  data:
    name: reviews.csv
    text_column: body
    label_column: module
  budget:
    hours: 0.1
  usd_per_hour: 0.60
  approaches: [baseline, {kind: scratch, epochs: 8}]
  also_train: best_neural
  task: {max_length: 64}
"""

READ_BACK = str(Path(__file__).parent / "read_back.py")


@pytest.fixture(scope="module")
def configuration(home: Path, csv_file: Path) -> Path:
    path = home / "reviews.yaml"
    path.write_text(CONFIGURATION)
    return path


@pytest.fixture(scope="module")
def started(
    run: Run, configuration: Path, home: Path
) -> tuple[subprocess.CompletedProcess[str], Record]:
    """The first run, on a stack with our tracker, and what the store and the report say of it."""
    made = run(str(BIN / "zenml-ftvr"), "setup", "--activate")
    assert made.returncode == 0, made.stdout
    done = run(str(BIN / "zenml"), "pipeline", "run", PIPELINE, "-c", configuration.name)
    assert done.returncode == 0, done.stdout[-4000:]
    read = run(sys.executable, "-W", "ignore", READ_BACK)  # at once: other tests make other runs
    assert read.returncode == 0, read.stdout
    record = cast(Record, json.loads(read.stdout.splitlines()[-1]))
    folder = home / "ftvr_report"
    record["page"] = (folder / "report.html").read_text()
    record["markdown"] = (folder / "report.md").read_text()
    return done, record


@pytest.fixture(scope="module")
def first(
    started: tuple[subprocess.CompletedProcess[str], Record],
) -> subprocess.CompletedProcess[str]:
    """The first run's output."""
    return started[0]


@pytest.fixture(scope="module")
def record(started: tuple[subprocess.CompletedProcess[str], Record]) -> Record:
    """What the store says of the first run."""
    return started[1]


def test_only_the_chosen_branch_runs(record: Record) -> None:
    assert record["status"] == "completed"
    assert set(record["steps"]) == {
        "load_data",
        "profile_data",
        "calibrate",
        "run_pilots",
        "recommend_approach",
        "train_baseline",
        "train_from_scratch",  # asked for beside the choice: one arm with a curve
        "evaluate_model",
        "record_outcome",
        "publish_report",
    }
    assert set(record["steps"].values()) == {"completed"}
    assert record["choice"] == "baseline"


def test_what_was_trained_beats_the_top_class_by_far(record: Record) -> None:
    assert record["accuracy"]["baseline"] > record["majority"] + 0.3
    assert record["accuracy"]["scratch"] > record["majority"] + 0.2


def test_every_second_is_in_the_ledger_and_within_the_budget(record: Record) -> None:
    entries = [(what, kind) for what, kind, *_ in record["ledger"]]
    assert entries == [
        ("calibration", None),
        ("cross-validation", None),
        ("training", "baseline"),
        ("training", "scratch"),
        ("evaluation", "baseline"),
        ("evaluation", "scratch"),
        ("evaluation", None),  # what was measured besides scores
    ]
    predicted = {
        (what, kind): predicted for what, kind, _, predicted in record["ledger"] if kind is not None
    }
    assert all(seconds > 0 for seconds in predicted.values())
    assert 0 < record["spent_usd"] < 0.1 * 0.60


def test_progress_and_the_report_are_shown(
    first: subprocess.CompletedProcess[str], home: Path
) -> None:
    assert "training scratch" in first.stdout
    assert " left" in first.stdout
    assert str(home / "ftvr_report" / "report.html") in first.stdout


def test_the_report_says_what_the_store_says(record: Record) -> None:
    page = record["page"]
    assert f"{record['accuracy']['baseline']:.3f}" in page
    assert f"{record['accuracy']['scratch']:.3f}" in page
    assert "<script" not in page
    assert record["paths"]["train_baseline"] in page
    assert "Leave the neural network alone" in page
    assert "Leave the neural network alone" in record["markdown"]


def test_each_training_is_one_wandb_run_with_loss_and_plan(record: Record, run: Run) -> None:
    folders = record["offline"]
    assert len(set(folders.values())) == 2
    (file,) = Path(folders["train_from_scratch"]).glob("run-*.wandb")
    shown = run(str(BIN / "wandb"), "leet", "inspect", "--json", str(file))
    assert shown.returncode == 0, shown.stdout
    assert shown.stdout.count('"train/loss"') > 10
    assert '"eval/accuracy"' in shown.stdout
    assert "plan_fingerprint" in shown.stdout
    assert "ftvr/recommendation" in shown.stdout


def test_the_trained_models_answer_in_another_process(
    record: Record, real_rows: list[tuple[str, str]], run: Run
) -> None:
    texts = [text for text, _ in real_rows[:40]]
    truth = [label for _, label in real_rows[:40]]
    for path in record["paths"].values():
        lines = (
            "import json, sys, zenml_ftvr\n"
            "model = zenml_ftvr.load(sys.argv[1])\n"
            "print(json.dumps([[a.label, a.probability, sum(a.probabilities.values())]\n"
            "                  for a in model.predict(json.loads(sys.argv[2]))]))"
        )
        done = run(sys.executable, "-W", "ignore", "-c", lines, path, json.dumps(texts))
        assert done.returncode == 0, done.stdout
        answers = json.loads(done.stdout.splitlines()[-1])
        assert {label for label, *_ in answers} <= set(MODULES)
        assert all(total == pytest.approx(1) for *_, total in answers)
        hits = sum(label == right for (label, *_), right in zip(answers, truth, strict=True))
        assert hits > 28  # of 40, most of them training rows; chance is 10


def test_the_second_run_does_not_train_again(
    first: subprocess.CompletedProcess[str], record: Record, run: Run, configuration: Path
) -> None:
    again = run(str(BIN / "zenml"), "pipeline", "run", PIPELINE, "-c", configuration.name)
    assert again.returncode == 0, again.stdout[-4000:]
    assert "training scratch" not in again.stdout
    done = run(sys.executable, "-W", "ignore", READ_BACK)
    second = json.loads(done.stdout.splitlines()[-1])
    cached = {name for name, status in second["steps"].items() if status == "cached"}
    assert cached == set(second["steps"]) - {"load_data", "publish_report"}
    assert second["accuracy"] == record["accuracy"]


def test_bad_input_ends_in_one_line_and_exit_code_1(
    first: subprocess.CompletedProcess[str], run: Run, home: Path
) -> None:
    path = home / "bad.yaml"
    path.write_text(CONFIGURATION.replace("label_column: module", "label_column: modul"))
    failed = run(str(BIN / "zenml"), "pipeline", "run", PIPELINE, "-c", path.name)
    assert failed.returncode == 1
    assert "label column 'modul' is absent. Did you mean 'module'?" in failed.stdout
    assert "Traceback" not in failed.stdout
    assert "calibrat" not in failed.stdout


def test_an_unknown_key_is_refused_before_anything_is_registered(
    first: subprocess.CompletedProcess[str], run: Run, home: Path
) -> None:
    before = run(sys.executable, "-W", "ignore", READ_BACK, "--count").stdout.splitlines()[-1]
    path = home / "bad.yaml"
    path.write_text(CONFIGURATION.replace("hours: 0.1", "hour: 0.1"))
    failed = run(str(BIN / "zenml"), "pipeline", "run", PIPELINE, "-c", path.name)
    assert failed.returncode == 1
    assert "unknown key 'hour' in Budget. Did you mean 'hours'?" in failed.stdout
    assert "Traceback" not in failed.stdout
    after = run(sys.executable, "-W", "ignore", READ_BACK, "--count").stdout.splitlines()[-1]
    assert after == before


@pytest.mark.slow
def test_a_killed_run_leaves_a_store_that_the_next_run_works_with(
    first: subprocess.CompletedProcess[str],
    run: Run,
    home: Path,
    environment: dict[str, str],
    configuration: Path,
) -> None:
    path = home / "longer.yaml"
    path.write_text(CONFIGURATION.replace("epochs: 8", "epochs: 9") + "  seed: 3\n")
    command = [str(BIN / "zenml"), "pipeline", "run", PIPELINE, "-c", path.name]
    log = home / "killed.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command,
            cwd=home,
            env=environment,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        deadline = time.monotonic() + 300
        while "training scratch" not in log.read_text():
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    again = run(*command)
    assert again.returncode == 0, again.stdout[-4000:]
    assert "training scratch" in again.stdout
    assert "calibrating" not in again.stdout  # what was done before the kill is not done again
