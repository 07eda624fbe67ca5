"""The parts that pages are made of. Each takes values and returns HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zenml_ftvr.approaches import most_tokens
from zenml_ftvr.report import wording as w
from zenml_ftvr.report.charts import Interval, Series, interval_chart, line_chart, pair_chart
from zenml_ftvr.report.page import callout, code, details, facts, paragraphs, table
from zenml_ftvr.report.usage import usage_lines
from zenml_ftvr.values import (
    LOWER_IS_BETTER,
    Calibration,
    DataProfile,
    Evaluation,
    Ledger,
    Metric,
    ModelEvaluation,
    RankedArm,
    Recommendation,
    TrainedModel,
    metric_of,
    metrics_of,
)

__all__ = [
    "answer",
    "calibration",
    "cost",
    "curves",
    "data",
    "disappointments",
    "limits",
    "plan_table",
    "provenance",
    "ranking",
    "reasons",
    "results",
    "usage",
]

CLASSES_SHOWN = 20  # rows of bars, and of the confusion table, that a page can still show
CONFUSIONS_SHOWN = 15  # of more classes, the most frequent confusions
NOTHING = "–"


def answer(recommendation: Recommendation, evaluation: Evaluation) -> str:
    """The verdict, and the numbers that decide whether one believes it."""
    metric = recommendation.metric
    score = evaluation.model(evaluation.choice).score(metric)
    tiles = [
        (
            w.number(score.value),
            f"{w.metric_name(metric)} on {w.count(evaluation.n_test)} test rows",
            f"95 %: {w.number(score.low)} to {w.number(score.high)}",
        )
    ]
    difference = next(
        (
            one
            for one in evaluation.differences
            if one.first == evaluation.choice and one.metric == metric
        ),
        None,
    )
    if difference is not None:
        judged = "significant" if difference.is_significant else "within chance"
        tiles.append(
            (
                f"{difference.mean:+.3f}",
                "against the baseline",
                f"{difference.low:+.3f} to {difference.high:+.3f}, {judged}",
            )
        )
    if evaluation.majority_accuracy is not None:
        guessed = w.number(evaluation.majority_accuracy)
        tiles.append((guessed, "Accuracy of always guessing the top class", ""))
    spent = evaluation.ledger
    allowed = recommendation.hours_allowed + recommendation.ledger.hours
    tiles.append(
        (
            w.duration(spent.hours * 3600),
            f"spent, of {w.duration(allowed * 3600)}",
            f"{w.dollars(spent.usd)} at ${spent.usd_per_hour:g} an hour"
            if spent.usd_per_hour is not None
            else "no price given",
        )
    )
    return (
        f'<p class="verdict">{w.escape(recommendation.verdict)}</p>'
        + "".join(callout(sentence) for sentence in disappointments(recommendation, evaluation))
        + facts(tiles)
    )


def disappointments(recommendation: Recommendation, evaluation: Evaluation) -> tuple[str, ...]:
    """Where the unseen rows contradict the choice."""
    sentences = []
    for model in evaluation.models:
        answered = [
            label.label
            for label, column in zip(model.labels, zip(*model.confusion, strict=True), strict=True)
            if any(column)
        ]
        if len(answered) == 1:
            sentences.append(
                f"{w.approach_name(model.kind)} answers every unseen row with '{answered[0]}': its "
                f"training collapsed. Lower its learning rate, or take another seed."
            )
    for one in evaluation.differences:
        chosen = one.first == evaluation.choice and one.metric == recommendation.metric
        if chosen and one.high < 0:
            sentences.append(
                f"On the unseen rows the choice is significantly worse than the baseline "
                f"({w.difference_text(one)} {w.metric_words(one.metric)}): use the baseline, which "
                f"was trained beside it."
            )
    return tuple(sentences)


def _top_class(metric: Metric, share: float | None) -> tuple[str, float] | None:
    """The mark of a chart of accuracies: what guessing gets."""
    return None if share is None or metric != "accuracy" else ("always the top class", share)


def ranking(recommendation: Recommendation) -> str:
    """Every arm: score or its absence, cost, and whether it fits."""
    header = ["", "Approach", "Score", "Time", "Dollars", "Memory", "Fits the budget"]
    rows = [_rank_row(place, arm) for place, arm in enumerate(recommendation.arms, start=1)]
    measured = [arm for arm in recommendation.arms if arm.forecast.score is not None]
    chart = interval_chart(
        f"Cross-validated {w.metric_words(recommendation.metric)} with 95 % intervals",
        [
            Interval(w.approach_name(arm.kind), score.value, score.low, score.high)
            for arm in measured
            if (score := arm.forecast.score) is not None
        ],
        _top_class(recommendation.metric, recommendation.evidence.majority_share),
    )
    why = "".join(
        f"<h3>{w.escape(w.approach_name(arm.kind))}: {w.escape(w.what_trains(arm.kind))}</h3>"
        + paragraphs([*arm.reasons, *arm.forecast.evidence, *_plan_reasons(arm)])
        for arm in recommendation.arms
    )
    name = w.metric_words(recommendation.metric)
    return (
        f'<p class="small muted">Scores are {name}, cross-validated on the training rows with 95 % '
        f"intervals. Arms without one were not trained yet: their place follows from published "
        f"comparisons, and no interval is invented for them.</p>"
        + table(header, rows, numeric=frozenset({2, 3, 4, 5}), chosen=0)
        + chart
        + paragraphs(_zero_shot(recommendation))
        + details("Why each arm stands where it stands, with sources", why)
    )


def _zero_shot(recommendation: Recommendation) -> list[str]:
    """What the labels' names alone are worth, where that was measured."""
    evidence = recommendation.evidence
    if evidence.zero_shot is None:
        return []
    score = evidence.zero_shot.score(recommendation.metric)
    return [
        f"Without any training, giving each text the label whose name the base model finds nearest "
        f"reaches {w.metric_words(score.metric)} {w.score_text(score)} on the training rows."
    ]


