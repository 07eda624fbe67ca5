"""Fine-tune, use LoRA, train from scratch, or leave the neural network alone?

`recommend` answers with measurements, `load` uses what was trained; the ZenML steps are in
`zenml_ftvr.steps`. Importing this package loads nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zenml_ftvr.errors import FtvrError
from zenml_ftvr.values import (
    Baseline,
    Budget,
    Contrastive,
    DataSource,
    Full,
    Head,
    Limits,
    Lora,
    ModelSource,
    Partial,
    Recommendation,
    Request,
    Scratch,
    TextClassification,
)

if TYPE_CHECKING:
    from zenml_ftvr.api import load, recommend

__version__ = "0.1.0"

__all__ = [
    "Baseline",
    "Budget",
    "Contrastive",
    "DataSource",
    "FtvrError",
    "Full",
    "Head",
    "Limits",
    "Lora",
    "ModelSource",
    "Partial",
    "Recommendation",
    "Request",
    "Scratch",
    "TextClassification",
    "load",
    "recommend",
]


def __getattr__(name: str) -> Any:
    match name:
        case "recommend":
            from zenml_ftvr.api import recommend

            return recommend
        case "load":
            from zenml_ftvr.api import load

            return load
        case _:
            raise AttributeError(f"module 'zenml_ftvr' has no attribute '{name}'")
