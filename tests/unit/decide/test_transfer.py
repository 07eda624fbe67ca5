"""A measurement told for other lengths: what stays, what goes with the operations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.approaches import Architecture, TrainingFacts, resolve
from zenml_ftvr.decide import PlanBasis, plan_basis
from zenml_ftvr.decide.transfer import (
    FIRST_CALLS_GIB,
    GROWN_GIB,
    training_peak_gib,
    transferred,
)
from zenml_ftvr.values import (
    ArmCalibration,
    Calibration,
    DataProfile,
    Full,
    Hardware,
    Head,
    Lora,
    ModelSource,
    Partial,
    TextClassification,
)

MINILM = Architecture(
    layers=6, hidden=384, heads=12, intermediate=1536, vocabulary_size=30_522, n_params=22_713_216
)
FULL = ArmCalibration(
    kind="full",
    seconds_per_step=1.1,
    batch_size=16,
    n_steps_timed=5,
    seconds_per_eval_row=0.01,
    setup_seconds=1.0,
    save_seconds=0.1,
    peak_memory_gib=0.6,
    n_params=22_713_216,
    n_trainable=22_713_216,
    update_seconds=0.1,
    mean_tokens=32.0,
    longest_tokens=64,
    latency_seconds=0.01,
)
HARDWARE = Hardware(
    device="cpu",
    device_name="made by hand",
    n_devices=1,
    cores=1,
    memory_gib=16.0,
    device_memory_gib=None,
)


@pytest.fixture
def basis(make_profile: Callable[..., DataProfile]) -> PlanBasis:
    task = TextClassification(max_length=128)
    return plan_basis(make_profile(), task, ModelSource(), "f" * 64, 0, MINILM)


def at(basis: PlanBasis, mean: float, longest: int) -> PlanBasis:
    facts = dataclasses.replace(basis.facts, mean_tokens=mean, longest_tokens=longest)
    return dataclasses.replace(basis, facts=facts)


def calibrated(arm: ArmCalibration, max_length: int = 64) -> Calibration:
    return Calibration(
        hardware=HARDWARE,
        model=ModelSource(),
        data_fingerprint="other",
        arms=(arm,),
        process_memory_gib=0.4,
        seconds=1.0,
        max_length=max_length,
    )


def test_where_data_and_length_are_the_same_nothing_changes(basis: PlanBasis) -> None:
    approach, _ = resolve(Full(), basis.facts)
    same = dataclasses.replace(calibrated(FULL, 128), data_fingerprint=basis.data_fingerprint)
    assert transferred(FULL, approach, at(basis, 99.0, 128), same) is FULL


def test_a_calibration_of_before_lengths_were_noted_stays(basis: PlanBasis) -> None:
    approach, _ = resolve(Full(), basis.facts)
    old = dataclasses.replace(FULL, mean_tokens=None, longest_tokens=None)
    assert transferred(old, approach, at(basis, 99.0, 128), calibrated(old)) is old


def test_twice_the_tokens_take_a_little_over_twice_the_time_but_one_update(
    basis: PlanBasis,
) -> None:
    approach, _ = resolve(Full(), basis.facts)
    there = transferred(FULL, approach, at(basis, 64.0, 128), calibrated(FULL))
    # A second of 1.1 goes with the operations: 2 by tokens, and a little for attention.
    assert 2.1 < there.seconds_per_step < 2.15
    assert 0.02 < there.seconds_per_eval_row < 0.0225
    assert there.latency_seconds == FULL.latency_seconds
    assert there.setup_seconds == FULL.setup_seconds


def test_of_memory_what_moves_grows_and_what_is_held_stays(basis: PlanBasis) -> None:
    approach, _ = resolve(Full(), basis.facts)
    there = transferred(FULL, approach, at(basis, 32.0, 128), calibrated(FULL))
    weights = 16 * 22_713_216 / 2**30
    grown = (there.peak_memory_gib - weights) / (FULL.peak_memory_gib - weights)
    assert 2.2 < grown < 2.7  # twice the tokens, and four times the pairs of positions


@given(mean=st.floats(8, 128), more=st.floats(0, 100))
def test_longer_rows_never_take_less(mean: float, more: float) -> None:
    facts_of = dataclasses.replace(BASIS.facts, architecture=MINILM)
    plain = dataclasses.replace(BASIS, facts=facts_of)
    approach, _ = resolve(Full(), plain.facts)
    short, long = (
        transferred(FULL, approach, at(plain, one, 128), calibrated(FULL))
        for one in (mean, mean + more)
    )
    assert short.seconds_per_step <= long.seconds_per_step + 1e-9


BASIS = PlanBasis(
    task=TextClassification(max_length=128),
    source=ModelSource(),
    model_fingerprint="f",
    data_fingerprint="d",
    labels=("a", "b"),
    facts=TrainingFacts(n_train=100, n_validation=20, n_test=20, n_classes=2, n_words=2_000),
    seed=0,
)


def test_a_head_is_written_with_a_copy_of_the_weights(basis: PlanBasis) -> None:
    head = dataclasses.replace(FULL, kind="head")
    peak = training_peak_gib(head, Head(), basis, HARDWARE)
    assert peak - 0.6 == pytest.approx(4 * 22_713_216 / 2**30)
    card = dataclasses.replace(HARDWARE, device="cuda", device_memory_gib=16.0)
    assert training_peak_gib(head, Head(), basis, card) == 0.6


def test_where_little_is_copied_what_a_whole_training_grows_by_counts(basis: PlanBasis) -> None:
    adapters = dataclasses.replace(FULL, kind="lora")
    peak = training_peak_gib(adapters, Lora(), basis, HARDWARE)
    assert peak - 0.6 == pytest.approx(GROWN_GIB)
    tiny = dataclasses.replace(FULL, n_params=1_000_000)
    assert training_peak_gib(tiny, Full(), basis, HARDWARE) - 0.6 == pytest.approx(GROWN_GIB)


def test_first_calls_take_as_much_at_any_length(basis: PlanBasis) -> None:
    """Of a peak that is hardly more than what is held, nothing is left to shrink."""
    approach, _ = resolve(Full(), basis.facts)
    weights = 16 * 22_713_216 / 2**30
    least = dataclasses.replace(FULL, peak_memory_gib=weights + FIRST_CALLS_GIB)
    there = transferred(least, approach, at(basis, 8.0, 16), calibrated(least))
    assert there.peak_memory_gib == pytest.approx(least.peak_memory_gib)


def test_states_of_frozen_layers_lie_in_memory_for_all_rows(basis: PlanBasis) -> None:
    partial = dataclasses.replace(FULL, kind="partial", seconds_per_frozen_row=0.001)
    peak = training_peak_gib(partial, Partial(layers=2), basis, HARDWARE)
    tokens = (basis.facts.n_train + basis.facts.n_validation) * 32.0
    assert peak - 0.6 == pytest.approx((4 * 384 * tokens + 4 * 22_713_216) / 2**30)