def _rank_row(place: int, arm: RankedArm) -> list[str]:
    score, cost = arm.forecast.score, arm.cost
    return [
        str(place),
        w.approach_name(arm.kind),
        "not measured" if score is None else w.score_text(score),
        NOTHING if cost is None else w.duration(cost.hours * 3600),
        NOTHING if cost is None else w.dollars(cost.usd),
        NOTHING if cost is None else w.gib(cost.peak_memory_gib),
        "yes" if arm.feasible else " ".join(arm.reasons),
    ]


def _plan_reasons(arm: RankedArm) -> tuple[str, ...]:
    return () if arm.plan is None else tuple(f"Plan: {reason}" for reason in arm.plan.reasons)


def reasons(recommendation: Recommendation) -> str:
    """Why this choice."""
    text = paragraphs(recommendation.reasons)
    if recommendation.companion is not None:
        text += (
            f"<p>{w.escape(w.approach_name(recommendation.companion))} was trained beside it, "
            f"because the configuration asks for one arm with a training curve.</p>"
        )
    return text


def cost(ledger: Ledger) -> str:
    """Predicted against actual, entry by entry."""
    shown = [
        (
            entry.what if entry.kind is None else f"{entry.what}, {w.approach_name(entry.kind)}",
            entry.predicted_seconds,
            entry.seconds,
        )
        for entry in ledger.entries
    ]
    price = ledger.usd_per_hour
    rows = [
        [
            name[:1].upper() + name[1:],
            w.duration(predicted),
            w.duration(actual),
            NOTHING if price is None else w.dollars(actual / 3600 * price),
        ]
        for name, predicted, actual in shown
    ]
    rows.append(["Total", "", w.duration(ledger.hours * 3600), w.dollars(ledger.usd)])
    chart = pair_chart(
        "Seconds predicted and actual",
        [
            (
                name,
                predicted,
                actual,
                w.duration(actual)
                if predicted is None
                else f"{w.duration(actual)} (of {w.duration(predicted)})",
            )
            for name, predicted, actual in shown
        ],
        ("predicted", "actual"),
    )
    header = ["What", "Predicted", "Actual", "Dollars"]
    return chart + table(header, rows, numeric=frozenset({1, 2, 3}))


def curves(models: Sequence[TrainedModel]) -> str:
    """Loss and validation scores over the steps, of every model that took some."""
    parts = []
    for model in models:
        if model.steps_done == 0:
            continue
        parts.append(f"<h3>{w.escape(w.approach_name(model.kind))}</h3>")
        parts.append(
            f'<p class="small muted">{w.count(model.steps_done)} steps in '
            f"{w.duration(model.seconds)}; "
            + (
                "stopped by the clock, at the end of the budget."
                if model.stopped_by == "budget"
                else "all that the plan foresaw."
            )
            + " The weights with the best validation score are kept.</p>"
        )
        parts.append(
            _chart_of(model, "Loss", {"train/loss": "training", "eval/loss": "validation"})
        )
        parts.append(
            _chart_of(
                model,
                "Validation scores",
                _shown_scores(model),
            )
        )
    return "".join(parts)


