"""The flavor as ZenML registers and checks it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from zenml.enums import StackComponentType
from zenml.stack.flavor import validate_flavor_source

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.stack import FLAVORS, WandbFlavor
from zenml_ftvr.stack.flavors import WandbTrackerConfig, WandbTrackerSettings


def test_no_key_is_needed() -> None:
    config = WandbTrackerConfig()
    assert config.api_key is None
    assert config.mode == "auto"
    assert config.project_name == "zenml-ftvr"


def test_a_key_is_a_secret_where_one_is_given() -> None:
    from zenml.utils.secret_utils import is_secret_field

    assert is_secret_field(WandbTrackerConfig.model_fields["api_key"])


@pytest.mark.parametrize("of", [WandbTrackerConfig, WandbTrackerSettings])
def test_an_unknown_mode_is_an_error_of_ours(of: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"'oflfine'.*Did you mean 'offline'\?"):
        of(mode="oflfine")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"project_name": " "}, "project_name is empty"),
        ({"project_name": "a/b"}, "takes no /"),
        ({"project_name": "p" * 129}, "129 characters"),
        ({"entity": ""}, "entity is empty"),
    ],
)
def test_what_wandb_would_refuse_later_is_refused_at_registration(
    given: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        WandbTrackerConfig(**given)


def test_a_retried_step_goes_on_in_its_run_unless_it_is_told_otherwise() -> None:
    assert WandbTrackerConfig().run_id_strategy == "reuse_on_retry"
    assert WandbTrackerConfig(run_id_strategy="new_on_retry").run_id_strategy == "new_on_retry"
    named = WandbTrackerSettings(run_id="mine", run_id_strategy="reuse_on_retry")
    assert (named.run_id, named.run_id_strategy) == ("mine", "wandb_generated")


def test_a_key_may_be_a_reference_to_a_secret() -> None:
    assert WandbTrackerConfig(api_key="{{wandb.api_key}}").required_secrets


def test_what_zenmls_own_tracker_knows_can_be_set_too() -> None:
    config = WandbTrackerConfig(entity="team", project_name="p", tags=["a"])
    assert (config.entity, config.project_name, config.tags) == ("team", "p", ["a"])


@pytest.mark.parametrize(("kind", "source", "name"), FLAVORS)
def test_every_flavor_loads_from_its_source(
    kind: StackComponentType, source: str, name: str
) -> None:
    loaded, flavor = validate_flavor_source(source=source, component_type=kind)
    assert flavor.name == name
    assert loaded.__name__ == source.rsplit(".", 1)[1]
    assert flavor.config_schema.get("required", []) == []


def test_the_trackers_flavor_shows_what_can_be_set() -> None:
    assert {"api_key", "mode", "project_name"} <= set(WandbFlavor().config_schema["properties"])


def test_the_flavor_says_what_it_is_and_links_to_nothing_that_is_not_there() -> None:
    flavor = WandbFlavor()
    assert flavor.type == StackComponentType.EXPERIMENT_TRACKER
    assert "Weights & Biases" in flavor.display_name
    assert (flavor.docs_url, flavor.sdk_docs_url) == (None, None)


def test_a_server_that_reads_the_flavors_loads_nothing_heavy() -> None:
    program = (
        "import sys, zenml_ftvr.stack as stack; "
        "flavors = (stack.TrainerFlavor, stack.WandbFlavor); "
        "[getattr(flavor(), 'config_schema') for flavor in flavors]; "
        "print(sorted({'torch', 'transformers', 'wandb', 'peft', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_implementation_is_our_tracker() -> None:
    from zenml_ftvr.stack.wandb_tracker import WandbTracker

    assert WandbFlavor().implementation_class is WandbTracker
