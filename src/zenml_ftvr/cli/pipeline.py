"""What the ready pipeline takes, read off its own signature."""

from __future__ import annotations

import importlib
import inspect
import typing
from typing import Any

from zenml_ftvr.errors import ConfigurationError

__all__ = ["PIPELINE", "parameter_types", "required_parameters", "step_names"]

PIPELINE = "zenml_ftvr.pipelines.recommend_and_train"
"""In an installed wheel; the source tree has it as top-level `pipelines`."""


def _pipeline() -> Any:
    try:
        return importlib.import_module(PIPELINE).recommend_and_train
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the ready pipelines are not installed ({error}). Install the package as a wheel: "
            f"pip install zenml-ftvr."
        ) from error


def parameter_types() -> dict[str, Any]:
    """The pipeline's parameters, each with its type."""
    types = typing.get_type_hints(_pipeline().entrypoint, include_extras=True)
    types.pop("return", None)
    return types


def required_parameters() -> list[str]:
    """Those without a default."""
    parameters = inspect.signature(_pipeline().entrypoint).parameters.values()
    return [one.name for one in parameters if one.default is inspect.Parameter.empty]


def step_names() -> list[str]:
    """The steps that `steps.*` of a configuration may name."""
    return sorted(step.name for step in _pipeline().depends_on)
