"""What each approach's defaults, FLOPs and bytes are, by hand and by hypothesis."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.approaches import (
    Architecture,
    TrainingFacts,
    describe,
    memory_bytes,
)
from zenml_ftvr.values import (
    KINDS,
    Baseline,
    Full,
    Head,
    Lora,
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
