"""What the base model could do before, and what is left of it."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Paragraph, Table
from zenml_ftvr.values import Evaluation, Forgetting, Kind
from zenml_ftvr.values.evaluation import ForgettingMeasure

__all__ = ["forgetting"]

MEASURES: dict[ForgettingMeasure, str] = {
    "masked loss": "loss of masked tokens, in nats: lower is better",
    "causal loss": "loss of the next token, in nats: lower is better",
    "neighbour agreement": "share of each text's nearest texts that are still its nearest",
}


def forgetting(evaluation: Evaluation) -> Blocks:
    """The base model's own ability before and after every training that changed it."""
    found = [(one.kind, one.forgetting) for one in evaluation.models if one.forgetting is not None]
    if not found:
        return ()
    texts = dict.fromkeys(f"{w.count(one.n_texts)} texts ({one.text})" for _, one in found)
    return (
        Paragraph(
            f"How well the base model still does what it was pretrained for, on "
            f"{'; '.join(texts)}. A model that is asked for this task alone may forget the rest; "
            f"one that is to be trained further, or to share its base, should not.",
            "small",
        ),
        Table(
            header=("Model", "Measure", "Before", "After", "Change [95 %]", "By chance"),
            rows=tuple(_row(kind, one) for kind, one in found),
            numeric=frozenset({2, 3, 4, 5}),
        ),
    )


def _row(kind: Kind, one: Forgetting) -> tuple[str, ...]:
    measure = MEASURES[one.measure]
    if one.n_neighbours is not None:
        measure = measure.replace("nearest texts", f"{one.n_neighbours} nearest texts", 1)
    return (
        w.approach_name(kind),
        measure,
        w.number(one.before),
        w.number(one.after),
        f"{one.change:+.3f} [{one.low:+.3f}, {one.high:+.3f}]",
        w.NOTHING if one.by_chance is None else w.number(one.by_chance),
    )
