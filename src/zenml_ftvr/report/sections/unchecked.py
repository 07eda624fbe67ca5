"""What was not checked."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.values import DataProfile, Evaluation, Kind, Recommendation

__all__ = ["limits"]

CHANGES_WEIGHTS: frozenset[Kind] = frozenset({"contrastive", "partial", "full", "lora"})
"""Approaches that change weights of the base model."""


def limits(recommendation: Recommendation, evaluation: Evaluation) -> tuple[str, ...]:
    """What a reader may take for checked and is not."""
    seed = recommendation.chosen.plan.seed if recommendation.chosen.plan else 0
    return (
        f"One seed ({seed}) of each model: intervals say what other test rows would change, not "
        f"what another seed would.",
        *_untried(recommendation),
        f"The {w.count(evaluation.n_test)} test rows come from the same source as the training "
        f"rows; data from elsewhere, or from later, can be harder.",
        _near_duplicates(recommendation.profile),
        *_unmeasured(evaluation),
        "Inputs that are made to mislead a model, and what a wrong answer costs whom, were not "
        "looked at.",
    )


def _untried(recommendation: Recommendation) -> tuple[str, ...]:
    untried = [arm for arm in recommendation.arms if arm.forecast.basis == "prior"]
    if not untried:
        return ()
    return (
        "Arms without a score were not tried out on a part of the data before they were ranked.",
    )


def _near_duplicates(profile: DataProfile) -> str:
    if profile.checks is None:
        return (
            "Near-duplicates, rows that differ in more than case and white space, may stand in two "
            "splits."
        )
    found = profile.checks.n_near_leaked_test
    if profile.widths is not None:
        return "Images that are nearly the same may stand in two splits: only equal ones are found."
    return (
        f"Test texts that are nearly a training or validation text ({w.count(found)} were found) "
        f"are counted, not left out; those that say the same in other words are not found."
    )


def _unmeasured(evaluation: Evaluation) -> tuple[str, ...]:
    """What can be measured and was not."""
    sentences = []
    if not any(model.serving for model in evaluation.models):
        sentences.append("Latency, throughput and size in memory were not measured.")
    else:
        sentences.append(
            "Latency was measured on this machine, one caller at a time; another machine, or many "
            "callers at once, give other numbers."
        )
    changed = [model for model in evaluation.models if model.kind in CHANGES_WEIGHTS]
    if any(model.forgetting is None for model in changed):
        sentences.append("What the base model forgot was not measured of every model.")
    if not any(one.column != "length" for model in evaluation.models for one in model.slices):
        sentences.append(
            "No column of the data was named whose values are to be compared, so that a group of "
            "rows that is answered worse would not show."
        )
    return tuple(sentences)
