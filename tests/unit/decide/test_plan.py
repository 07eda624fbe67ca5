"""Steps, schedule and fingerprint of a plan, by hand and by hypothesis."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zenml_ftvr.decide import PlanBasis, make_plan, plan_basis, training_facts
from zenml_ftvr.decide.plan import ample_steps
from zenml_ftvr.values import (
    Approach,
    Baseline,
    CausalLM,
    DataProfile,
    Full,
    Head,
    Lora,
    ModelSource,
    Scratch,
    TextClassification,
)


@pytest.fixture
def basis(make_profile: Callable[..., DataProfile]) -> PlanBasis:
    """4,000 training rows, two classes, a base model."""
    source = ModelSource(name="some/model", revision="v1")
    return plan_basis(make_profile(), TextClassification(), source, "f" * 64, 3)


def test_steps_are_epochs_of_batches_rounded_up() -> None:
    assert ample_steps(Full(epochs=4, batch_size=16), 4_000) == 1_000
    assert ample_steps(Lora(epochs=1.5, batch_size=32), 1_000) == 47
    assert ample_steps(Scratch(epochs=2, batch_size=16), 10) == 2  # no batch beyond the rows


def test_what_is_solved_takes_no_steps() -> None:
    assert ample_steps(Baseline(), 4_000) == ample_steps(Head(), 4_000) == 0


@given(n_train=st.integers(1, 100_000), epochs=st.floats(0.01, 64), batch_size=st.integers(1, 512))
def test_the_steps_see_all_epochs_and_not_one_batch_more(
    n_train: int, epochs: float, batch_size: int
) -> None:
    steps = ample_steps(Full(epochs=epochs, batch_size=batch_size), n_train)
    rows = min(batch_size, n_train)
    assert steps * rows >= epochs * n_train * (1 - 1e-9)
    assert steps == 1 or (steps - 1) * rows < epochs * n_train


def test_a_stepped_plan_warms_up_for_a_tenth_and_looks_six_times(basis: PlanBasis) -> None:
    plan = make_plan(Full(), basis)
    assert (plan.max_steps, plan.batch_size, plan.learning_rate) == (1_000, 16, 1e-4)
    assert plan.warmup_steps == 100
    assert plan.eval_every_steps == 167  # at 167, 334, 501, 668, 835; the end is looked at too
    assert plan.weight_decay == 0.01
    assert plan.approach == Full(learning_rate=1e-4, epochs=4, batch_size=16)


def test_fewer_steps_carry_their_own_schedule(basis: PlanBasis) -> None:
    plan = make_plan(Full(), basis, max_steps=50, wall_seconds=9.0, predicted_hours=0.5)
    assert (plan.max_steps, plan.warmup_steps, plan.eval_every_steps) == (50, 5, 9)
    assert (plan.wall_seconds, plan.predicted_hours) == (9.0, 0.5)


@pytest.mark.parametrize("approach", [Baseline(), Head()], ids=lambda one: one.kind)
def test_a_solved_plan_has_no_schedule(approach: Approach, basis: PlanBasis) -> None:
    plan = make_plan(approach, basis)
    assert (plan.max_steps, plan.warmup_steps, plan.learning_rate) == (0, 0, None)
    assert (plan.batch_size, plan.weight_decay, plan.eval_every_steps) == (4_000, 0.0, 1)


def test_only_what_starts_from_a_base_model_names_one(basis: PlanBasis) -> None:
    for approach in (Head(), Full(), Lora()):
        plan = make_plan(approach, basis)
        assert (plan.model, plan.model_fingerprint) == (basis.source, "f" * 64)
    for approach in (Baseline(), Scratch()):
        plan = make_plan(approach, basis)
        assert (plan.model, plan.model_fingerprint) == (None, None)


def test_notes_come_before_the_reasons_of_the_approach(basis: PlanBasis) -> None:
    plan = make_plan(Full(), basis, notes=("A note.",))
    assert plan.reasons[0] == "A note."
    assert len(plan.reasons) == 3


def test_a_basis_carries_labels_in_order_and_the_datas_fingerprint(
    basis: PlanBasis, make_profile: Callable[..., DataProfile]
) -> None:
    assert basis.labels == ("c0", "c1")
    assert basis.data_fingerprint == make_profile().fingerprint
    assert (basis.facts.n_train, basis.facts.n_validation, basis.facts.n_test) == (4_000, 800, 800)
    assert basis.seed == 3


def test_words_are_counted_up_to_the_length_that_is_read(
    make_profile: Callable[..., DataProfile],
) -> None:
    profile = make_profile()  # 20 words and 100 characters a text
    assert training_facts(profile, TextClassification()).n_words == 80_000
    assert training_facts(profile, TextClassification(max_length=10)).n_words == 40_000


def test_a_language_models_rows_are_the_blocks_that_its_text_fills(
    make_profile: Callable[..., DataProfile],
) -> None:
    facts = training_facts(make_profile(4_000), CausalLM(max_length=250))
    # 100 characters a text are 25 tokens; ten texts fill a block.
    assert (facts.n_train, facts.n_validation, facts.n_test) == (400, 80, 80)
    assert facts.n_words == 80_000


def test_text_without_spaces_is_counted_by_its_characters(
    make_profile: Callable[..., DataProfile],
) -> None:
    profile = make_profile()
    one_word = dataclasses.replace(profile.words, mean=1.0)
    facts = training_facts(dataclasses.replace(profile, words=one_word), TextClassification())
    assert facts.n_words == round(4_000 * 100 / 6)


def test_predictions_and_wording_do_not_make_another_plan(basis: PlanBasis) -> None:
    plain = make_plan(Full(), basis)
    worded = make_plan(Full(), basis, wall_seconds=9.0, predicted_hours=1.0, notes=("A note.",))
    assert plain.fingerprint == worded.fingerprint
    assert len(plain.fingerprint) == 16


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    change=st.sampled_from(
        [
            {"seed": 4},
            {"max_steps": 999},
            {"batch_size": 17},
            {"learning_rate": 2e-4},
            {"warmup_steps": 99},
            {"weight_decay": 0.0},
            {"eval_every_steps": 10},
            {"data_fingerprint": "e" * 64},
            {"model_fingerprint": "e" * 64},
            {"labels": ("c1", "c0")},
            {"task": TextClassification(max_length=64)},
            {"approach": Full(learning_rate=1e-4, epochs=4, batch_size=17)},
            {"model": ModelSource(name="some/model", revision="v2")},
        ]
    )
)
def test_whatever_decides_the_weights_makes_another_plan(
    basis: PlanBasis, change: dict[str, object]
) -> None:
    plan = make_plan(Full(), basis)
    assert dataclasses.replace(plan, **change).fingerprint != plan.fingerprint  # type: ignore[arg-type]
