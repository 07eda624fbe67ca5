"""When a step's cached result may be used again."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

from zenml.config.cache_policy import CachePolicy

import zenml_ftvr
from zenml_ftvr.hardware import installed_versions

__all__ = ["CACHE_POLICY", "code_and_versions"]


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


CACHE_POLICY = CachePolicy.model_validate(
    {"cache_func": "zenml_ftvr.steps.cache.code_and_versions"}
)