def _shown_scores(model: TrainedModel) -> dict[str, str]:
    """The scores of a curve that share one scale, 0 to 1; the task's own metric where none does."""
    measured = {point.metric for point in model.curve}
    own = metric_of(model.plan.task)
    shown = [metric for metric in metrics_of(model.plan.task) if metric not in LOWER_IS_BETTER]
    if own in LOWER_IS_BETTER:
        shown = [own]
    return {f"eval/{one}": w.metric_words(one) for one in shown if f"eval/{one}" in measured}


def _chart_of(model: TrainedModel, title: str, names: Mapping[str, str]) -> str:
    series = [
        Series(
            shown,
            tuple((point.step, point.value) for point in model.curve if point.metric == metric),
        )
        for metric, shown in names.items()
    ]
    return line_chart(f"{title}, {w.approach_name(model.kind)}", series, f"{title} by step")


def results(evaluation: Evaluation) -> str:
    """Test scores of every model, differences, classes, confusions."""
    metrics = [score.metric for score in evaluation.models[0].scores]
    header = ["Model", *(f"{w.metric_name(metric)} [95 %]" for metric in metrics), "Rows a second"]
    rows = [
        [
            w.approach_name(model.kind),
            *(w.score_text(score) for score in model.scores),
            f"{model.rows_per_second:,.0f}",
        ]
        for model in evaluation.models
    ]
    metric = metrics[0]
    chart = interval_chart(
        f"{w.metric_name(metric)} on the test rows with 95 % intervals",
        [
            Interval(w.approach_name(model.kind), score.value, score.low, score.high)
            for model in evaluation.models
            for score in (model.score(metric),)
        ],
        _top_class(metric, evaluation.majority_accuracy),
    )
    against = "".join(
        f"<li>{w.escape(w.approach_name(one.first))} minus "
        f"{w.escape(w.approach_name(one.second).lower())}, "
        f"{w.escape(w.metric_words(one.metric))}: {w.escape(w.difference_text(one))}, "
        f"{'significant' if one.is_significant else 'within chance'} on the same "
        f"{w.count(one.n_rows)} rows.</li>"
        for one in evaluation.differences
    )
    chosen = evaluation.model(evaluation.choice)
    return (
        f"<p>{w.count(evaluation.n_test)} rows that nothing was fitted to, read once.</p>"
        + table(header, rows, numeric=frozenset(range(1, len(header))), chosen=0)
        + chart
        + (f"<ul>{against}</ul>" if against else "")
        + (_by_class(chosen) if chosen.labels else "")
    )


def _by_class(chosen: ModelEvaluation) -> str:
    return (
        f"<h3>Classes: {w.escape(w.approach_name(chosen.kind))}</h3>"
        + _classes(chosen)
        + "<h3>What is taken for what</h3>"
        + _confusions(chosen)
    )


def _classes(model: ModelEvaluation) -> str:
    rows = [
        [
            one.label,
            w.number(one.precision),
            w.number(one.recall),
            w.number(one.f1),
            w.count(one.n_rows),
        ]
        for one in sorted(model.labels, key=lambda one: one.f1)
    ]
    header = ["Class, worst first", "Precision", "Recall", "F1", "Test rows"]
    whole = table(header, rows, numeric=frozenset({1, 2, 3, 4}))
    if len(rows) <= CLASSES_SHOWN:
        return whole
    first = table(header, rows[:CLASSES_SHOWN], numeric=frozenset({1, 2, 3, 4}))
    return first + details(f"All {len(rows)} classes", whole)


def _confusions(model: ModelEvaluation) -> str:
    labels = [one.label for one in model.labels]
    if len(labels) <= CLASSES_SHOWN:
        return _heat_table(labels, model.confusion)
    pairs = sorted(
        (
            (cell, labels[true], labels[predicted])
            for true, row in enumerate(model.confusion)
            for predicted, cell in enumerate(row)
            if true != predicted and cell
        ),
        reverse=True,
    )
    rows = [[true, predicted, w.count(cell)] for cell, true, predicted in pairs]
    header = ["True class", "Answered", "Test rows"]
    return table(header, rows[:CONFUSIONS_SHOWN], numeric=frozenset({2}))


