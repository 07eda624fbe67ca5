"""The flavors that this package adds to ZenML. A ZenML server imports this: nothing heavy here."""

from typing import Any, Literal

from pydantic import Field
from zenml.enums import StackComponentType
from zenml.integrations.wandb.flavors.wandb_experiment_tracker_flavor import (
    WandbExperimentTrackerConfig,
    WandbExperimentTrackerFlavor,
    WandbExperimentTrackerSettings,
)
from zenml.utils.secret_utils import SecretField

from zenml_ftvr.stack.trainer_flavor import TrainerFlavor

__all__ = ["FLAVORS", "TrainerFlavor", "WandbFlavor", "WandbTrackerConfig", "WandbTrackerSettings"]


class WandbTrackerSettings(WandbExperimentTrackerSettings):
    """What can be set for each step."""

    mode: Literal["auto", "online", "offline", "disabled"] = Field(
        "auto", description="`auto`: online where W&B has a key, else offline."
    )


class WandbTrackerConfig(WandbExperimentTrackerConfig, WandbTrackerSettings):
    """What is set when the component is registered; a mistyped attribute is an error."""

    api_key: str | None = SecretField(  # type: ignore[assignment]  # optional here, not in ZenML
        default=None, description="Not needed: without one, runs are kept offline."
    )
    project_name: str | None = Field("zenml-ftvr", description="The W&B project of the runs.")


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
