"""What the trainer refuses when it is registered or configured, and what an image needs of it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from typing import Any

import pytest
import trainer_pipelines
from click.testing import CliRunner, Result
from zenml.cli.cli import cli as zenml_cli
from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.stack import StackComponent

from zenml_ftvr.cli.doctor import examine
from zenml_ftvr.cli.setup import register, unregister
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.stack.trainer import Trainer
from zenml_ftvr.stack.trainer_flavor import TrainerConfig, TrainerSettings

KIND = StackComponentType.STEP_OPERATOR


@pytest.fixture(autouse=True)
def _stack(client: Client) -> Iterator[None]:
    register("ftvr", "offline", activate=True, usd_per_hour=0.5)
    yield
    client.activate_stack("default")
    for component in client.list_stack_components(type=KIND.value).items:
        if component.name != "ftvr_trainer":
            client.delete_stack_component(component.name, KIND)
    unregister("ftvr")


def _zenml(*arguments: str) -> Result:
    return CliRunner().invoke(zenml_cli, ["step-operator", *arguments])


def _create(client: Client, configuration: dict[str, Any]) -> Any:
    return client.create_stack_component("mine", "ftvr_trainer", KIND, configuration)


def test_the_command_line_registers_it_with_numbers_and_mappings(client: Client) -> None:
    done = _zenml(
        "register",
        "mine",
        "--flavor=ftvr_trainer",
        "--usd_per_hour=0.6",
        "--memory_limit_gib=8",
        '--environment={"HF_HUB_OFFLINE": "1"}',
    )
    assert done.exit_code == 0, done.output
    trainer = StackComponent.from_model(client.get_stack_component(KIND, "mine"))
    assert isinstance(trainer, Trainer)
    assert (trainer.config.usd_per_hour, trainer.config.memory_limit_gib) == (0.6, 8)
    assert trainer.config.environment == {"HF_HUB_OFFLINE": "1"}


def test_a_wrong_value_ends_the_command_in_one_line(client: Client) -> None:
    done = _zenml("register", "mine", "--flavor=ftvr_trainer", "--usd_per_hour=cheap")
    assert isinstance(done.exception, SystemExit)
    assert done.exit_code == 1
    assert "the trainer's usd_per_hour: Input should be a valid number" in done.output
    assert client.list_stack_components(name="mine").items == []


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"usd_per_hour": -1}, r"usd_per_hour: Input should be greater than 0; got -1"),
        ({"usd_per_hour": float("inf")}, r"usd_per_hour is inf; it must be a number"),
        ({"memory_limit_gib": 0}, r"memory_limit_gib: Input should be greater than 0"),
        ({"wall_hours": "long"}, r"wall_hours: Input should be a valid number.*got 'long'"),
        ({"workers": 0}, r"workers: Input should be greater than or equal to 1"),
        ({"target": "slurm"}, r"target: Input should be 'local' or 'ray'; got 'slurm'"),
        ({"environment": {"A": 1}}, r"environment\.A: Input should be a valid string"),
        ({"environment": {"A=B": "1"}}, r"cannot set the variable 'A=B'"),
        ({"environment": {"ZENML_FTVR_TRAINER": ""}}, r"cannot set the variable 'ZENML_FTVR"),
        ({"target": "ray"}, r"ray_address is not set\. Give the address"),
        ({"least_workers": 2, "workers": 3}, r"only a Ray cluster can go on with"),
        (
            {"target": "ray", "ray_address": "auto", "workers": 2, "least_workers": 3},
            r"least_workers is 3, and workers, the most, is 2",
        ),
        (
            {"target": "ray", "ray_address": "auto", "workers": 2},
            r"ray_storage is not set: checkpoints must outlive a machine",
        ),
        ({"sharding": "full"}, r"divides a model among workers, and workers is 1"),
        ({"sharding": "half", "workers": 2}, r"sharding: Input should be 'none' or 'full'"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    client: Client, configuration: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        _create(client, configuration)
    assert client.list_stack_components(name="mine").items == []


def test_a_mistyped_attribute_is_refused(client: Client) -> None:
    # ZenML looks at the names before it makes the configuration, so that the error is its own.
    with pytest.raises(ValueError, match="usd_per_huor"):
        _create(client, {"usd_per_huor": 1})
    assert client.list_stack_components(name="mine").items == []


def test_a_target_that_is_not_installed_is_refused_with_what_to_install(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'zenml-ftvr\[ray\]'"):
        TrainerConfig(target="ray", ray_address="auto").is_valid  # noqa: B018


def test_a_mistyped_setting_of_a_step_ends_the_run_before_it_starts() -> None:
    step = trainer_pipelines.in_the_same_process.with_options(
        settings={trainer_pipelines.SETTINGS: {"memory_limit_gb": 8}}
    )
    runs = Client().list_pipeline_runs().total
    with pytest.raises(
        ConfigurationError, match=r"no attribute 'memory_limit_gb'\. Did you mean 'memory_limit_gib"
    ):
        trainer_pipelines.pipeline(lambda: step(), name="mistyped")()  # type: ignore[operator]
    assert Client().list_pipeline_runs().total == runs


def test_a_part_of_the_settings_may_be_set_for_a_step() -> None:
    assert TrainerSettings(target="ray").ray_address is None  # the component may have the address


def test_an_image_needs_this_package_at_this_version(client: Client) -> None:
    version = importlib.metadata.version("zenml-ftvr")
    trainer = client.active_stack.step_operator
    assert trainer is not None
    assert trainer.requirements == {f"zenml-ftvr=={version}"}
    assert f"zenml-ftvr=={version}" in client.active_stack.requirements()


def test_it_is_neither_remote_nor_bound_to_this_machine(client: Client) -> None:
    """So that a local server will do, and a remote orchestrator's pod takes it."""
    trainer = client.active_stack.step_operator
    assert trainer is not None
    assert (trainer.config.is_remote, trainer.config.is_local) == (False, False)


def test_the_doctor_looks_at_the_trainer(client: Client) -> None:
    found = [one for one in examine(None) if "trainer" in one.text]
    assert [(one.is_fine, one.text) for one in found] == [
        (True, "trainer 'ftvr_trainer' of the active stack: local, $0.5 an hour")
    ]


def _with_ray(found: ModuleSpec | None) -> Callable[..., ModuleSpec | None]:
    """What is found of Ray; of everything else what is there."""
    real = importlib.util.find_spec

    def find(name: str, *more: Any) -> ModuleSpec | None:
        return found if name == "ray" else real(name, *more)

    return find


def test_the_doctor_names_what_is_wrong_with_it_here(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as there:  # Ray is installed while it is registered, and then not
        there.setattr("importlib.util.find_spec", _with_ray(ModuleSpec("ray", None)))
        client.update_stack_component(
            "ftvr_trainer", KIND, configuration={"target": "ray", "ray_address": "auto"}
        )
    monkeypatch.setattr("importlib.util.find_spec", _with_ray(None))
    found = [one for one in examine(None) if "trainer" in one.text]
    assert [one.is_fine for one in found] == [False]
    assert "Ray is not installed" in found[0].text
    assert "zenml step-operator update ftvr_trainer" in found[0].text


def test_no_trainer_is_no_problem(client: Client) -> None:
    client.activate_stack("default")
    assert [one for one in examine(None) if "trainer" in one.text] == []
