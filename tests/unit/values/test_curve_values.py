"""Values of the decision layer: they cross steps as JSON and come back equal."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from zenml_ftvr.values import (
    Accelerator,
    ArmPilots,
    ArmStanding,
    BreakEven,
    Choice,
    DecisionMap,
    FormFit,
    LabelValue,
    MemorySettings,
    PilotScore,
    ScoreForecast,
    TrainingMemory,
)

STANDING = ArmStanding(
    kind="full", mean=0.9, probability_best=0.7, expected_regret=0.01, hours=2.0, usd=None
)
FIT = FormFit(form="pow3", parameters=(0.9, 1.2, 0.4), weight=0.5, miss=None, allowed_miss=0.02)


@pytest.mark.parametrize(
    "value",
    [
        ArmPilots(kind="lora", scores=(PilotScore(n_train=100, seed=1, score=0.5),)),
        ScoreForecast(
            kind="full",
            n_train=10,
            mean=0.8,
            low=0.7,
            high=0.9,
            level=0.8,
            n_draws=1_000,
            support="extrapolated",
            forms=(FIT,),
        ),
        Choice(kind="full", rule="highest mean", tolerance=0.005, standings=(STANDING,)),
        LabelValue(
            kind="head",
            n_train=10,
            n_more=5,
            mean=0.1,
            low=0.0,
            high=0.2,
            level=0.8,
            support="unsupported",
        ),
        BreakEven(
            first="head", second="full", n_train=(900.0,), ahead_when_small="head", hours=None
        ),
        DecisionMap(n_train=(1, 2), hours=(0.5,), winners=((None, "full"),), supported_to=None),
        Accelerator(
            name="T4",
            peak_flops=(("fp32", 8.1e12),),
            memory_gib=16,
            bandwidth_gb_per_second=300,
            source="a data sheet",
        ),
        MemorySettings(batch_size=4, length=128),
        TrainingMemory(weights=1, gradients=2, optimiser=3, activations=4, outputs=5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_written_as_json_is_read_back_equal(value: object) -> None:
    adapter = TypeAdapter(type(value))
    assert adapter.validate_json(adapter.dump_json(value)) == value


def test_sizes_of_pilots_are_distinct_and_in_order() -> None:
    arm = ArmPilots(
        kind="full",
        scores=tuple(
            PilotScore(n_train=n, seed=seed, score=0.5) for seed in (0, 1) for n in (400, 100)
        ),
    )
    assert arm.sizes == (100, 400)


def test_the_chosen_arm_of_a_choice_is_among_its_standings() -> None:
    other = ArmStanding(
        kind="head", mean=0.8, probability_best=0.3, expected_regret=0.1, hours=1.0, usd=2.0
    )
    choice = Choice(kind="head", rule="highest mean", tolerance=0.005, standings=(STANDING, other))
    assert choice.chosen is other


def test_memory_adds_up_and_a_peak_that_is_not_listed_is_none() -> None:
    memory = TrainingMemory(weights=1, gradients=2, optimiser=3, activations=4, outputs=5)
    assert memory.total == 15
    card = Accelerator(
        name="T4",
        peak_flops=(("fp32", 8.1e12),),
        memory_gib=16,
        bandwidth_gb_per_second=300,
        source="a data sheet",
    )
    assert card.peak("fp32") == 8.1e12
    assert card.peak("bf16") is None
