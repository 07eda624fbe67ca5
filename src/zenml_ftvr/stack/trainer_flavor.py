"""The flavor `ftvr_trainer`: what a user sets, and how it is checked. A server imports this."""

import importlib.util
import math
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from zenml.config.base_settings import BaseSettings
from zenml.constants import ENV_ZENML_SERVER, handle_bool_env_var
from zenml.step_operators import BaseStepOperatorConfig, BaseStepOperatorFlavor

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values.execution import EXECUTION_VARIABLE
from zenml_ftvr.values.written import name_or_guess

__all__ = ["TrainerConfig", "TrainerFlavor", "TrainerSettings", "check_target"]


class TrainerSettings(BaseSettings):
    """What can be set for each step; what is not, is as registered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hardware: str | None = Field(
        None, description="What the machine is called, such as an instance type. Default: detected."
    )
    usd_per_hour: float | None = Field(
        None, gt=0, description="What an hour of the machine costs, in US dollars. Never guessed."
    )
    memory_limit_gib: float | None = Field(
        None, gt=0, description="Memory of the step and of all that it starts, in GiB."
    )
    wall_hours: float | None = Field(None, gt=0, description="The longest that a step may run.")
    workers: int = Field(
        1, ge=1, description="Processes that share the steps of a training; on Ray, the most."
    )
    least_workers: int | None = Field(
        None, ge=1, description="With how many a training on Ray goes on. Default: all of them."
    )
    sharding: Literal["none", "full"] = Field(
        "none",
        description="`full`: workers divide weights, gradients and moments (FSDP), for models that "
        "do not fit one device.",
    )
    target: Literal["local", "ray"] = Field(
        "local", description="`local`: a process of this machine; `ray`: a task of a Ray cluster."
    )
    ray_address: str | None = Field(
        None, description="Of the cluster's head: `host:port`, `ray://host:port` or `auto`."
    )
    ray_storage: str | None = Field(
        None,
        description="Where workers on Ray keep checkpoints: a folder that all machines see, or a "
        "URI such as s3://bucket/folder.",
    )
    environment: dict[str, str] = Field(
        default_factory=dict, description="Variables of the step's process."
    )

    @model_validator(mode="wrap")
    @classmethod
    def _in_our_words(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Errors of ours: pydantic's name neither the nearest known name nor the next move."""
        if isinstance(value, dict):
            known = sorted(cls.model_fields)
            for key in value:
                if key not in known:
                    raise ConfigurationError(
                        f"the trainer has no attribute '{key}'.{name_or_guess(str(key), known)}"
                    )
        try:
            settings = handler(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigurationError(
                f"the trainer's {where or 'configuration'}: {first['msg']}; "
                f"got {first['input']!r:.80}."
            ) from error
        settings._check_values()
        return settings

    def _check_values(self) -> None:
        for name in ("usd_per_hour", "memory_limit_gib", "wall_hours"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ConfigurationError(
                    f"the trainer's {name} is {value}; it must be a number. Leave it out for none."
                )
        for name in self.environment:
            if not name or "=" in name or name == EXECUTION_VARIABLE:
                raise ConfigurationError(
                    f"the trainer's environment cannot set the variable '{name}'. Rename it."
                )


class TrainerConfig(BaseStepOperatorConfig, TrainerSettings):
    """What is set when the component is registered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def is_valid(self) -> bool:
        """ZenML asks this at registration and update, and not when a stack is loaded."""
        if not handle_bool_env_var(ENV_ZENML_SERVER):  # no step runs on a server
            check_target(self)
        return True


def check_target(settings: TrainerSettings) -> None:
    """Whether the target can be had here: settings of a step may be a part, this is the whole."""
    if settings.sharding == "full" and settings.workers == 1:
        raise ConfigurationError(
            "the trainer's sharding is 'full', which divides a model among workers, and workers is "
            "1. Set workers to 2 or more, or sharding=none."
        )
    if settings.target == "local":
        if settings.least_workers is not None:
            raise ConfigurationError(
                f"the trainer's least_workers is {settings.least_workers}, which only a Ray "
                f"cluster can go on with. Leave it out, or set target=ray."
            )
        return
    if settings.least_workers is not None and settings.least_workers > settings.workers:
        raise ConfigurationError(
            f"the trainer's least_workers is {settings.least_workers}, and workers, the most, is "
            f"{settings.workers}. Set workers to at least {settings.least_workers}."
        )
    if not settings.ray_address:
        raise ConfigurationError(
            "the trainer's target is 'ray', and ray_address is not set. Give the address of the "
            "cluster's head, such as ray_address=10.0.0.1:6379."
        )
    if settings.workers > 1 and not settings.ray_storage:
        raise ConfigurationError(
            f"the trainer's workers is {settings.workers} on target 'ray', and ray_storage is not "
            f"set: checkpoints must outlive a machine. Give a folder that all of them see, or a "
            f"URI such as ray_storage=s3://bucket/folder."
        )
    if importlib.util.find_spec("ray") is None:
        raise ConfigurationError(
            "the trainer's target is 'ray', and Ray is not installed. "
            "Install it: pip install 'zenml-ftvr[ray]', or choose target=local."
        )


class TrainerFlavor(BaseStepOperatorFlavor):
    """Runs a step in a process of its own, with limits, and knows what the machine costs."""

    @property
    def name(self) -> str:
        """What `--flavor` takes."""
        return "ftvr_trainer"

    @property
    def display_name(self) -> str:
        """What the dashboard shows."""
        return "Trainer (zenml-ftvr)"

    @property
    def docs_url(self) -> str | None:
        """There is no page of its own."""
        return None

    @property
    def sdk_docs_url(self) -> str | None:
        """There is no page of its own."""
        return None

    @property
    def logo_url(self) -> str | None:
        """There is none."""
        return None

    @property
    def config_class(self) -> type[TrainerConfig]:
        """What is checked at registration."""
        return TrainerConfig

    @property
    def implementation_class(self) -> type[Any]:
        """Imported only where steps run."""
        from zenml_ftvr.stack.trainer import Trainer

        return Trainer
