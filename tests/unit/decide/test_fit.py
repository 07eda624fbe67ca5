"""What is said of how well a base model fits."""

from __future__ import annotations

import dataclasses

from zenml_ftvr.decide.fit import fit_sentences
from zenml_ftvr.values import Adequacy, Gap, Pieces, Predictability, Score


def _score(value: float) -> Score:
    return Score(metric="accuracy", value=value, low=value - 0.02, high=value + 0.02, n_rows=900)


FITS = Adequacy(
    n_rows=900,
    seconds=3.0,
    pieces=Pieces(per_word=1.5, unknown_share=0.0, vocabulary_size=30_522),
    own_pieces=Pieces(per_word=1.4, unknown_share=0.001, vocabulary_size=4_000),
    probe=_score(0.8),
    twin=_score(0.6),
    without=_score(0.7),
    over_twin=Gap(mean=0.2, low=0.15, high=0.25),
    over_baseline=Gap(mean=0.1, low=0.05, high=0.15),
)


def _said(adequacy: Adequacy) -> str:
    return " ".join(fit_sentences(adequacy, "minilm"))


def test_what_pretraining_is_worth_is_said_with_its_limits() -> None:
    said = _said(FITS)
    assert "accuracy 0.800, and 0.600" in said
    assert "is worth +0.200 [+0.150, +0.250] here" in said
    assert "1.5 pieces of a word with a vocabulary of 30,522 (0.0% unknown)" in said
    assert "bits a byte" not in said


def test_a_model_that_is_no_better_than_its_random_twin_is_said_to_be_of_no_use() -> None:
    worse = dataclasses.replace(FITS, over_twin=Gap(mean=-0.04, low=-0.07, high=-0.01))
    assert "of no use here, or worse (-0.040" in _said(worse)
    unclear = dataclasses.replace(FITS, over_twin=Gap(mean=0.01, low=-0.02, high=0.04))
    assert "nothing shows that what it was pretrained on is of use" in _said(unclear)


def test_bits_are_compared_where_the_model_foretells_text() -> None:
    told = dataclasses.replace(
        FITS, predictability=Predictability(by_model=1.234, by_ngrams=2.5, n_bytes=10_000)
    )
    assert "1.23 bits a byte" in _said(told)


def test_nothing_measured_is_nothing_said() -> None:
    assert fit_sentences(None, "minilm") == ()
    assert fit_sentences(Adequacy(n_rows=9, seconds=0.1), "minilm") == ()
