"""Ask somebody before money is spent."""

import logging
from typing import Literal, TypeAlias

from zenml import wait

from zenml_ftvr.values import Recommendation
from zenml_ftvr.values.words import duration

__all__ = ["Approval", "is_approved", "question_of"]

logger = logging.getLogger(__name__)

Approval: TypeAlias = Literal["none", "ask"]
"""`ask`: the run stands still after the recommendation until somebody says yes or no."""

ASKED = "approve_training"


def is_approved(recommendation: Recommendation, approval: Approval) -> bool:
    """Whether to train what is recommended; waits for the answer where it is to be asked for.

    Answer with `zenml pipeline runs wait-conditions resolve`, or in the dashboard. A run that
    nobody answers within ten minutes is paused, and goes on with `zenml pipeline runs resume` once
    it was answered.
    """
    if approval == "none":
        return True
    question = question_of(recommendation)
    logger.warning(
        "%s To answer: zenml pipeline runs wait-conditions resolve --interactive", question
    )
    answer: bool = wait(schema=bool, question=question, name=ASKED)
    return answer


def question_of(recommendation: Recommendation) -> str:
    """What is asked: the choice, what it takes, and how much of the budget that is."""
    chosen = recommendation.chosen
    cost = ""
    if chosen.cost is not None:
        usd = "" if chosen.cost.usd is None else f", ${chosen.cost.usd:.2f}"
        cost = f" It takes about {duration(chosen.cost.hours * 3600)}{usd}."
    return f"{recommendation.verdict}{cost} Train it?"
