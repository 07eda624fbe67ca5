"""How large a model of our own is, from the words there are."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.approaches import TrainingFacts, resolve, scratch
from zenml_ftvr.approaches.pretraining import worth_of_epochs
from zenml_ftvr.data import Dataset
from zenml_ftvr.train import prepare
from zenml_ftvr.values import Scratch, TrainingPlan


@pytest.mark.parametrize(
    ("n_tokens", "epochs", "depth"),
    [
        # 12 x 64^2 x 3^3 weights at two tokens each are 2.65 million tokens seen once.
        (2_600_000, 1, 2),
        (2_700_000, 1, 3),
        # 16 epochs are worth 1 + 15.39 (1 - exp(-15 / 15.39)) = 10.58 of them.
        (245_000, 16, 2),
        (255_000, 16, 3),
        (0, 1, 2),
        (10**12, 1, 12),
    ],
)
def test_depth_is_what_the_tokens_pay_for(n_tokens: int, epochs: float, depth: int) -> None:
    assert scratch.depth_for(n_tokens * worth_of_epochs(epochs)) == depth


@given(n_tokens=st.integers(0, 10**10), more=st.integers(0, 10**9), epochs=st.floats(1, 64))
def test_more_text_never_makes_a_shallower_model(n_tokens: int, more: int, epochs: float) -> None:
    worth = worth_of_epochs(epochs)
    here, there = (scratch.depth_for(tokens * worth) for tokens in (n_tokens, n_tokens + more))
    assert here <= there


@given(n_tokens=st.integers(0, 10**9), epochs=st.integers(1, 64))
def test_a_repeated_token_is_never_worth_more_than_a_fresh_one(n_tokens: int, epochs: int) -> None:
    assert worth_of_epochs(epochs) <= epochs
    repeated = scratch.depth_for(n_tokens * worth_of_epochs(epochs))
    assert repeated <= scratch.depth_for(n_tokens * epochs)


@pytest.mark.parametrize(
    ("epochs", "worth"), [(0.5, 0.5), (1, 1), (2, 1.97), (4, 3.73), (8, 6.62), (40, 15.2)]
)
def test_repeated_epochs_are_worth_what_the_law_says(epochs: float, worth: float) -> None:
    assert worth_of_epochs(epochs) == pytest.approx(worth, abs=0.05)


@pytest.mark.parametrize(("n_words", "pieces"), [(100, 1_000), (60_000, 5_000), (10**9, 30_000)])
def test_the_vocabulary_has_a_piece_for_twelve_words_within_its_limits(
    n_words: int, pieces: int
) -> None:
    facts = TrainingFacts(n_train=1_000, n_validation=200, n_test=200, n_classes=2, n_words=n_words)
    resolved, _ = resolve(Scratch(), facts)
    assert isinstance(resolved, Scratch)
    assert resolved.vocabulary_size == pieces


@pytest.mark.parametrize("depth", [2, 5])
def test_the_arithmetic_counts_the_weights_of_the_model_that_is_built(
    depth: int, dataset: Dataset, plan_of: Callable[..., TrainingPlan]
) -> None:
    plan = plan_of(Scratch(depth=depth, vocabulary_size=400))
    built = prepare(plan, dataset, None).trainable
    shape = scratch.architecture(depth, len(built.tokenizer), plan.task.max_length)
    assert shape.n_params == pytest.approx(built.n_params, rel=0.05)  # a pooler, biases, norms
    assert (shape.hidden, shape.heads) == (64 * depth, depth)
    assert math.isclose(scratch.flops_per_token(shape), 6 * shape.n_body_params)
