"""Contrast: how many pairs and steps, what they cost, by hand and by hypothesis."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.approaches import Architecture, TrainingFacts, contrastive, full, memory_bytes
from zenml_ftvr.values import Contrastive, Full

MINILM = Architecture(
    layers=6,
    hidden=384,
    heads=12,
    intermediate=1536,
    vocabulary_size=30_522,
    n_params=22_713_216,
)


def facts(n_train: int) -> TrainingFacts:
    return TrainingFacts(
        n_train=n_train, n_validation=n_train, n_test=n_train, n_classes=2, n_words=10 * n_train
    )


@pytest.mark.parametrize(
    ("n_train", "pairs"), [(2, 80), (16, 640), (100, 4_000), (101, 4_000), (1_000_000, 4_000)]
)
def test_there_are_forty_pairs_a_row_up_to_a_limit(n_train: int, pairs: int) -> None:
    resolved, _ = contrastive.resolve(Contrastive(), facts(n_train))
    assert resolved == Contrastive(learning_rate=2e-5, pairs=pairs, batch_size=16)


def test_each_number_we_set_has_its_sentence() -> None:
    _, reasons = contrastive.resolve(Contrastive(), facts(50))
    assert len(reasons) == 2
    assert reasons[0].startswith("2,000 pairs: 40 a row as in SetFit")
    assert reasons[0].endswith("at most 4,000.")
    assert reasons[1].startswith("learning rate 2e-05")


def test_what_the_user_set_is_kept_and_needs_no_reason() -> None:
    own = Contrastive(learning_rate=3e-4, pairs=77, batch_size=5)
    assert contrastive.resolve(own, facts(50)) == (own, ())


@given(n_train=st.integers(2, 10_000_000))
def test_resolving_again_changes_nothing(n_train: int) -> None:
    once, _ = contrastive.resolve(Contrastive(), facts(n_train))
    assert contrastive.resolve(once, facts(n_train)) == (once, ())


@given(n_train=st.integers(2, 10_000), more=st.integers(1, 10_000))
def test_more_rows_never_mean_fewer_steps(n_train: int, more: int) -> None:
    few, _ = contrastive.resolve(Contrastive(), facts(n_train))
    many, _ = contrastive.resolve(Contrastive(), facts(n_train + more))
    assert contrastive.steps(few) <= contrastive.steps(many)


@given(pairs=st.integers(1, 10_000), batch_size=st.integers(1, 512))
def test_the_steps_see_every_pair_and_no_step_is_without_one(pairs: int, batch_size: int) -> None:
    n_steps = contrastive.steps(Contrastive(pairs=pairs, batch_size=batch_size))
    assert (n_steps - 1) * batch_size < pairs <= n_steps * batch_size


def test_most_pairs_hold_as_many_texts_as_full_fine_tuning_sees_of_an_ample_set() -> None:
    assert 2 * contrastive.MOST_PAIRS == 4 * 2_000


def test_a_token_costs_what_it_costs_in_full_fine_tuning() -> None:
    assert contrastive.flops_per_token(MINILM) == 6 * (22_713_216 - 30_522 * 384)


def test_a_batch_of_pairs_needs_the_memory_of_twice_as_many_texts() -> None:
    needed = memory_bytes(Contrastive(batch_size=16), MINILM, 128)
    assert needed == memory_bytes(Full(batch_size=32), MINILM, 128)


def test_it_learns_more_slowly_than_full_fine_tuning() -> None:
    resolved, _ = contrastive.resolve(Contrastive(), facts(200))
    assert resolved.learning_rate is not None
    assert math.isclose(resolved.learning_rate, 2e-5)
    assert resolved.learning_rate < full.LEARNING_RATE
