"""Every error this package raises on purpose.

A message says what was wrong, the value, and the next move. None of these derives from
`ValueError`: pydantic would wrap such an error and bury the message. All derive from click's error,
so that `zenml pipeline run`, which is a click program, ends in that one line and exit code 1 rather
than in a traceback (docs/decisions/001-errors-end-in-one-line.md).
"""

from __future__ import annotations

import click

__all__ = [
    "BudgetError",
    "ConfigurationError",
    "DataError",
    "FtvrError",
    "ModelError",
    "TrackingError",
    "TrainingError",
]


class FtvrError(click.ClickException):
    """Anything that this package refuses to do; the message carries the next move."""


class ConfigurationError(FtvrError):
    """A configuration that cannot mean what the user wants: an unknown key, a wrong type."""


class DataError(FtvrError):
    """Data that cannot be read, or that nothing can be learnt from."""


class ModelError(FtvrError):
    """A base model or a trained model that cannot be had, or is not what it should be."""


class BudgetError(FtvrError):
    """A budget that is missing, senseless, or too small for every approach."""


class TrainingError(FtvrError):
    """A training that cannot go on."""


class TrackingError(FtvrError):
    """An experiment tracker that cannot do what was asked of it."""
