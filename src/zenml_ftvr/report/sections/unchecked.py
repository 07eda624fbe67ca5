"""What was not checked."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.values import Evaluation, Recommendation

__all__ = ["limits"]


def limits(recommendation: Recommendation, evaluation: Evaluation) -> tuple[str, ...]:
    """What a reader may take for checked and is not."""
    seed = recommendation.chosen.plan.seed if recommendation.chosen.plan else 0
    return (
        f"One seed ({seed}) of each model: intervals say what other test rows would change, not "
        f"what another seed would.",
        "Arms without a score were not tried out on a part of the data before they were ranked.",
        f"The {w.count(evaluation.n_test)} test rows come from the same source as the training "
        f"rows; data from elsewhere, or from later, can be harder.",
        "Near-duplicates, rows that differ in more than case and white space, may stand in two "
        "splits.",
    )
