"""Rank the arms, choose one, and say why."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import assert_never

from zenml_ftvr.approaches import NEURAL_LOOP, baseline_words
from zenml_ftvr.decide.cost import PricedArm, hours_left, price_arm
from zenml_ftvr.decide.plan import PlanBasis
from zenml_ftvr.decide.prior import Order, order_arms
from zenml_ftvr.errors import BudgetError
from zenml_ftvr.values import (
    Baseline,
    Calibration,
    DataProfile,
    Forecast,
    Kind,
    Ledger,
    LedgerEntry,
    RankedArm,
    Recommendation,
    Request,
    ScreeningEvidence,
    metric_of,
)
from zenml_ftvr.values.words import metric_words

__all__ = ["recommend"]


def recommend(
    profile: DataProfile,
    calibration: Calibration,
    evidence: ScreeningEvidence,
    request: Request,
    basis: PlanBasis,
) -> Recommendation:
    """The arms ranked by measurement and cited evidence, and the choice.

    The choice is made in this order: where published evidence puts fine-tuning above what was
    measured, the first fine-tuned arm that is feasible; else, of the arms that were measured, the
    cheapest whose expected regret is within the tolerance; else the first feasible of the order.
    Equal arguments give equal answers. Raises `BudgetError` when no arm is feasible.
    """
    request = dataclasses.replace(request, task=basis.task)  # with its metric
    ledger = _ledger(calibration, evidence)
    left = hours_left(request.budget, calibration.hardware, ledger) * 3600
    if evidence.measured_for("head") is not None:
        basis = dataclasses.replace(basis, n_encoded=profile.n_train)
    baseline = price_arm(Baseline(), basis, calibration, left, 0.0)
    baseline_seconds = 0.0 if baseline.cost is None else baseline.cost.hours * 3600
    priced = {
        approach.kind: price_arm(approach, basis, calibration, left, baseline_seconds)
        for approach in request.approaches
    }
    feasible = [kind for kind, arm in priced.items() if not arm.problems]
    if not feasible:
        why = " ".join(f"{kind}: {arm.problems[0]}" for kind, arm in priced.items())
        raise BudgetError(f"no approach is feasible. {why}")
    order = order_arms(profile, evidence, calibration, metric_of(request.task))
    choice, why_chosen = _choose(order, evidence, feasible, request)
    ranking = _ranking(order, choice, feasible, list(priced))
    companion = None
    if request.also_train == "best_neural":
        companion = _companion(ranking, priced, choice, left - baseline_seconds)
    return Recommendation(
        arms=tuple(_ranked(priced[kind], order, evidence, request) for kind in ranking),
        choice=choice,
        verdict=_verdict(choice, order, evidence, request),
        reasons=(*order.reasons, *why_chosen, *_cautions(evidence, basis, feasible)),
        budget=request.budget,
        hours_allowed=left / 3600,
        profile=profile,
        calibration=calibration,
        evidence=evidence,
        metric=metric_of(request.task),
        tolerance=request.tolerance,
        ledger=ledger,
        companion=companion,
    )


def _ledger(calibration: Calibration, evidence: ScreeningEvidence) -> Ledger:
    return Ledger(
        entries=(
            LedgerEntry(what="calibration", kind=None, seconds=calibration.seconds),
            LedgerEntry(what="cross-validation", kind=None, seconds=evidence.seconds),
        ),
        usd_per_hour=calibration.hardware.usd_per_hour,
    )


def _choose(
    order: Order,
    evidence: ScreeningEvidence,
    feasible: Sequence[Kind],
    request: Request,
) -> tuple[Kind, tuple[str, ...]]:
    tolerance = request.tolerance
    trusted = [kind for kind in order.trusted if kind in feasible]
    if trusted:
        return trusted[0], (
            f"No pilot of '{trusted[0]}' was trained: it is chosen on published evidence, and its "
            f"score is not forecast.",
        )
    measured = [one.kind for one in evidence.measured if one.kind in feasible]
    difference = evidence.difference(metric_of(request.task))
    if len(measured) == 2 and difference is not None:
        if difference.regret_of_second <= tolerance:
            return "baseline", (
                f"Choosing word counts over the head costs {difference.regret_of_second:.3f} in "
                f"expectation, within the tolerance of {tolerance:g}, and it is the cheaper one.",
            )
        return "head", (
            f"Choosing word counts over the head would cost {difference.regret_of_second:.3f} in "
            f"expectation, more than the tolerance of {tolerance:g}.",
        )
    if measured:
        return measured[0], (
            f"'{measured[0]}' is the one feasible arm whose score was measured; an arm that nobody "
            f"measured is not chosen over it without published evidence for this situation.",
        )
    first = next(kind for kind in order.kinds if kind in feasible)
    return first, ("No cheap arm was offered, so the order is that of the published evidence.",)


def _ranking(
    order: Order, choice: Kind, feasible: Sequence[Kind], offered: Sequence[Kind]
) -> list[Kind]:
    """The choice, then the order; infeasible arms last."""
    kinds = [kind for kind in order.kinds if kind in offered]
    return sorted(kinds, key=lambda kind: (kind != choice, kind not in feasible))


def _ranked(
    arm: PricedArm, order: Order, evidence: ScreeningEvidence, request: Request
) -> RankedArm:
    kind = arm.approach.kind
    measured = evidence.measured_for(kind)
    sentences = order.evidence[kind]
    if measured is not None:
        sentences = (
            f"Cross-validated on the training split, {measured.folds} folds, rows of equal text in "
            f"one fold.",
            *sentences,
        )
    return RankedArm(
        approach=arm.approach,
        feasible=not arm.problems,
        reasons=arm.problems,
        forecast=Forecast(
            score=None if measured is None else measured.score(metric_of(request.task)),
            basis="prior" if measured is None else "measured",
            evidence=sentences,
        ),
        cost=arm.cost,
        plan=arm.plan,
    )


def _companion(
    ranking: Sequence[Kind],
    priced: dict[Kind, PricedArm],
    choice: Kind,
    left: float,
) -> Kind | None:
    """The best-ranked arm with a training curve that still fits beside the choice, if any.

    `left`: seconds, once the baseline is trained.
    """
    if choice in NEURAL_LOOP:
        return None
    own = priced[choice].cost
    if choice != "baseline" and own is not None:
        left -= own.hours * 3600
    for kind in ranking:
        cost = priced[kind].cost
        fits = cost is not None and cost.hours * 3600 <= left
        if kind in NEURAL_LOOP and kind != choice and not priced[kind].problems and fits:
            return kind
    return None


def _cautions(
    evidence: ScreeningEvidence, basis: PlanBasis, feasible: Sequence[Kind]
) -> tuple[str, ...]:
    cautions = []
    majority = evidence.majority_share
    scores = []
    if majority is not None:  # there is one label a row, and so an accuracy
        scores = [one.score("accuracy") for one in evidence.measured]
    if majority is not None and scores and all(score.low <= majority for score in scores):
        cautions.append(
            f"No arm that was measured clearly beats always answering the most frequent class "
            f"({majority:.3f}): look at the labels before spending more."
        )
    if set(feasible) <= {"baseline", "head"} and basis.source is not None:
        cautions.append("The budget allows no training by gradient steps.")
    return tuple(cautions)


def _verdict(choice: Kind, order: Order, evidence: ScreeningEvidence, request: Request) -> str:
    model = request.base_model.name
    measured = evidence.measured_for(choice)
    scored = ""
    if measured is not None:
        score = measured.score(metric_of(request.task))
        name = metric_words(score.metric)
        scored = f"{name} {score.value:.3f} [{score.low:.3f}, {score.high:.3f}], cross-validated"
    match choice:
        case "baseline":
            why = {
                "transfers": f"the head on {model}'s features is not worth its price",
                "no difference": f"{model}'s features do no better",
                "does not transfer": f"{model}'s features do worse",
                "unmeasured": "nothing else was measured",
            }[order.situation]
            reach = f"reach {scored}" if scored else "will do"
            return f"Leave the neural network alone: {baseline_words(request.task)} {reach}; {why}."
        case "head":
            reach = f": {scored}" if scored else ""
            return f"Keep {model} frozen and train a linear head on its features{reach}."
        case "contrastive":
            return (
                f"Train {model} on pairs of texts, then a head: its features already beat word "
                f"counts, and with so few rows a class this has been ahead of fine-tuning."
                if order.trusted
                else f"Train {model} on pairs of texts, then a head, of the arms on offer."
            )
        case "partial":
            return (
                f"Fine-tune the last layers of {model}: its features already beat word counts, "
                f"published comparisons at this size gain on that, and training all of it does "
                f"not fit here."
                if order.trusted
                else f"Fine-tune the last layers of {model}, of the arms on offer."
            )
        case "full":
            return (
                f"Fine-tune all of {model}: its features already beat word counts, and published "
                f"comparisons at this size gain on that."
                if order.trusted
                else f"Fine-tune all of {model}, of the arms on offer."
            )
        case "lora":
            return (
                f"Fine-tune {model} with LoRA: its features already beat word counts, published "
                f"comparisons at this size gain on that, and LoRA equals full fine-tuning at less "
                f"cost."
                if order.trusted
                else f"Fine-tune {model} with LoRA, of the arms on offer."
            )
        case "scratch":
            return "Train a small model from scratch on this data, of the arms on offer."
        case _:
            assert_never(choice)
