"""What small trainings foresee: how scores grow with data, and what would change the answer."""

from __future__ import annotations

from collections.abc import Sequence

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Bullets, Details, Heading, Paragraph, Table
from zenml_ftvr.report.charts import Growth, drawn, growth_chart, map_chart
from zenml_ftvr.values import (
    BreakEven,
    DecisionMap,
    Foresight,
    Kind,
    Metric,
    MinimumScore,
    PilotEvidence,
    Recommendation,
    Support,
)

__all__ = ["decision_map", "growth", "pilot_runs"]

SUPPORT_WORDS: dict[Support, str] = {
    "interpolated": "among the pilots",
    "extrapolated": "beyond the pilots",
    "unsupported": "no pilot speaks for it",
}
MAP_SIZES, MAP_BUDGETS = 7, 7  # columns and rows of the map as a table: a judgement


def growth(recommendation: Recommendation) -> Blocks:
    """Learning curves with their pilots, every arm's standing, and what more labels are worth."""
    foresight = recommendation.foresight
    if foresight is None:
        return _no_foresight(recommendation)
    arms = [_growth(foresight, kind) for kind in (one.kind for one in foresight.curves)]
    scale = _scale_words(recommendation.metric)
    unit = _unit(recommendation.metric)
    title = f"Scores by training {unit}: pilots as dots, forecasts as lines with their limits"
    level = foresight.curves[0].level if foresight.curves else 0.95
    return (
        Paragraph(
            f"Scores are {scale}. Dots are small trainings, judged on the same "
            f"{_n_select(recommendation)}rows. Lines are what one training is expected to score, "
            f"with limits that hold {level:.0%} of them; beyond ten times an arm's largest pilot a "
            f"line is pale, because nothing measured speaks for it. At {foresight.n_train:,} "
            f"{unit} scores vary over seeds by {foresight.seed_sd:.3f} (standard deviation)."
            f"{_what_unit_is(unit)}",
            "small",
        ),
        *drawn(lambda width: growth_chart(title, arms, foresight.n_train, width, unit)),
        _standings(foresight, unit),
        Bullets(tuple(_break_even(one, unit) for one in foresight.break_evens)),
        *_minimum(foresight.minimum, unit),
        *_curve_numbers(foresight, unit),
        *_all_pilots(recommendation),
    )


def _all_pilots(recommendation: Recommendation) -> Blocks:
    pilots = recommendation.pilots
    return () if pilots is None else (Details("Every small training", pilot_runs(pilots)),)


def _no_foresight(recommendation: Recommendation) -> Blocks:
    pilots = recommendation.pilots
    if pilots is None:
        return ()
    return (Paragraph("No small training came to a score."), Bullets(_left_out(pilots)))


def _left_out(pilots: PilotEvidence) -> tuple[str, ...]:
    """Why no more was tried: of all arms once, and of each that has a reason of its own."""
    stopped = () if pilots.stopped is None else (pilots.stopped,)
    own = [one for one in pilots.skipped if one[1] != pilots.stopped]
    return (*stopped, *(f"{w.approach_name(kind)}: {why}" for kind, why in own))


def _n_select(recommendation: Recommendation) -> str:
    pilots = recommendation.pilots
    return "" if pilots is None else f"{w.count(pilots.n_select)} "


def _growth(foresight: Foresight, kind: Kind) -> Growth:
    curve = next(one for one in foresight.curves if one.kind == kind)
    return Growth(
        kind=kind,
        name=w.approach_name(kind),
        line=tuple(zip(curve.n_train, curve.mean, curve.low, curve.high, strict=True)),
        pilots=tuple((one.n_train, one.score) for one in curve.pilots),
        supported_to=curve.supported_to,
    )


