"""The answer in one sentence, and what stands behind every arm's place."""

from __future__ import annotations

from typing import assert_never

from zenml_ftvr.approaches import baseline_words
from zenml_ftvr.decide.prior import Order
from zenml_ftvr.values import (
    Kind,
    Metric,
    PilotEvidence,
    Request,
    ScreeningEvidence,
    from_unit_score,
    metric_of,
)
from zenml_ftvr.values.curve import ArmStanding, ScoreForecast
from zenml_ftvr.values.foresight import Foresight, MinimumScore
from zenml_ftvr.values.words import metric_words

__all__ = [
    "arm_sentences",
    "choice_sentences",
    "verdict_from_evidence",
    "verdict_from_pilots",
]


def verdict_from_evidence(
    choice: Kind, order: Order, evidence: ScreeningEvidence, request: Request
) -> str:
    """The answer in one sentence, where no arm that takes gradient steps was tried out."""
    model, words = request.base_model.name, baseline_words(request.task)
    measured = evidence.measured_for(choice)
    scored = ""
    if measured is not None:
        score = measured.score(metric_of(request.task))
        name = metric_words(score.metric)
        scored = f"{name} {score.value:.3f} [{score.low:.3f}, {score.high:.3f}], cross-validated"
    known = {
        "transfers": f"its features already beat {words}",
        "no difference": f"its features do as well as {words}",
        "does not transfer": f"its features fall short of {words}",
        "unmeasured": "nothing tells how near its features are",
    }[order.situation]
    offered = {approach.kind for approach in request.approaches}
    beside = (
        "training all of it does not fit here"
        if "full" in offered
        else "training all of it is not on offer"
    )
    match choice:
        case "baseline":
            why = {
                "transfers": f"the head on {model}'s features is not worth its price",
                "no difference": f"{model}'s features do no better",
                "does not transfer": f"{model}'s features do worse",
                "unmeasured": "nothing else was measured",
            }[order.situation]
            reach = f"reach {scored}" if scored else "will do"
            return f"Leave the neural network alone: {words} {reach}; {why}."
        case "head":
            reach = f": {scored}" if scored else ""
            return f"Keep {model} frozen and train a linear head on its features{reach}."
        case "contrastive":
            return (
                f"Train {model} on pairs of texts, then a head: {known}, and with so few rows a "
                f"class this has been ahead of fine-tuning."
                if order.trusted
                else f"Train {model} on pairs of texts, then a head, of the arms on offer."
            )
        case "partial":
            return (
                f"Fine-tune the last layers of {model}: {known}, comparisons at this size gain on "
                f"that, and {beside}."
                if order.trusted
                else f"Fine-tune the last layers of {model}, of the arms on offer."
            )
        case "full":
            return (
                f"Fine-tune all of {model}: {known}, and comparisons at this size gain on that."
                if order.trusted
                else f"Fine-tune all of {model}, of the arms on offer."
            )
        case "lora":
            return (
                f"Fine-tune {model} with LoRA: {known}, comparisons at this size gain on that, and "
                f"{beside}."
                if order.trusted
                else f"Fine-tune {model} with LoRA, of the arms on offer."
            )
        case "scratch":
            return "Train a small model from scratch on this data, of the arms on offer."
        case _:
            assert_never(choice)


def verdict_from_pilots(foresight: Foresight, pilots: PilotEvidence, request: Request) -> str:
    """The answer in one sentence, where pilots stand behind it."""
    choice = foresight.choice.kind
    model = request.base_model.name
    forecast = _forecast_of(foresight, choice)
    name = metric_words(pilots.metric)
    action = {
        "baseline": f"Leave the neural network alone: {baseline_words(request.task)}",
        "head": f"Keep {model} frozen and train a linear head on its features:",
        "contrastive": f"Train {model} on pairs of texts, then a head:",
        "partial": f"Fine-tune the last layers of {model}:",
        "full": f"Fine-tune all of {model}:",
        "lora": f"Fine-tune {model} with LoRA:",
        "scratch": "Train a small model from scratch on this data:",
    }[choice]
    reach = "reach" if choice == "baseline" else "forecast"
    scored = f"{name} {_interval(forecast, pilots.metric)}"
    why = _why_in_short(foresight)
    short = _short_of(foresight.minimum)
    return f"{action} {reach} {scored}; {why}.{short}"


def _interval(forecast: ScoreForecast, metric: Metric) -> str:
    value = from_unit_score(metric, forecast.mean)
    low, high = sorted(from_unit_score(metric, one) for one in (forecast.low, forecast.high))
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _forecast_of(foresight: Foresight, kind: Kind) -> ScoreForecast:
    return next(one for one in foresight.forecasts if one.kind == kind)


def _why_in_short(foresight: Foresight) -> str:
    choice = foresight.choice
    others = [one for one in choice.standings if one.kind != choice.kind]
    if not others:
        return "no other arm with pilots is left to compare it with"
    best = choice.standings[0]
    if best.kind != choice.kind:
        return (
            f"'{best.kind}' is forecast {best.mean - choice.chosen.mean:.3f} higher, within the "
            f"tolerance of {choice.tolerance:g}, and costs {_times(best, choice.chosen)}"
        )
    runner_up = others[0]
    return f"'{runner_up.kind}' is next with {runner_up.mean:.3f}"


