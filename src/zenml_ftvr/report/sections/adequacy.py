"""Whether what the base model knows fits the data."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Bullets, Paragraph, Table
from zenml_ftvr.values import Adequacy, Gap, Pieces, Predictability, Recommendation

__all__ = ["adequacy"]


def adequacy(recommendation: Recommendation) -> Blocks:
    """What explains the pilots; nothing where nobody looked."""
    found = recommendation.evidence.adequacy
    if found is None:
        return ()
    return (
        Paragraph(
            f"Measured on {w.count(found.n_rows)} training rows in {w.duration(found.seconds)}. It "
            f"explains whether fine-tuning has something to build on, and decides nothing."
            f"{_direction(found)}",
            "small",
        ),
        *_probes(found),
        Bullets((*_gaps(found), *_pieces(found), *_predictability(found.predictability))),
    )


def _direction(found: Adequacy) -> str:
    scores = [one for one in (found.probe, found.twin, found.without) if one is not None]
    lower = w.directions(list(dict.fromkeys(one.metric for one in scores)))
    return f" {lower}" if lower else ""


def _probes(found: Adequacy) -> Blocks:
    probes = (
        ("a linear head on the base model's features", found.probe),
        ("the same on a model of that shape with random weights", found.twin),
        ("the baseline, which knows no model", found.without),
    )
    rows = tuple(
        (name, w.metric_words(score.metric), w.score_text(score))
        for name, score in probes
        if score is not None
    )
    if not rows:
        return ()
    return (
        Table(
            header=("Out of fold", "Metric", "Score [95 %]"),
            rows=rows,
            numeric=frozenset({2}),
        ),
    )


def _gaps(found: Adequacy) -> tuple[str, ...]:
    gaps = (
        ("Pretraining put in", found.over_twin),
        ("Over the baseline, its features bring", found.over_baseline),
    )
    return tuple(f"{name} {_gap(gap)}." for name, gap in gaps if gap is not None)


def _gap(gap: Gap) -> str:
    judged = "significant" if gap.is_significant else "within chance"
    return f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}], {judged}"


def _pieces(found: Adequacy) -> tuple[str, ...]:
    tokenizers = (
        ("The base model's tokenizer", found.pieces),
        ("A tokenizer trained on this data", found.own_pieces),
    )
    return tuple(_cut(name, one) for name, one in tokenizers if one is not None)


def _cut(name: str, pieces: Pieces) -> str:
    return (
        f"{name}, with {w.count(pieces.vocabulary_size)} pieces to choose from, makes "
        f"{pieces.per_word:.2f} of a word; {pieces.unknown_share:.1%} of them are unknown to it."
    )


def _predictability(found: Predictability | None) -> tuple[str, ...]:
    if found is None:
        return ()
    return (
        f"As published, the base model foretells {w.count(found.n_bytes)} bytes of the texts with "
        f"{found.by_model:.2f} bits for each; n-grams of bytes, counted on other texts of this "
        f"data, take {found.by_ngrams:.2f}.",
    )
