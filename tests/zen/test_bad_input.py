"""What is wrong ends the ready pipeline before any training, in one error of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from zenml.cli.cli import cli as zenml_cli
from zenml.client import Client
from zenml.utils import source_utils

PIPELINE = "zenml_ftvr.pipelines.recommend_and_train.recommend_and_train"
TRAININGS = ("train_", "finetune_")


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[dict[str, Any]], Result]]:
    """`zenml pipeline run` of the ready pipeline with these parameters."""
    monkeypatch.chdir(tmp_path)
    before = source_utils.get_source_root()

    def invoke(parameters: dict[str, Any]) -> Result:
        Path("ftvr.yaml").write_text(yaml.safe_dump({"parameters": parameters}), encoding="utf-8")
        return CliRunner().invoke(zenml_cli, ["pipeline", "run", PIPELINE, "-c", "ftvr.yaml"])

    yield invoke
    source_utils.set_custom_source_root(before)


@pytest.fixture
def parameters(data_file: Path) -> dict[str, Any]:
    """Without a fault; nothing but the baseline is on offer."""
    return {
        "data": {"name": str(data_file)},
        "budget": {"hours": 0.1},
        "approaches": [{"kind": "baseline"}],
    }


Run = Callable[[dict[str, Any]], Result]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"budget": {"hour": 1}}, "unknown key 'hour' in Budget. Did you mean 'hours'?"),
        ({"budget": {}}, "the budget is empty"),
        ({"budget": {"usd": 1}}, "the machine has no price. Set usd_per_hour"),
        ({"approaches": [{"kind": "lorra"}]}, "unknown approach kind 'lorra'"),
        ({"approaches": []}, "approaches is empty"),
        ({"task": {"max_length": "long"}}, "TextClassification.max_length"),
        ({"tracking": {"mode": "sometimes"}}, "TrackingSettings.mode"),
    ],
)
def test_a_wrong_value_ends_it_before_any_step(
    run: Run, client: Client, parameters: dict[str, Any], wrong: dict[str, Any], said: str
) -> None:
    before = client.list_run_steps().total
    result = run({**parameters, **wrong})
    assert result.exit_code == 1
    [line] = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line
    assert "Traceback" not in result.output
    assert client.list_run_steps().total == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text,label\na,b\nc\n", "line 3: 1 fields where the header has 2"),
        ("text,lable\na,b\n", "label column 'label' is absent. Did you mean 'lable'?"),
        (
            "text,label\n" + "".join(f"text {i},a\n" for i in range(50)),
            "every row has the label 'a'",
        ),
        ("text,label\n", "holds no rows"),
    ],
)
def test_bad_data_ends_it_before_any_training(
    run: Run,
    client: Client,
    parameters: dict[str, Any],
    tmp_path: Path,
    content: str,
    said: str,
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(content, encoding="utf-8")
    result = run({**parameters, "data": {"name": str(bad)}})
    assert result.exit_code == 1
    [line] = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line
    assert "Traceback" not in result.output
    last = client.list_pipeline_runs(sort_by="desc:created", size=1, hydrate=True).items[0]
    assert last.status == "failed"
    assert list(last.steps) == ["load_data"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"approaches": [{"kind": "head"}], "base_model": {"name": "./nowhere"}},
            "base model './nowhere' (tried: a local folder): no such folder",
        ),
        ({"budget": {"hours": 1e-7}}, "the budget"),
    ],
)
def test_a_model_or_budget_that_cannot_be_ends_it_before_any_training(
    run: Run, client: Client, parameters: dict[str, Any], wrong: dict[str, Any], said: str
) -> None:
    result = run({**parameters, **wrong})
    assert result.exit_code == 1
    [line] = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line
    last = client.list_pipeline_runs(sort_by="desc:created", size=1, hydrate=True).items[0]
    assert last.status == "failed"
    assert not [name for name in last.steps if name.startswith(TRAININGS)]