def _standings(foresight: Foresight, unit: str) -> Table:
    standings = {one.kind: one for one in foresight.choice.standings}
    rows = []
    for forecast in foresight.forecasts:
        standing, value = standings.get(forecast.kind), foresight.label_value(forecast.kind)
        rows.append(
            (
                w.approach_name(forecast.kind),
                f"{w.number(forecast.mean)} [{w.number(forecast.low)}, {w.number(forecast.high)}]",
                SUPPORT_WORDS[forecast.support],
                "not feasible" if standing is None else f"{standing.probability_best:.0%}",
                w.NOTHING if standing is None else w.number(standing.expected_regret),
                w.NOTHING if standing is None else w.duration(standing.hours * 3600),
                w.NOTHING
                if value is None
                else f"{value.mean:+.3f} [{value.low:+.3f}, {value.high:+.3f}]",
            )
        )
    more = next((one.n_more for one in foresight.label_values), None)
    labelled = "labels" if unit == "rows" else unit
    labels = f"More {labelled}" if more is None else f"The next {w.count(more)} {labelled}"
    chosen = [one.kind for one in foresight.forecasts]
    choice = foresight.choice.kind
    return Table(
        header=(
            "Approach",
            f"Forecast at {w.count(foresight.n_train)} {unit}",
            "Which is",
            "Best with",
            "Expected regret",
            "Time",
            labels,
        ),
        rows=tuple(rows),
        numeric=frozenset({1, 3, 4, 5, 6}),
        chosen=chosen.index(choice) if choice in chosen else None,
    )


def _break_even(pair: BreakEven, unit: str) -> str:
    first, second = w.approach_name(pair.first), w.approach_name(pair.second)
    if pair.n_train:
        at = " and ".join(f"about {size:,.0f} {unit}" for size in pair.n_train)
        small = pair.ahead_when_small
        ahead = "" if small is None else f", {w.approach_name(small)} being ahead with fewer"
        where = f"change places at {at}{ahead}"
    elif pair.ahead_when_small is None:
        where = "are forecast to be equal at every size looked at"
    else:
        ahead = w.approach_name(pair.ahead_when_small)
        where = f"do not change places at any size looked at: {ahead} is ahead"
    if pair.hours is None:
        budget = "no budget makes the costlier one the choice at today's size"
    else:
        budget = (
            f"from a budget of {w.duration(pair.hours * 3600)} on the costlier one is chosen at "
            f"today's size"
        )
    return f"{first} and {second} {where}; {budget}."


def _minimum(minimum: MinimumScore | None, unit: str) -> Blocks:
    if minimum is None:
        return ()
    return (
        Heading(f"Reaching {minimum.score:g}"),
        Table(
            header=(
                "Approach",
                "Probability today",
                f"More {unit} until {minimum.level:.0%} is likely",
            ),
            rows=tuple(
                (
                    w.approach_name(one.kind),
                    f"{one.probability:.0%}",
                    "none that pilots speak for" if one.n_more is None else w.count(one.n_more),
                )
                for one in minimum.arms
            ),
            numeric=frozenset({1, 2}),
        ),
    )


def _curve_numbers(foresight: Foresight, unit: str) -> Blocks:
    """The lines of the picture, at a few sizes."""
    rows = [
        (
            w.approach_name(curve.kind),
            f"{curve.n_train[at]:,.0f}",
            f"{w.number(curve.mean[at])} [{w.number(curve.low[at])}, {w.number(curve.high[at])}]",
            "yes" if curve.n_train[at] <= curve.supported_to else "no",
        )
        for curve in foresight.curves
        for at in _spread(len(curve.n_train), MAP_SIZES)
    ]
    if not rows:
        return ()
    table = Table(
        header=("Approach", f"Training {unit}", "Score of one training", "Pilots speak for it"),
        rows=tuple(rows),
        numeric=frozenset({1, 2}),
    )
    return (Details("The numbers of these curves", (table,)),)


def _spread(n: int, wanted: int) -> list[int]:
    """Places among `n`, evenly apart, the first and the last with them."""
    if n <= wanted:
        return list(range(n))
    return sorted({round(index * (n - 1) / (wanted - 1)) for index in range(wanted)})


