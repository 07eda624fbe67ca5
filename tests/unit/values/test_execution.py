"""What the trainer grants, as a variable and back."""

from __future__ import annotations

import pytest

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.values.execution import EXECUTION_VARIABLE, Execution


def test_what_is_written_is_read() -> None:
    execution = Execution(
        trainer="big",
        target="ray",
        ray_address="10.0.0.1:6379",
        ray_storage="s3://bucket/folder",
        workers=4,
        least_workers=2,
        sharding="full",
        threads=8,
        gpu_count=2,
        gpus=("0", "GPU-1"),
        memory_limit_gib=12.5,
        wall_hours=2.0,
        hardware="g5.12xlarge",
        usd_per_hour=5.67,
    )
    assert Execution.from_environment(execution.to_environment()) == execution


def test_without_a_trainer_there_is_nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(EXECUTION_VARIABLE, raising=False)
    assert Execution.from_environment() is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"gpus": null, "workrs": 2}', "not json"])
def test_what_the_trainer_did_not_write_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="which the trainer did not write"):
        Execution.from_environment({EXECUTION_VARIABLE: text})
