"""The flavors that this package adds to ZenML. A ZenML server imports this: nothing heavy here."""

from typing import Any, get_args

from pydantic import Field, field_validator, model_validator
from zenml.enums import StackComponentType
from zenml.integrations.wandb.flavors.wandb_experiment_tracker_flavor import (
    WandbExperimentTrackerConfig,
    WandbExperimentTrackerFlavor,
    WandbExperimentTrackerSettings,
)
from zenml.utils.secret_utils import SecretField

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.stack.trainer_flavor import TrainerFlavor
from zenml_ftvr.values import TrackingMode, project_fault
from zenml_ftvr.values.written import name_or_guess

__all__ = ["FLAVORS", "TrainerFlavor", "WandbFlavor", "WandbTrackerConfig", "WandbTrackerSettings"]

SAME_RUN = "reuse_on_retry"


class WandbTrackerSettings(WandbExperimentTrackerSettings):
    """What can be set for each step."""

    mode: TrackingMode = Field(
        "auto", description="`auto`: online where W&B has a key, else offline."
    )

    @field_validator("mode", mode="before")
    @classmethod
    def _known_mode(cls, value: Any) -> Any:
        known = list(get_args(TrackingMode))
        if value not in known:
            raise ConfigurationError(
                f"the tracker's mode is '{value}'.{name_or_guess(str(value), known)}"
            )
        return value

    @model_validator(mode="before")
    @classmethod
    def _same_run_on_retry(cls, given: Any) -> Any:
        """A step that is tried again goes on in its run; an id that is given means the same."""
        if not isinstance(given, dict):
            return given
        strategy = given.get("run_id_strategy", SAME_RUN)
        if given.get("run_id") and strategy == SAME_RUN:
            strategy = "wandb_generated"
        return {**given, "run_id_strategy": strategy}


class WandbTrackerConfig(WandbExperimentTrackerConfig, WandbTrackerSettings):
    """What is set when the component is registered; a mistyped attribute is an error."""

    api_key: str | None = SecretField(  # type: ignore[assignment]  # optional here, not in ZenML
        default=None, description="Not needed: without one, runs are kept offline."
    )
    project_name: str | None = Field("zenml-ftvr", description="The W&B project of the runs.")

    @field_validator("project_name")
    @classmethod
    def _possible_project(cls, value: str | None) -> str | None:
        if value is not None and (fault := project_fault(value)):
            raise ConfigurationError(f"the tracker's project_name {fault}")
        return value

    @field_validator("entity")
    @classmethod
    def _possible_entity(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ConfigurationError(
                "the tracker's entity is empty. Name a W&B team or user, or leave it out."
            )
        return value


class WandbFlavor(WandbExperimentTrackerFlavor):
    """A W&B tracker that needs no key and shows no link that does not exist."""

    @property
    def name(self) -> str:
        """What `--flavor` takes."""
        return "ftvr_wandb"

    @property
    def display_name(self) -> str:
        """What the dashboard shows."""
        return "Weights & Biases (zenml-ftvr)"

    @property
    def docs_url(self) -> str | None:
        """There is no page of its own."""
        return None

    @property
    def sdk_docs_url(self) -> str | None:
        """There is no page of its own."""
        return None

    @property
    def config_class(self) -> type[WandbTrackerConfig]:
        """What is checked at registration."""
        return WandbTrackerConfig

    @property
    def implementation_class(self) -> type[Any]:
        """Imported only where steps run."""
        from zenml_ftvr.stack.wandb_tracker import WandbTracker

        return WandbTracker


FLAVORS: tuple[tuple[StackComponentType, str, str], ...] = (
    (StackComponentType.EXPERIMENT_TRACKER, "zenml_ftvr.stack.WandbFlavor", "ftvr_wandb"),
    (StackComponentType.STEP_OPERATOR, "zenml_ftvr.stack.TrainerFlavor", "ftvr_trainer"),
)
"""What `zenml-ftvr setup` registers: type, source, name."""