def decision_map(recommendation: Recommendation) -> Blocks:
    """Which arm would be chosen with other data and another budget."""
    foresight = recommendation.foresight
    if foresight is None or foresight.map is None:
        return ()
    found, hours = foresight.map, recommendation.hours_allowed
    unit = _unit(recommendation.metric)
    title = f"The approach that would be chosen, by training {unit} and budget"
    far = (
        f" From {found.supported_to:,.0f} {unit} on (hatched) no pilot speaks for at least one of "
        f"the arms."
        if found.supported_to is not None
        else ""
    )
    return (
        Paragraph(
            f"The ring is where you are: {w.count(foresight.n_train)} training {unit}, and "
            f"{w.duration(hours * 3600)} left to train and evaluate in.{far}",
            "small",
        ),
        *drawn(lambda width: map_chart(title, found, (foresight.n_train, hours), width, unit)),
        Details("The map as a table", (_map_table(found, unit),)),
    )


def _map_table(found: DecisionMap, unit: str) -> Table:
    sizes = _spread(len(found.n_train), MAP_SIZES)
    budgets = _spread(len(found.hours), MAP_BUDGETS)[::-1]
    return Table(
        header=("Budget", *(f"{w.count(found.n_train[at])} {unit}" for at in sizes)),
        rows=tuple(
            (w.duration(found.hours[row] * 3600), *_winners(found.winners[row], sizes))
            for row in budgets
        ),
    )


def _winners(row: Sequence[Kind | None], sizes: Sequence[int]) -> tuple[str, ...]:
    kinds = (row[at] for at in sizes)
    return tuple("no arm fits" if kind is None else w.approach_name(kind) for kind in kinds)


def pilot_runs(pilots: PilotEvidence) -> Blocks:
    """Every small training, whatever became of it."""
    scored = sum(one.status == "scored" for one in pilots.runs)
    return (
        Paragraph(
            f"{w.count(len(pilots.runs))} small trainings, {w.count(scored)} with a score "
            f"({_scale_words(pilots.metric)}), judged on the same "
            f"{w.count(pilots.n_select)} rows; they took {w.duration(pilots.seconds)} of the "
            f"{w.duration(pilots.seconds_allowed)} that they were allowed."
        ),
        Table(
            header=(
                "Approach",
                f"Training {_unit(pilots.metric)}",
                "Seed",
                "Learning rate",
                "Score",
                "Time",
                "What became of it",
            ),
            rows=tuple(
                (
                    w.approach_name(one.kind),
                    w.count(one.n_train),
                    str(one.seed),
                    w.NOTHING if one.learning_rate is None else f"{one.learning_rate:g}",
                    w.NOTHING if one.score is None else w.number(one.score),
                    w.duration(one.seconds),
                    one.status if one.detail is None else f"{one.status}: {one.detail}",
                )
                for one in pilots.runs
            ),
            numeric=frozenset({1, 2, 3, 4, 5}),
        ),
        Bullets(_left_out(pilots)),
    )


def _unit(metric: Metric) -> str:
    """What sizes are counted in, by the metric, which a language model alone has."""
    return "blocks" if metric in ("bits_per_byte", "perplexity") else "rows"


def _what_unit_is(unit: str) -> str:
    if unit == "rows":
        return ""
    return (
        " A block is what the model reads at once: short documents share one, and a long one fills "
        "several."
    )


def _scale_words(metric: Metric) -> str:
    """What a score of 0 to 1 is, where the metric is none itself."""
    match metric:
        case "bits_per_byte":
            return "1 less an eighth of the bits per byte, so that more is better"
        case "perplexity":
            return "1 over the perplexity, so that more is better"
        case "rmse":
            return "R2, which puts models in the order of the RMSE"
        case _:
            return f"{w.metric_words(metric)}, 0 to 1"
