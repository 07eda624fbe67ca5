"""What each approach's defaults, FLOPs and bytes are, by hand and by hypothesis."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.approaches import (
    Architecture,
    TrainingFacts,
    describe,
    full,
    head,
    lora,
    memory_bytes,
    min_epochs,
    resolve,
)
from zenml_ftvr.values import (
    ALL_APPROACHES,
    KINDS,
    Approach,
    Baseline,
    Full,
    Head,
    Lora,
    Partial,
    Scratch,
)

MINILM = Architecture(
    layers=6,
    hidden=384,
    heads=12,
    intermediate=1536,
    vocabulary_size=30_522,
    n_params=22_713_216,
)


def facts(n_train: int = 4_000, n_words: int = 80_000) -> TrainingFacts:
    return TrainingFacts(
        n_train=n_train,
        n_validation=800,
        n_test=800,
        n_classes=3,
        n_words=n_words,
        n_layers=6,
    )


@pytest.mark.parametrize("approach", ALL_APPROACHES, ids=lambda one: one.kind)
def test_resolving_leaves_no_knob_open(approach: Approach) -> None:
    resolved, _ = resolve(approach, facts())
    assert resolved.kind == approach.kind
    knobs = dataclasses.asdict(resolved)
    assert not any(knobs.pop(name, None) for name in ("pretrain_on", "pretrain_epochs"))
    assert None not in knobs.values()


@pytest.mark.parametrize(
    ("approach", "said"),
    [
        (Full(), ["4 epochs", "learning rate 0.0001"]),
        (Lora(), ["4 epochs", "learning rate 0.0005", "rank 16"]),
        (Scratch(), ["16 epochs", "layers of width", "wordpiece tokenizer", "6,700 pieces"]),
    ],
)
def test_each_number_we_set_has_its_sentence(approach: Approach, said: list[str]) -> None:
    _, reasons = resolve(approach, facts())
    assert len(reasons) == len(said)
    for sentence, part in zip(reasons, said, strict=True):
        assert part in sentence


@pytest.mark.parametrize(
    "approach",
    [
        Full(learning_rate=3e-5, epochs=1.5, batch_size=8),
        Lora(learning_rate=3e-4, epochs=2.5, batch_size=4, rank=2),
        Scratch(
            learning_rate=3e-3,
            epochs=7,
            batch_size=64,
            depth=5,
            vocabulary_size=2_345,
            tokenizer="bpe",
        ),
    ],
)
def test_what_the_user_set_is_kept_and_needs_no_reason(approach: Approach) -> None:
    assert resolve(approach, facts()) == (approach, ())


@given(
    approach=st.sampled_from(ALL_APPROACHES),
    n_train=st.integers(2, 10_000_000),
    n_words=st.integers(2, 10**10),
)
def test_resolving_again_changes_nothing(approach: Approach, n_train: int, n_words: int) -> None:
    once, _ = resolve(approach, facts(n_train, n_words))
    assert resolve(once, facts(n_train, n_words)) == (once, ())


@pytest.mark.parametrize(
    ("n_train", "epochs"), [(100, 20), (400, 20), (1_000, 8), (2_000, 4), (1_000_000, 4)]
)
def test_fewer_rows_get_more_epochs_up_to_a_limit(n_train: int, epochs: float) -> None:
    for approach in (Full(), Lora()):
        resolved, _ = resolve(approach, facts(n_train))
        assert isinstance(resolved, Full | Lora)
        assert resolved.epochs == epochs


@given(n_train=st.integers(2, 1_000_000), more=st.integers(1, 1_000_000))
def test_more_rows_never_mean_fewer_updates(n_train: int, more: int) -> None:
    def updates(rows: int) -> float:
        resolved, _ = resolve(Full(), facts(rows))
        assert isinstance(resolved, Full)
        assert resolved.epochs is not None
        return resolved.epochs * rows

    assert updates(n_train) <= updates(n_train + more) * (1 + 1e-9)


def test_lora_learns_at_a_higher_rate_than_full_but_below_what_collapsed() -> None:
    with_adapters, _ = resolve(Lora(), facts())
    every_weight, _ = resolve(Full(), facts())
    assert isinstance(with_adapters, Lora)
    assert isinstance(every_weight, Full)
    assert every_weight.learning_rate is not None
    assert with_adapters.learning_rate is not None
    assert every_weight.learning_rate < with_adapters.learning_rate < 1e-3


def test_the_least_epochs_are_none_for_solved_arms_and_below_the_default_for_the_rest() -> None:
    least = {approach.kind: min_epochs(approach) for approach in ALL_APPROACHES}
    assert least.pop("baseline") == least.pop("head") == 0
    assert least.pop("contrastive") > 0
    assert least == {"partial": 2, "full": 2, "lora": 2, "scratch": 4}


@pytest.mark.parametrize(
    ("n_train", "n_layers", "layers"), [(500, 6, 2), (9_999, 12, 3), (10_000, 12, 6), (50, 2, 1)]
)
def test_more_data_pays_for_more_of_the_last_layers(
    n_train: int, n_layers: int, layers: int
) -> None:
    known = dataclasses.replace(facts(n_train), n_layers=n_layers)
    resolved, reasons = resolve(Partial(), known)
    assert isinstance(resolved, Partial)
    assert resolved.layers == layers
    assert f"the last {layers} of {n_layers} layers" in reasons[0]


def test_a_forward_pass_takes_two_operations_a_body_weight_and_training_six() -> None:
    body = 22_713_216 - 30_522 * 384
    assert head.flops_per_token(MINILM) == 2 * body
    assert full.flops_per_token(MINILM) == 6 * body


def test_adapters_of_rank_16_save_a_quarter_of_minilms_operations() -> None:
    share = lora.flops_per_token(MINILM, 16) / full.flops_per_token(MINILM)
    assert share == pytest.approx(0.727, abs=0.001)
    # 2/3 + 2R/N of Schulman et al. 2025 is of square matrices, and holds for those.
    square = dataclasses.replace(
        MINILM, intermediate=384, n_params=6 * 6 * 384**2, vocabulary_size=0
    )
    share = lora.flops_per_token(square, 16) / full.flops_per_token(square)
    assert share == pytest.approx(2 / 3 + 2 * 16 / 384)


def test_what_trains_less_needs_less_memory() -> None:
    needed = [
        memory_bytes(approach, MINILM, 16, device="cuda")
        for approach in (Baseline(), Head(), Lora(), Full())
    ]
    assert needed[0] == 0
    assert needed == sorted(set(needed))


def test_a_fresh_model_needs_no_base_to_be_sized() -> None:
    small = memory_bytes(Scratch(depth=2, vocabulary_size=1_000), None, 128)
    assert 10 * 2**20 < small < memory_bytes(Scratch(depth=6, vocabulary_size=1_000), None, 128)


@given(
    approach=st.sampled_from([Full, Lora, Scratch]),
    batch_size=st.integers(1, 256),
    length=st.integers(8, 4_096),
)
def test_a_longer_or_larger_batch_never_needs_less_memory(
    approach: type[Full] | type[Lora] | type[Scratch], batch_size: int, length: int
) -> None:
    here = memory_bytes(approach(batch_size=batch_size), MINILM, length)
    # So few that weights being written are the most: equal.
    assert here <= memory_bytes(approach(batch_size=batch_size + 1), MINILM, length)
    assert here <= memory_bytes(approach(batch_size=batch_size), MINILM, length + 1)
    assert here < memory_bytes(approach(batch_size=batch_size + 64), MINILM, length + 64)


def test_every_approach_is_described_in_words_of_its_own() -> None:
    assert len({describe(kind) for kind in KINDS}) == len(KINDS)
