"""ZenML looks for the folder of the main program, which a test worker does not have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from zenml.utils import source_utils


@pytest.fixture(autouse=True)
def _source_root() -> Iterator[None]:
    before = source_utils._CUSTOM_SOURCE_ROOT
    source_utils.set_custom_source_root(str(Path(__file__).parents[3]))
    yield
    source_utils.set_custom_source_root(before)
