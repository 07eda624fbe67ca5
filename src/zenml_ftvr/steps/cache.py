"""When a step's cached result may be used again."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from pathlib import Path

from zenml.config.cache_policy import CachePolicy

import zenml_ftvr
from zenml_ftvr.hardware import detect, installed_versions
from zenml_ftvr.stack import trainers
from zenml_ftvr.steps.texts_seen import changed_texts

__all__ = [
    "CACHE_POLICY",
    "MEASURED_CACHE_POLICY",
    "TRAINING_CACHE_POLICY",
    "code_and_machine",
    "code_and_texts",
    "code_and_versions",
]


@functools.cache
def code_and_versions() -> str:
    """Changes with this package's source and with the versions that results depend on.

    ZenML itself looks only at the source of the step function, which calls all the rest.
    """
    key = hashlib.sha256(json.dumps(installed_versions(), sort_keys=True).encode())
    root = Path(zenml_ftvr.__file__).parent
    for file in sorted(root.rglob("*.py")):
        key.update(file.relative_to(root).as_posix().encode())
        key.update(file.read_bytes())
    return key.hexdigest()


def code_and_texts() -> str:
    """As `code_and_versions`, and changes with the unlabelled texts that trainings learnt from."""
    return code_and_versions() + changed_texts()


def code_and_machine() -> str:
    """As `code_and_versions`, and changes with the machine: a measurement holds for one only.

    With the trainer too, as registered: its limits decide what is feasible, its price the costs.
    """
    granted = [(one.name, one.configuration) for one in trainers()]
    machine = json.dumps([dataclasses.asdict(detect()), granted], sort_keys=True)
    return hashlib.sha256((code_and_versions() + machine).encode()).hexdigest()


def _policy(function: str) -> CachePolicy:
    return CachePolicy.model_validate({"cache_func": f"zenml_ftvr.steps.cache.{function}"})


CACHE_POLICY = _policy("code_and_versions")
TRAINING_CACHE_POLICY = _policy("code_and_texts")
MEASURED_CACHE_POLICY = _policy("code_and_machine")
