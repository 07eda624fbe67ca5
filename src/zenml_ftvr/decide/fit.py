"""What it means how well the base model fits the data, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from zenml_ftvr.values import Adequacy, Gap, OtherBase, Pieces
from zenml_ftvr.values.words import metric_words

__all__ = ["fit_sentences", "other_base_sentences"]


def fit_sentences(adequacy: Adequacy | None, model: str) -> tuple[str, ...]:
    """What was measured of `model` on this data; empty where nothing was."""
    if adequacy is None:
        return ()
    return (
        *_probe_sentences(adequacy, model),
        *_piece_sentences(adequacy, model),
        *_bits(adequacy),
    )


def _probe_sentences(adequacy: Adequacy, model: str) -> tuple[str, ...]:
    probe, twin, gap = adequacy.probe, adequacy.twin, adequacy.over_twin
    if probe is None or twin is None or gap is None:
        return ()
    return (
        f"On {adequacy.n_rows:,} training rows, a head on {model}'s features reaches "
        f"{metric_words(probe.metric)} {probe.value:.3f}, and {twin.value:.3f} on those of a model "
        f"of the same shape with random weights: {_worth(gap)}.",
    )


def _worth(gap: Gap) -> str:
    numbers = f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
    if not gap.is_significant:
        return f"nothing shows that what it was pretrained on is of use here ({numbers})"
    if gap.mean > 0:
        return f"what it was pretrained on is worth {numbers} here"
    return f"what it was pretrained on is of no use here, or worse ({numbers})"


def _piece_sentences(adequacy: Adequacy, model: str) -> tuple[str, ...]:
    pieces, own = adequacy.pieces, adequacy.own_pieces
    if pieces is None or own is None:
        return ()
    return (
        f"{model}'s tokenizer makes {_cut(pieces)}; one trained on this data makes {_cut(own)}.",
    )


def _cut(pieces: Pieces) -> str:
    return (
        f"{pieces.per_word:.1f} pieces of a word with a vocabulary of {pieces.vocabulary_size:,} "
        f"({pieces.unknown_share:.1%} unknown)"
    )


def _bits(adequacy: Adequacy) -> tuple[str, ...]:
    found = adequacy.predictability
    if found is None:
        return ()
    return (
        f"It foretells the texts at {found.by_model:.2f} bits a byte, and counts of bytes in other "
        f"texts of the data at {found.by_ngrams:.2f}.",
    )


def other_base_sentences(others: Sequence[OtherBase], model: str) -> tuple[str, ...]:
    """What each of the other base models on offer would add to `model`."""
    return tuple(_other_base(one, model) for one in others)


def _other_base(one: OtherBase, model: str) -> str:
    if one.score is None or one.gain is None:
        return f"Base model {one.name} was not looked at: {one.skipped}"
    numbers = f"{one.gain.mean:+.3f} [{one.gain.low:+.3f}, {one.gain.high:+.3f}]"
    judged = "" if one.gain.is_significant else ", which is within chance"
    return (
        f"A head on the features of {one.name} reaches {metric_words(one.score.metric)} "
        f"{one.score.value:.3f}, {numbers} beside {model}{judged}."
    )
