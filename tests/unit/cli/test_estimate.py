"""`zenml-ftvr estimate`: what it says, what it refuses, and that it loads nothing heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from pydantic import TypeAdapter

from zenml_ftvr.values import ArmCalibration, Calibration, Hardware, ModelSource

Run = Callable[..., Result]

BERT = {
    "model_type": "bert",
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "vocab_size": 30522,
    "type_vocab_size": 2,
    "max_position_embeddings": 512,
}


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A config.json without weights or tokenizer."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(BERT), encoding="utf-8")
    return str(path)


def found(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def test_a_table_ranks_every_approach(run: Run, config: str) -> None:
    result = run("estimate", config, "--rows", "5000", "--accelerator", "T4", "--usd-per-hour", "1")
    assert result.exit_code == 0, result.stderr
    assert "22,713,216 parameters, 6 layers of width 384." in result.stdout
    assert "5,000 rows of 128 tokens, as many as a text is cut at" in result.stdout
    for kind in ("baseline", "head", "contrastive", "partial", "full", "lora", "scratch"):
        assert f" {kind} " in result.stdout
    assert "$" in result.stdout


def test_json_holds_hours_memory_and_what_memory_holds(run: Run, config: str) -> None:
    asked = ("--rows", "5000", "--tokens", "64", "--accelerator", "A100 SXM4 80 GB", "--json")
    answer = found(run("estimate", config, *asked))
    arms = {arm["kind"]: arm for arm in answer["arms"]}
    assert answer["basis"] == "arithmetic"
    assert arms["full"]["usd"] is None  # no price was given
    assert arms["full"]["hours"] > arms["head"]["hours"] > 0
    assert arms["full"]["memory_bytes"]["gradients"] == 4 * 22_713_216
    assert arms["full"]["memory_bytes"]["checkpoint"] == 12 * 22_713_216
    assert arms["lora"]["trained_parameters"] < arms["full"]["trained_parameters"]
    assert arms["baseline"]["memory_bytes"] is None
    assert answer["model"]["kv_cache_bytes_per_token"] == 2 * 6 * 384 * 2


def test_hours_go_with_utilisation_and_devices(run: Run, config: str) -> None:
    def hours(*more: str) -> float:
        asked = ("--rows", "500000", "--accelerator", "L4", "--json")
        arms = found(run("estimate", config, *asked, *more))["arms"]
        return float(next(arm["hours"] for arm in arms if arm["kind"] == "full"))

    assert hours("--utilisation", "0.1") == pytest.approx(
        2 * hours("--utilisation", "0.2"), rel=0.1
    )
    assert hours("--devices", "2") < 0.6 * hours()


def test_a_budget_says_what_does_not_fit_and_why(run: Run, config: str) -> None:
    asked = ("--rows", "200000", "--accelerator", "T4", "--usd", "0.05", "--usd-per-hour", "0.5")
    answer = found(run("estimate", config, *asked, "--json"))
    out = [arm for arm in answer["arms"] if not arm["feasible"]]
    assert {"full", "lora"} <= {arm["kind"] for arm in out}
    assert all("the budget leaves" in arm["problems"][0] for arm in out)
    assert [arm["feasible"] for arm in answer["arms"]] == sorted(
        (arm["feasible"] for arm in answer["arms"]), reverse=True
    )


def test_limits_rule_out_with_numbers(run: Run, config: str) -> None:
    asked = ("--rows", "5000", "--accelerator", "T4", "--parameters", "1000000", "--json")
    arms = {arm["kind"]: arm for arm in found(run("estimate", config, *asked))["arms"]}
    assert "limits.parameters allows 1,000,000" in arms["full"]["problems"][0]
    assert arms["baseline"]["feasible"]


def test_data_is_counted(run: Run, config: str, good_data: str) -> None:
    answer = found(run("estimate", config, "--data", good_data, "--accelerator", "T4", "--json"))
    rows = answer["rows"]
    assert rows["train"] + rows["validation"] + rows["test"] == 60
    assert rows["classes"] == 2
    assert "no tokenizer.json" in answer["said"][0]


def test_this_machine_is_measured_where_no_accelerator_is_named(
    run: Run, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zenml_ftvr.hardware.shutil.which", lambda name: None)
    answer = found(run("estimate", config, "--rows", "1000", "--json"))
    assert answer["machine"]["device"] == "cpu"
    assert "GFLOP/s in products of matrices just now" in answer["said"][1]


def test_a_card_that_nvidia_smi_lists_is_found(
    run: Run, config: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'Tesla T4, 15360'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    answer = found(run("estimate", config, "--rows", "1000", "--json"))
    assert answer["machine"]["device_memory_gib"] == 15.0
    assert "T4: 8 TFLOP/s in fp32" in answer["said"][1]


def test_a_stored_calibration_corrects(run: Run, config: str, tmp_path: Path) -> None:
    arm = ArmCalibration(
        kind="full",
        seconds_per_step=2.0,
        batch_size=16,
        n_steps_timed=5,
        seconds_per_eval_row=0.0,
        setup_seconds=0.0,
        save_seconds=0.0,
        peak_memory_gib=1.5,
        n_params=22_713_216,
        n_trainable=22_713_216,
        mean_tokens=64.0,
        longest_tokens=128,
    )
    calibration = Calibration(
        hardware=Hardware(
            device="cpu",
            device_name="made by hand",
            n_devices=1,
            cores=1,
            memory_gib=16.0,
            device_memory_gib=None,
        ),
        model=ModelSource(),
        data_fingerprint="d",
        arms=(arm,),
        process_memory_gib=0.5,
        seconds=9.0,
        max_length=128,
    )
    path = tmp_path / "value.json"
    value = TypeAdapter(Calibration).dump_python(calibration, mode="json")
    path.write_text(json.dumps({"schema_version": 1, "type": "Calibration", "value": value}))
    asked = ("--rows", "10000", "--tokens", "64", "--calibration", str(path), "--json")
    answer = found(run("estimate", config, *asked))
    full = next(one for one in answer["arms"] if one["kind"] == "full")
    assert answer["basis"] == "calibrated"
    assert full["hours"] * 3600 == pytest.approx(2.0 * 4 * 7_000 / 16, rel=0.01)
    others = [one for one in answer["arms"] if one["kind"] != "full"]
    assert all("was not calibrated" in one["problems"][0] for one in others)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "say how much data there is: --rows N"),
        (["--rows", "5"], "--rows is 5; fewer than 10"),
        (["--rows", "100", "--tokens", "-1"], "--tokens is -1.0; it must be above 0"),
        (["--rows", "100", "--accelerator", "A1000"], "--accelerator 'A1000' is unknown."),
        (["--rows", "100", "--utilisation", "40"], "it is a share, at most 1"),
        (["--rows", "100", "--usd", "3"], "has no price"),
        (["--rows", "100", "--calibration", "nowhere.json"], "holds no calibration"),
        (["--rows", "100", "--classes", "1"], "--classes is 1"),
    ],
)
def test_what_cannot_be_is_one_line(run: Run, config: str, asked: list[str], said: str) -> None:
    result = run("estimate", config, *asked)
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no readable JSON"),
        ("[1]", "holds no mapping"),
        ('{"model_type": "mamba"}', "whose size cannot be worked out"),
    ],
)
def test_a_configuration_that_says_nothing_is_one_line(
    run: Run, tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content)
    result = run("estimate", str(path), "--rows", "100")
    assert result.exit_code == 1
    assert said in result.stderr


def test_a_model_that_is_not_here_is_not_downloaded(run: Run) -> None:
    result = run("estimate", "nobody/nothing", "--rows", "100")
    assert result.exit_code == 1
    assert "estimate downloads nothing" in result.stderr


def test_nothing_heavy_is_loaded(config: str) -> None:
    code = (
        "import sys\n"
        "from zenml_ftvr.cli import cli\n"
        f"cli.main(['estimate', {config!r}, '--rows', '1000'], standalone_mode=False)\n"
        "heavy = {'torch', 'transformers', 'peft', 'wandb', 'zenml', 'ray'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