def _heat_table(labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> str:
    head = "".join(f'<th title="{w.escape(label)}">{w.escape(label)}</th>' for label in labels)
    body = []
    for true, row in enumerate(confusion):
        total = sum(row) or 1
        cells = "".join(
            f'<td style="background:color-mix(in srgb,{_heat(true == predicted)} '
            f'{round(70 * cell / total)}%,transparent)">{cell or ""}</td>'
            for predicted, cell in enumerate(row)
        )
        name = w.escape(labels[true])
        body.append(f'<tr><th title="{name}">{name}</th>{cells}</tr>')
    return (
        '<p class="small muted">Rows: true class. Columns: answered. Blue is right, orange wrong; '
        "the darker, the larger the share of the row.</p>"
        f'<div class="box"><table class="heat"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _heat(right: bool) -> str:
    return "var(--s1)" if right else "var(--s2)"


def _sizes(profile: DataProfile) -> tuple[str, str, str]:
    """How long texts are, or how large images."""
    words, widths, heights = profile.words, profile.widths, profile.heights
    if widths is None or heights is None:
        longest = f"{words.p90:.0f} in the longest tenth, at most {words.maximum:,.0f}"
        return f"{words.p50:.0f}", "words in the middle text", longest
    return (
        f"{widths.p50:.0f} x {heights.p50:.0f}",
        "pixels, the middle width and height",
        f"from {widths.minimum:.0f} x {heights.minimum:.0f} to {widths.maximum:.0f} x "
        f"{heights.maximum:.0f}",
    )


def data(profile: DataProfile) -> str:
    """What the data is like."""
    tiles = [
        (w.count(profile.n_rows), "rows", profile.source),
        (
            w.count(profile.n_train),
            "to train on",
            f"{w.count(profile.n_validation)} to validate, {w.count(profile.n_test)} to test",
        ),
        *(
            [
                (
                    w.count(profile.n_classes),
                    "classes",
                    f"the largest has {profile.majority_share:.0%} of the training rows",
                )
            ]
            if profile.classes
            else []
        ),
        _sizes(profile),
        (
            w.count(profile.n_duplicates),
            "repeated texts" if profile.widths is None else "repeated images",
            f"under more than one label: {w.count(profile.n_conflicts)}",
        ),
    ]
    if profile.tokens is not None:
        tokens = profile.tokens
        tiles.append(
            (
                f"{tokens.pieces_per_word:.2f}",
                "pieces a word",
                f"{tokens.unknown_share:.1%} unknown to the tokenizer of {tokens.tokenizer}; "
                f"{tokens.truncated_share:.1%} of tokens cut off at {tokens.max_length}",
            )
        )
    most = max((one.total for one in profile.classes), default=0)
    ordered = sorted(profile.classes, key=lambda one: -one.total)
    bars = "".join(
        f'<tr><td class="l">{w.escape(one.label)}</td><td class="n">{w.count(one.train)}</td>'
        f'<td class="n">{w.count(one.validation)}</td><td class="n">{w.count(one.test)}</td>'
        f'<td style="width:38%"><div class="bar" style="width:{100 * one.total / most:.1f}%">'
        f"</div></td></tr>"
        for one in ordered[:CLASSES_SHOWN]
    )
    rest = len(ordered) - CLASSES_SHOWN
    return (
        "".join(callout(sentence) for sentence in profile.warnings)
        + facts(tiles)
        + '<div class="box"><table><thead><tr><th>Class</th><th class="n">Train</th>'
        '<th class="n">Validation</th><th class="n">Test</th><th></th></tr></thead>'
        f"<tbody>{bars}</tbody></table></div>"
        + (f'<p class="small muted">and {rest} smaller classes</p>' if rest > 0 else "")
        + _checks(profile)
    )


def _checks(profile: DataProfile) -> str:
    """What was looked for in the rows, found or not; nothing of a profile from before it was."""
    checks = profile.checks
    if checks is None:
        return ""
    alike = f"{w.count(checks.n_compared)} distinct texts compared"
    if checks.n_compared < checks.n_distinct:
        alike = (
            f"a sample of {w.count(checks.n_compared)} of {w.count(checks.n_distinct)} distinct "
            f"texts compared"
        )
    rows = [
        ["Rows that repeat a text", w.count(profile.n_duplicates), "beyond the first of each"],
        ["Texts under more than one label", w.count(profile.n_conflicts), ""],
        [
            "Test rows with the text of a training or validation row",
            w.count(checks.n_leaked_test),
            "",
        ],
        [
            "Validation rows with the text of a training row",
            w.count(checks.n_leaked_validation),
            "",
        ],
        [
            "Texts nearly the same as another",
            w.count(checks.n_near_duplicates),
            f"at least 0.8 of all runs of three words are in both; {alike}",
        ],
        [
            "Test texts nearly a training or validation text",
            w.count(checks.n_near_leaked_test),
            "likewise",
        ],
        [
            "Validation texts nearly a training text",
            w.count(checks.n_near_leaked_validation),
            "likewise",
        ],
        [
            "Rows far longer than the rest",
            w.count(checks.n_far_longer),
            f"beyond {w.count(checks.far_longer_than)} characters",
        ],
        ["Rows that look wrongly decoded", w.count(checks.n_misencoded), ""],
    ]
    if profile.tokens is not None:
        share = f"{profile.tokens.truncated_share:.1%}"
        rows.append(["Tokens cut off", share, f"beyond {profile.tokens.max_length} a text"])
    return "<h3>What was looked for</h3>" + table(
        ["Check", "Found", "How"], rows, numeric=frozenset({1})
    )


def usage(models: Sequence[TrainedModel]) -> str:
    """How to load and use the first model; the others folded away."""
    parts = []
    for index, model in enumerate(models):
        ours, plain = usage_lines(model, model.path)
        text = code(ours) + "<p>Without this package:</p>" + code(plain)
        name = w.approach_name(model.kind)
        parts.append(text if index == 0 else details(f"{name}, trained beside it", text))
    return "".join(parts)


def plan_table(model: TrainedModel) -> str:
    """What was run, to the number."""
    plan = model.plan
    rows = [
        ["Approach", w.approach_name(plan.kind)],
        ["Plan", plan.fingerprint],
        ["Data", plan.data_fingerprint],
        ["Base model", "none" if plan.model is None else _base_name(model)],
        *(["Allowed by the user", allowed] for allowed in w.allowed_of_base(plan)),
        ["Steps", f"{w.count(model.steps_done)} of {w.count(plan.max_steps)}"],
        ["Batch size", w.count(plan.batch_size)],
        ["Learning rate", NOTHING if plan.learning_rate is None else f"{plan.learning_rate:g}"],
        ["Weight decay", f"{plan.weight_decay:g}"],
        ["Warm-up steps", w.count(plan.warmup_steps)],
        ["Most tokens a text", w.count(most_tokens(plan.task))],
        ["Seed", str(plan.seed)],
        ["Parameters", f"{w.count(model.n_params)}, {w.count(model.n_trainable)} of them trained"],
        ["Size on disk", w.size(model.n_bytes)],
        ["Peak memory", f"{w.gib(model.peak_memory_gib)} above what was held before"],
        *(["Note", note] for note in model.notes),
        ["W&B run", _tracked(model)],
    ]
    return table(["", ""], rows)


def _base_name(model: TrainedModel) -> str:
    source = model.plan.model
    if source is None:
        return NOTHING
    revision = f" at {source.revision}" if source.revision else ""
    return f"{source.name}{revision}, sha256 {model.plan.model_fingerprint}"


def _tracked(model: TrainedModel) -> str:
    tracked = model.tracked
    if tracked is None:
        return "not tracked"
    if tracked.url is not None:
        return f"{tracked.name}: {tracked.url}"
    return f"{tracked.name}, offline; upload it with: {tracked.sync_command}"


def provenance(
    models: Sequence[TrainedModel], measured: Calibration, versions: Mapping[str, str]
) -> str:
    """What would be needed to do it again."""
    hardware = measured.hardware
    machine = (
        f"{hardware.device_name} ({hardware.device}), {hardware.cores} cores, "
        f"{w.gib(hardware.memory_gib)} of memory"
    )
    if hardware.device_memory_gib is not None:
        machine += f", {hardware.n_devices} accelerators of {w.gib(hardware.device_memory_gib)}"
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        "".join(plan_table(model) for model in models)
        + f"<p>Hardware: {w.escape(machine)}.</p><p>Versions: {w.escape(listed)}.</p>"
    )


def calibration(measured: Calibration) -> str:
    """Seconds and memory, arm by arm."""
    rows = [
        [
            w.approach_name(arm.kind),
            w.duration(arm.seconds_per_step),
            w.count(arm.batch_size),
            str(arm.n_steps_timed),
            f"{1000 * arm.seconds_per_eval_row:.2f} ms",
            w.duration(arm.setup_seconds),
            w.gib(arm.peak_memory_gib),
            w.count(arm.n_trainable),
        ]
        for arm in measured.arms
    ]
    header = [
        "Approach",
        "A step",
        "Rows a step",
        "Steps timed",
        "A test row",
        "Set-up",
        "Peak memory",
        "Weights trained",
    ]
    skipped = paragraphs([f"{w.approach_name(kind)}: {why}" for kind, why in measured.skipped])
    return (
        f"<p>A few real steps of every arm on {w.escape(measured.hardware.device_name)} "
        f"({w.escape(measured.hardware.device)}), {measured.hardware.cores} cores; it took "
        f"{w.duration(measured.seconds)}.</p>"
        + table(header, rows, numeric=frozenset(range(1, 8)))
        + skipped
    )


def limits(recommendation: Recommendation, evaluation: Evaluation) -> tuple[str, ...]:
    """What was not checked."""
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