def _times(one: ArmStanding, other: ArmStanding) -> str:
    """How many times as much `one` costs as `other`."""
    if other.hours <= 0:
        return "more"
    ratio = one.hours / other.hours
    return f"{ratio:.0f} times as much" if ratio >= 9.5 else f"{ratio:.1f} times as much"


def _short_of(minimum: MinimumScore | None) -> str:
    if minimum is None or minimum.reached_by:
        return ""
    nearest = minimum.nearest
    would = (
        "no data size that the pilots speak for would change that"
        if nearest is None
        else f"with {nearest.n_more or 0:,} more labels '{nearest.kind}' would, at "
        f"{minimum.level:.0%}"
    )
    return f" None of the arms is likely to reach {minimum.score:g}; {would}."


def choice_sentences(foresight: Foresight, pilots: PilotEvidence) -> tuple[str, ...]:
    """Why this arm, and what would change the answer."""
    choice = foresight.choice
    chosen = choice.chosen
    sizes = sorted({one.n_train for one in pilots.runs if one.status == "scored"})
    n_scored = sum(one.status == "scored" for one in pilots.runs)
    told = [
        f"{n_scored} pilots on {sizes[0]:,} to {sizes[-1]:,} rows were judged on the same "
        f"{pilots.n_select:,} rows; at {foresight.n_train:,} rows scores vary over seeds by "
        f"{foresight.seed_sd:.3f} (standard deviation).",
        f"'{choice.kind}' is chosen as the {_rule_words(choice.rule, choice.tolerance)}: it is the "
        f"best feasible arm with probability {chosen.probability_best:.0%}, and its expected "
        f"regret is {chosen.expected_regret:.3f}.",
    ]
    if pilots.stopped is not None:
        told.append(pilots.stopped)
    value = foresight.label_value(choice.kind)
    if value is not None:
        hedge = " (no pilot speaks for that size)" if value.support == "unsupported" else ""
        told.append(
            f"The next {value.n_more:,} labels are worth {value.mean:+.3f} [{value.low:+.3f}, "
            f"{value.high:+.3f}] to '{choice.kind}'{hedge}."
        )
    told.extend(_break_even_sentences(foresight))
    return tuple(told)


def _rule_words(rule: str, tolerance: float) -> str:
    if rule == "highest mean":
        return "arm with the highest forecast"
    return f"cheapest arm whose forecast is within {tolerance:g} of the highest"


def _break_even_sentences(foresight: Foresight) -> tuple[str, ...]:
    """Where the choice and another arm change places, nearest to the data's size first."""
    kind, here = foresight.choice.kind, foresight.n_train
    found: list[tuple[float, str]] = []
    for pair in foresight.break_evens:
        if kind not in (pair.first, pair.second) or not pair.n_train:
            continue
        other = pair.second if pair.first == kind else pair.first
        at = min(pair.n_train, key=lambda size: max(size / here, here / size))
        side = "From" if at > here else "Below"
        times = max(at / here, here / at)
        found.append((times, f"{side} about {at:,.0f} rows '{other}' would be ahead of it."))
    return tuple(sentence for _, sentence in sorted(found))


def arm_sentences(
    foresight: Foresight | None, pilots: PilotEvidence | None, kind: Kind
) -> tuple[str, ...]:
    """What the pilots say of one arm; empty where none were run at all."""
    if pilots is None:
        return ()
    if foresight is None or foresight.forecast(kind) is None:
        return tuple(f"No pilots: {why}" for arm, why in pilots.skipped if arm == kind)
    runs = [one for one in pilots.runs if one.kind == kind]
    scored = [one for one in runs if one.status == "scored"]
    sizes = sorted({one.n_train for one in scored})
    forecast = _forecast_of(foresight, kind)
    how = {
        "interpolated": "measured at this size",
        "extrapolated": f"extrapolated from {sizes[-1]:,} rows",
        "unsupported": f"more than ten times the largest pilot of {sizes[-1]:,} rows, so that "
        f"nothing measured speaks for it",
    }[forecast.support]
    told = [
        f"{len(scored)} pilots at {', '.join(f'{size:,}' for size in sizes)} rows; the forecast is "
        f"{how}."
    ]
    lost = [one for one in runs if one.status != "scored"]
    told.extend(
        f"A pilot on {one.n_train:,} rows {one.status}, and does not count: {one.detail}"
        for one in lost
    )
    standing = next((one for one in foresight.choice.standings if one.kind == kind), None)
    chosen = foresight.choice.chosen
    if standing is not None:
        told.append(
            f"Best of the feasible arms with probability {standing.probability_best:.0%}; expected "
            f"regret {standing.expected_regret:.3f}."
        )
        if kind != chosen.kind:
            told.append(_why_it_lost(standing, chosen))
    return tuple(told)


def _why_it_lost(standing: ArmStanding, chosen: ArmStanding) -> str:
    gap = standing.mean - chosen.mean
    if gap > 0:
        return (
            f"Forecast {gap:.3f} above '{chosen.kind}', within the tolerance, at "
            f"{_times(standing, chosen)} of its cost."
        )
    if standing.hours < chosen.hours:
        return (
            f"Forecast {-gap:.3f} below '{chosen.kind}', more than the tolerance, though it is "
            f"cheaper."
        )
    return f"Forecast {-gap:.3f} below '{chosen.kind}', and no cheaper."
