"""`zenml-ftvr setup`: what it registers, what it leaves alone, how it is undone."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.models import FlavorUpdate

from zenml_ftvr.cli import cli
from zenml_ftvr.cli.setup import register, unregister
from zenml_ftvr.errors import ConfigurationError

REGISTRATION = importlib.import_module("zenml_ftvr.cli.setup")  # the command has its name too
TRACKERS = StackComponentType.EXPERIMENT_TRACKER
TRAINERS = StackComponentType.STEP_OPERATOR
OURS = ("ftvr_trainer", "ftvr_wandb")
COMPONENTS = {
    StackComponentType.ORCHESTRATOR: "default",
    StackComponentType.ARTIFACT_STORE: "default",
}


@pytest.fixture(autouse=True)
def _nothing_stays(client: Client) -> Iterator[None]:
    yield
    client.activate_stack("default")
    for stack in client.list_stacks().items:
        if stack.name != "default":
            client.delete_stack(stack.name)
    for kind in (TRACKERS, TRAINERS):
        for component in client.list_stack_components(type=kind.value).items:
            client.delete_stack_component(component.name, kind)
    for name in OURS:
        for flavor in client.list_flavors(name=name).items:
            client.delete_flavor(str(flavor.id))


@pytest.fixture
def run() -> Callable[..., Result]:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["setup", *arguments])

    return invoke


Run = Callable[..., Result]


def _names(client: Client) -> tuple[list[str], list[str], list[str]]:
    """Every flavor of ours, tracker and trainer, and stack that there is."""
    return (
        [flavor.name for name in OURS for flavor in client.list_flavors(name=name).items],
        [
            one.name
            for kind in (TRAINERS, TRACKERS)
            for one in client.list_stack_components(type=kind.value).items
        ],
        sorted(stack.name for stack in client.list_stacks().items),
    )


NOTHING: tuple[list[str], list[str], list[str]] = ([], [], ["default"])
ALL = ([*OURS], [*OURS], ["default", "ftvr"])


def test_setup_registers_flavors_tracker_trainer_and_stack(run: Run, client: Client) -> None:
    result = run("--mode", "offline")
    assert result.exit_code == 0, result.output
    assert _names(client) == ALL
    stack = client.get_stack("ftvr")
    by_type = {kind: components[0].name for kind, components in stack.components.items()}
    assert by_type[TRACKERS] == "ftvr_wandb"
    assert by_type[TRAINERS] == "ftvr_trainer"
    assert by_type[StackComponentType.ORCHESTRATOR] == "default"
    tracker = client.get_stack_component(TRACKERS, "ftvr_wandb")
    assert tracker.configuration["mode"] == "offline"
    assert "zenml stack set ftvr" in result.output


def test_the_registered_tracker_is_ours_and_needs_no_key(client: Client) -> None:
    from zenml.stack import Stack

    from zenml_ftvr.stack.wandb_tracker import WandbTracker

    register("ftvr", "auto", activate=False)
    tracker = Stack.from_model(client.get_stack("ftvr")).experiment_tracker
    assert isinstance(tracker, WandbTracker)
    assert tracker.config.api_key is None
    assert tracker.config.mode == "auto"


def test_setup_twice_changes_nothing(client: Client) -> None:
    register("ftvr", "auto", activate=False)
    ids = [str(one.id) for one in client.list_flavors(name="ftvr_wandb").items]
    lines = register("ftvr", "auto", activate=False)
    assert [line for line in lines if "already" in line] == lines[:5]
    assert [str(one.id) for one in client.list_flavors(name="ftvr_wandb").items] == ids
    assert _names(client) == ALL


def test_setup_never_switches_the_active_stack_unasked(client: Client) -> None:
    register("ftvr", "auto", activate=False)
    assert client.active_stack_model.name == "default"
    register("ftvr", "auto", activate=False)
    assert client.active_stack_model.name == "default"


def test_setup_switches_when_asked(run: Run, client: Client) -> None:
    result = run("--activate")
    assert client.active_stack_model.name == "ftvr"
    assert "stack 'ftvr' is now the active one" in result.output
    again = run()
    assert client.active_stack_model.name == "ftvr"
    assert "zenml stack set" not in again.output


def test_a_flavor_of_an_earlier_version_is_updated(client: Client) -> None:
    register("ftvr", "auto", activate=False)
    flavor = client.list_flavors(name="ftvr_wandb", hydrate=True).items[0]
    schema = dict(flavor.config_schema)
    client.zen_store.update_flavor(
        flavor.id, FlavorUpdate(config_schema={"title": "old", "properties": {}})
    )
    lines = register("ftvr", "auto", activate=False)
    assert "flavor 'ftvr_wandb' updated" in lines
    updated = client.list_flavors(name="ftvr_wandb", hydrate=True).items[0]
    assert updated.id == flavor.id
    assert updated.config_schema == schema
    assert "flavor 'ftvr_wandb' is registered already" in register("ftvr", "auto", activate=False)


def test_another_mode_updates_the_tracker(client: Client) -> None:
    register("ftvr", "auto", activate=False)
    lines = register("ftvr", "offline", activate=False)
    assert "experiment tracker 'ftvr_wandb' updated, mode offline" in lines
    assert client.get_stack_component(TRACKERS, "ftvr_wandb").configuration["mode"] == "offline"


def test_what_else_was_set_on_the_tracker_stays(client: Client) -> None:
    register("ftvr", "auto", activate=False)
    client.update_stack_component("ftvr_wandb", TRACKERS, configuration={"entity": "team"})
    register("ftvr", "offline", activate=False)
    configuration = client.get_stack_component(TRACKERS, "ftvr_wandb").configuration
    assert configuration["entity"] == "team"


def test_a_second_stack_shares_the_tracker(client: Client) -> None:
    register("ftvr", "auto", activate=False)
    register("another", "auto", activate=False)
    assert _names(client) == ([*OURS], [*OURS], ["another", "default", "ftvr"])


def test_a_mistyped_attribute_of_the_tracker_is_refused_at_registration(client: Client) -> None:
    register("ftvr", "auto", activate=False)
    with pytest.raises(ValueError, match=r"projekt_name"):
        client.create_stack_component(
            name="mine",
            flavor="ftvr_wandb",
            component_type=TRACKERS,
            configuration={"projekt_name": "p"},
        )


def test_a_stack_of_that_name_without_the_tracker_is_not_touched(client: Client) -> None:
    client.create_stack("ftvr", COMPONENTS)
    with pytest.raises(ConfigurationError, match=r"without the tracker.*--stack"):
        register("ftvr", "auto", activate=False)
    assert TRACKERS not in client.get_stack("ftvr").components


@pytest.mark.parametrize("fails", ["_tracker", "_trainer", "_stack"])
def test_a_failure_half_way_leaves_nothing_half_registered(
    client: Client, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def fail(*_: Any) -> str:
        raise RuntimeError("the store went away")

    monkeypatch.setattr(REGISTRATION, fails, fail)
    with pytest.raises(RuntimeError, match="the store went away"):
        register("ftvr", "auto", activate=True)
    assert _names(client) == NOTHING
    assert client.active_stack_model.name == "default"


def test_a_failure_takes_away_only_what_this_call_made(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    register("ftvr", "auto", activate=False)

    def fail(*_: Any) -> str:
        raise RuntimeError("the store went away")

    monkeypatch.setattr(REGISTRATION, "_stack", fail)
    with pytest.raises(RuntimeError, match="the store went away"):
        register("another", "auto", activate=False)
    assert _names(client) == ALL


def test_a_tracker_of_that_name_and_another_flavor_is_named(
    run: Run, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_stack_component(
        name="ftvr_wandb",
        flavor="wandb",
        component_type=TRACKERS,
        configuration={"api_key": "k" * 40, "project_name": "p"},
    )
    result = run()
    assert result.exit_code == 1
    assert "of flavor 'wandb'. Rename it" in result.stderr
    assert _names(client) == ([], ["ftvr_wandb"], ["default"])  # the user's own


def test_remove_undoes_it(run: Run, client: Client) -> None:
    run()
    result = run("--remove")
    assert result.exit_code == 0
    assert _names(client) == NOTHING
    for what in (
        "stack 'ftvr'",
        "experiment tracker 'ftvr_wandb'",
        "step operator 'ftvr_trainer'",
        "flavor 'ftvr_wandb'",
        "flavor 'ftvr_trainer'",
    ):
        assert f"{what} removed" in result.output


def test_remove_on_a_clean_store_does_nothing(client: Client) -> None:
    assert unregister("ftvr") == ["there was nothing to remove"]
    assert _names(client) == NOTHING


def test_the_active_stack_is_not_removed(run: Run, client: Client) -> None:
    run("--activate")
    result = run("--remove")
    assert result.exit_code == 1
    assert "is the active one. Choose another first" in result.stderr
    assert _names(client) == ALL


def test_a_stack_that_setup_did_not_make_is_not_removed(run: Run, client: Client) -> None:
    client.create_stack("mine", COMPONENTS)
    result = run("--remove", "--stack", "mine")
    assert result.exit_code == 1
    assert "was not made by setup" in result.stderr
    assert "mine" in _names(client)[2]


def test_a_tracker_that_another_stack_uses_is_kept(client: Client) -> None:
    register("ftvr", "auto", activate=False)
    register("another", "auto", activate=False)
    lines = unregister("ftvr")
    assert "stack 'ftvr' removed" in lines
    assert any("is kept" in line and "another" in line for line in lines)
    assert _names(client) == ([*OURS], [*OURS], ["another", "default"])
    unregister("another")
    assert _names(client) == NOTHING


def test_a_tracker_of_our_flavor_that_the_user_made_is_kept(client: Client) -> None:
    register("ftvr", "auto", activate=False)
    client.create_stack_component(
        name="mine", flavor="ftvr_wandb", component_type=TRACKERS, configuration={}
    )
    lines = unregister("ftvr")
    assert any(line.startswith("'mine' of flavor 'ftvr_wandb' is kept") for line in lines)
    assert _names(client) == (["ftvr_wandb"], ["mine"], ["default"])


def test_a_stack_of_an_earlier_version_gets_the_trainer(client: Client) -> None:
    register("ftvr", "auto", activate=False)
    client.delete_stack("ftvr")
    client.create_stack("ftvr", {**COMPONENTS, TRACKERS: "ftvr_wandb"})
    lines = register("ftvr", "auto", activate=False)
    assert "stack 'ftvr' updated: trainer 'ftvr_trainer' added" in lines
    assert client.get_stack("ftvr").components[TRAINERS][0].name == "ftvr_trainer"
    assert "stack 'ftvr' is registered already" in register("ftvr", "auto", activate=False)


def test_a_price_is_kept_until_another_is_given(run: Run, client: Client) -> None:
    def price() -> Any:
        return client.get_stack_component(TRAINERS, "ftvr_trainer").configuration["usd_per_hour"]

    assert "trainer' registered, $0.6 an hour" in run("--usd-per-hour", "0.6").output
    run()
    assert price() == 0.6
    assert "trainer' updated, $2 an hour" in run("--usd-per-hour", "2").output
    assert price() == 2
    refused = run("--usd-per-hour", "-1")
    assert refused.exit_code == 1
    assert "usd_per_hour: Input should be greater than 0; got -1.0" in refused.stderr
    assert price() == 2
