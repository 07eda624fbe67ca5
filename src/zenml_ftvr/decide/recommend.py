"""Rank the arms, choose one, and say why."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zenml_ftvr.approaches import NEURAL_LOOP, baseline_words
from zenml_ftvr.decide.cost import PricedArm, ample_seconds, hours_left, price_arm
from zenml_ftvr.decide.fit import fit_sentences, other_base_sentences
from zenml_ftvr.decide.foresee import foresee
from zenml_ftvr.decide.plan import PlanBasis
from zenml_ftvr.decide.prior import Order, order_arms
from zenml_ftvr.decide.verdict import (
    arm_sentences,
    choice_sentences,
    verdict_from_evidence,
    verdict_from_pilots,
)
from zenml_ftvr.errors import BudgetError
from zenml_ftvr.values import (
    Approach,
    Baseline,
    Calibration,
    Contrastive,
    DataProfile,
    Forecast,
    Full,
    Head,
    Kind,
    Ledger,
    LedgerEntry,
    Lora,
    Metric,
    Partial,
    PilotEvidence,
    RankedArm,
    Recommendation,
    Request,
    Score,
    Scratch,
    ScreeningEvidence,
    from_unit_score,
    metric_of,
)
from zenml_ftvr.values.curve import ScoreForecast
from zenml_ftvr.values.foresight import Foresight

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["choose_by_evidence", "recommend"]

FINE_TUNED: tuple[Kind, ...] = ("full", "lora", "partial", "contrastive")


def recommend(
    profile: DataProfile,
    calibration: Calibration,
    evidence: ScreeningEvidence,
    request: Request,
    basis: PlanBasis,
    pilots: PilotEvidence | None = None,
) -> Recommendation:
    """The arms ranked by measurement and cited evidence, and the choice.

    Where an arm that takes gradient steps has pilots, the choice is among the arms with pilots: the
    cheapest whose forecast is within the tolerance of the highest. Without such pilots it is made
    in this order: where published evidence puts fine-tuning above what was measured, the first
    fine-tuned arm that is feasible; else, of the arms that were measured, the cheapest whose
    expected regret is within the tolerance; else the first feasible of the order. Equal arguments
    give equal answers. Raises `BudgetError` when no arm is feasible.
    """
    request = dataclasses.replace(request, task=basis.task)  # with its metric
    ledger = _ledger(calibration, evidence, pilots)
    left = hours_left(request.budget, calibration.hardware, ledger) * 3600
    if evidence.measured_for("head") is not None:
        basis = dataclasses.replace(basis, n_encoded=profile.n_train)
    baseline = price_arm(Baseline(), basis, calibration, left, 0.0)
    baseline_seconds = 0.0 if baseline.cost is None else baseline.cost.hours * 3600
    priced = {
        approach.kind: price_arm(
            _at_the_pilots_rate(approach, pilots), basis, calibration, left, baseline_seconds
        )
        for approach in request.approaches
    }
    feasible = [kind for kind, arm in priced.items() if not arm.problems]
    if not feasible:
        why = " ".join(f"{kind}: {arm.problems[0]}" for kind, arm in priced.items())
        raise BudgetError(f"no approach is feasible. {why}")
    order = order_arms(profile, evidence, calibration, request.task)
    foresight = _foresight(pilots, priced, feasible, basis, calibration, request)
    if pilots is not None and foresight is not None and _decides(foresight, order, feasible):
        choice, verdict = foresight.choice.kind, verdict_from_pilots(foresight, pilots, request)
        reasons = (*choice_sentences(foresight, pilots), *order.reasons)
    else:
        choice, why_chosen = choose_by_evidence(order, evidence, feasible, request)
        verdict = verdict_from_evidence(choice, order, evidence, request)
        reasons = (*order.reasons, *why_chosen)
    ranking = _ranking(order, foresight, choice, feasible, list(priced))
    companion = None
    if request.also_train == "best_neural":
        companion = _companion(ranking, priced, choice, left - baseline_seconds)
    return Recommendation(
        arms=tuple(
            _ranked(priced[kind], order, evidence, request, foresight, pilots) for kind in ranking
        ),
        choice=choice,
        verdict=verdict,
        reasons=(
            *reasons,
            *fit_sentences(evidence.adequacy, request.base_model.name),
            *other_base_sentences(evidence.other_bases, request.base_model.name),
            *_cautions(evidence, basis, feasible),
        ),
        budget=request.budget,
        hours_allowed=left / 3600,
        profile=profile,
        calibration=calibration,
        evidence=evidence,
        metric=metric_of(request.task),
        tolerance=request.tolerance,
        ledger=ledger,
        companion=companion,
        pilots=pilots,
        foresight=foresight,
    )


def _at_the_pilots_rate(approach: Approach, pilots: PilotEvidence | None) -> Approach:
    """The approach with the learning rate that its forecast was made at."""
    rate = None if pilots is None else pilots.learning_rate_of(approach.kind)
    if rate is None:
        return approach
    match approach:
        case Contrastive() | Partial() | Full() | Lora() | Scratch():
            return dataclasses.replace(approach, learning_rate=rate)
        case Baseline() | Head():
            return approach


def _ledger(
    calibration: Calibration, evidence: ScreeningEvidence, pilots: PilotEvidence | None
) -> Ledger:
    entries = [
        LedgerEntry(what="calibration", kind=None, seconds=calibration.seconds),
        LedgerEntry(what="cross-validation", kind=None, seconds=evidence.seconds),
    ]
    if pilots is not None:
        for kind in dict.fromkeys(one.kind for one in pilots.runs):
            seconds = math.fsum(one.seconds for one in pilots.runs if one.kind == kind)
            entries.append(LedgerEntry(what="pilots", kind=kind, seconds=seconds))
    return Ledger(entries=tuple(entries), usd_per_hour=calibration.hardware.usd_per_hour)


def _foresight(
    pilots: PilotEvidence | None,
    priced: dict[Kind, PricedArm],
    feasible: Sequence[Kind],
    basis: PlanBasis,
    calibration: Calibration,
    request: Request,
) -> Foresight | None:
    """What the pilots say of the arms on offer; None where there are none."""
    if pilots is None:
        return None
    hours = {kind: cost.hours for kind in feasible if (cost := priced[kind].cost) is not None}
    hours_at = {arm.approach.kind: _hours_at(arm, basis, calibration) for arm in priced.values()}
    return foresee(
        pilots,
        hours,
        hours_at,
        basis.facts.n_train,
        request,
        calibration.hardware.usd_per_hour,
    )


def _hours_at(
    arm: PricedArm, basis: PlanBasis, calibration: Calibration
) -> Callable[[Floats], Floats]:
    """The hours of an arm with all its epochs, for sizes in rows; all splits grow alike."""

    def hours_at(sizes: Floats) -> Floats:
        import numpy as np

        facts, hours = basis.facts, []
        for size in sizes.tolist():
            times = size / facts.n_train
            at_size = basis.resized(
                max(1, round(size)),
                math.ceil(facts.n_validation * times),
                math.ceil(facts.n_test * times),
            )
            seconds = ample_seconds(arm.approach, at_size, calibration)
            hours.append(math.inf if seconds is None else seconds / 3600)
        return np.array(hours)

    return hours_at


def _decides(foresight: Foresight, order: Order, feasible: Sequence[Kind]) -> bool:
    """Whether the pilots speak of the arms that matter.

    Of those that evidence would choose; or else of any that is fine-tuned, where one is feasible;
    or else of `scratch`. `baseline` and `head` alone are compared by their cross-validation, which
    has every training row for a judge.
    """
    piloted = {one.kind for one in foresight.choice.standings}
    trusted = [kind for kind in order.trusted if kind in feasible]
    tuned = [kind for kind in FINE_TUNED if kind in feasible]
    return any(kind in piloted for kind in trusted or tuned or ("scratch",))


def choose_by_evidence(
    order: Order,
    evidence: ScreeningEvidence,
    feasible: Sequence[Kind],
    request: Request,
) -> tuple[Kind, tuple[str, ...]]:
    """The choice where no pilots decide, and why: trusted arms, then measured ones, then order."""
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
        words = baseline_words(request.task)
        if difference.regret_of_second <= tolerance:
            return "baseline", (
                f"Choosing {words} over the head costs {difference.regret_of_second:.3f} in "
                f"expectation, within the tolerance of {tolerance:g}, and needs no base model.",
            )
        return "head", (
            f"Choosing {words} over the head would cost {difference.regret_of_second:.3f} in "
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
    order: Order,
    foresight: Foresight | None,
    choice: Kind,
    feasible: Sequence[Kind],
    offered: Sequence[Kind],
) -> list[Kind]:
    """The choice, then those with pilots by forecast, then the order; infeasible ones last."""
    standings = () if foresight is None else foresight.choice.standings
    places = {one.kind: place for place, one in enumerate(standings)}
    kinds = [kind for kind in order.kinds if kind in offered]
    return sorted(
        kinds,
        key=lambda kind: (kind != choice, kind not in feasible, places.get(kind, len(places))),
    )


def _ranked(
    arm: PricedArm,
    order: Order,
    evidence: ScreeningEvidence,
    request: Request,
    foresight: Foresight | None,
    pilots: PilotEvidence | None,
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
    score = None if measured is None else measured.score(metric_of(request.task))
    forecast = None if foresight is None else foresight.forecast(kind)
    if forecast is not None and pilots is not None:
        score = _forecast_score(forecast, pilots.metric, pilots.n_select)
    return RankedArm(
        approach=arm.approach,
        feasible=not arm.problems,
        reasons=arm.problems,
        forecast=Forecast(
            score=score,
            basis="piloted"
            if forecast is not None
            else ("prior" if measured is None else "measured"),
            evidence=(*arm_sentences(foresight, pilots, kind), *sentences),
        ),
        cost=arm.cost,
        plan=arm.plan,
    )


def _forecast_score(forecast: ScoreForecast, metric: Metric, n_select: int) -> Score:
    """In the metric's own units, of which fewer may be better."""
    limits = [from_unit_score(metric, one) for one in (forecast.low, forecast.high)]
    return Score(
        metric=metric,
        value=from_unit_score(metric, forecast.mean),
        low=min(limits),
        high=max(limits),
        n_rows=n_select,
        level=forecast.level,
        method="learning curves of pilots",
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
