"""What the models score on rows that nothing was fitted to."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import (
    Blocks,
    Bullets,
    Details,
    Heading,
    HeatTable,
    Paragraph,
    Table,
)
from zenml_ftvr.report.charts import Interval, drawn, interval_chart
from zenml_ftvr.report.sections.ranking import top_class
from zenml_ftvr.values import Evaluation, Metric, ModelEvaluation, ModelTest, PairedDifference

__all__ = ["CLASSES_SHOWN", "results"]

CLASSES_SHOWN = 20  # rows of bars, and of the confusion table, that a page can still show
CONFUSIONS_SHOWN = 15  # of more classes, the most frequent confusions


def results(evaluation: Evaluation) -> Blocks:
    """Test scores of every model, differences, classes, confusions."""
    metrics = [score.metric for score in evaluation.models[0].scores]
    chosen = evaluation.model(evaluation.choice)
    return (
        Paragraph(f"{w.count(evaluation.n_test)} rows that nothing was fitted to, read once."),
        Table(
            header=(
                "Model",
                *(f"{w.metric_name(metric)} [95 %]" for metric in metrics),
                "Rows a second",
            ),
            rows=tuple(
                (
                    w.approach_name(model.kind),
                    *(w.score_text(score) for score in model.scores),
                    f"{model.rows_per_second:,.0f}",
                )
                for model in evaluation.models
            ),
            numeric=frozenset(range(1, len(metrics) + 2)),
            chosen=0,
        ),
        *_scores_chart(evaluation, metrics[0]),
        Bullets(_untested(evaluation)),
        *_tests(evaluation),
        Bullets(tuple(note for model in evaluation.models for note in _notes(model))),
        *(_by_class(chosen) if chosen.labels else ()),
    )


def _notes(model: ModelEvaluation) -> tuple[str, ...]:
    return tuple(f"{w.approach_name(model.kind)}: {note}" for note in model.notes)


def _tests(evaluation: Evaluation) -> Blocks:
    """Every two models on the same rows, corrected for the number of comparisons."""
    if not evaluation.tests:
        return ()
    drawn_again = "rows of equal text together"
    if evaluation.grouped_by is not None:
        drawn_again = f"rows of one '{evaluation.grouped_by}' together"
    groups = ""
    if evaluation.n_groups is not None and evaluation.n_groups != evaluation.n_test:
        groups = f" ({w.count(evaluation.n_groups)} groups)"
    return (
        Heading("Is the difference more than chance?"),
        Paragraph(
            f"Every two models on the same rows. McNemar's test is of the rows that one of the two "
            f"alone answers right; the paired bootstrap draws {drawn_again}{groups}. p-values are "
            f"corrected by Holm's method for all comparisons that were made; below 0.05 a "
            f"difference is called significant. They speak of these models: other seeds would "
            f"make others.",
            "small",
        ),
        Table(
            header=("Models", "Metric", "Difference [95 %]", "Test", "p", "p, corrected", ""),
            rows=tuple(_test_row(one) for one in evaluation.tests),
            numeric=frozenset({2, 4, 5}),
        ),
    )


def _test_row(one: ModelTest) -> tuple[str, ...]:
    how: str = one.test
    if one.only_first_right is not None and one.only_second_right is not None:
        how_many = f"{w.count(one.only_first_right)} against {w.count(one.only_second_right)} rows"
        how = f"{one.test}: {how_many}"
    return (
        f"{w.approach_name(one.first)} minus {w.approach_name(one.second)}",
        w.metric_words(one.metric),
        f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}]",
        how,
        w.p_value(one.p_value),
        w.p_value(one.p_corrected),
        "significant" if one.is_significant else "within chance",
    )


def _scores_chart(evaluation: Evaluation, metric: Metric) -> Blocks:
    rows = [
        Interval(w.approach_name(model.kind), score.value, score.low, score.high)
        for model in evaluation.models
        for score in (model.score(metric),)
    ]
    mark = top_class(metric, evaluation.majority_accuracy)
    title = f"{w.metric_name(metric)} on the test rows with 95 % intervals"
    return drawn(lambda width: interval_chart(title, rows, mark, width))


def _untested(evaluation: Evaluation) -> tuple[str, ...]:
    """Differences to the baseline that the table of tests does not have."""
    tested = {(one.first, one.second, one.metric) for one in evaluation.tests}
    return tuple(
        _against(one)
        for one in evaluation.differences
        if (one.first, one.second, one.metric) not in tested
    )


def _against(one: PairedDifference) -> str:
    return (
        f"{w.approach_name(one.first)} minus {w.approach_name(one.second).lower()}, "
        f"{w.metric_words(one.metric)}: {w.difference_text(one)}, "
        f"{'significant' if one.is_significant else 'within chance'} on the same "
        f"{w.count(one.n_rows)} rows."
    )


def _by_class(chosen: ModelEvaluation) -> Blocks:
    return (
        Heading(f"Classes: {w.approach_name(chosen.kind)}"),
        *_classes(chosen),
        Heading("What is taken for what"),
        *_confusions(chosen),
    )


def _classes(model: ModelEvaluation) -> Blocks:
    whole = Table(
        header=("Class, worst first", "Precision", "Recall", "F1", "Test rows"),
        rows=tuple(
            (
                one.label,
                w.number(one.precision),
                w.number(one.recall),
                w.number(one.f1),
                w.count(one.n_rows),
            )
            for one in sorted(model.labels, key=lambda one: one.f1)
        ),
        numeric=frozenset({1, 2, 3, 4}),
    )
    if len(whole.rows) <= CLASSES_SHOWN:
        return (whole,)
    first = Table(header=whole.header, rows=whole.rows[:CLASSES_SHOWN], numeric=whole.numeric)
    return first, Details(f"All {len(whole.rows)} classes", (whole,))


def _confusions(model: ModelEvaluation) -> Blocks:
    labels = tuple(one.label for one in model.labels)
    if len(labels) <= CLASSES_SHOWN:
        return (
            Paragraph(
                "Rows: true class. Columns: answered. Blue is right, orange wrong; the darker, the "
                "larger the share of the row.",
                "small",
            ),
            HeatTable(labels=labels, counts=model.confusion),
        )
    pairs = sorted(
        (
            (cell, labels[true], labels[predicted])
            for true, row in enumerate(model.confusion)
            for predicted, cell in enumerate(row)
            if true != predicted and cell
        ),
        reverse=True,
    )
    return (
        Table(
            header=("True class", "Answered", "Test rows"),
            rows=tuple(
                (true, predicted, w.count(cell))
                for cell, true, predicted in pairs[:CONFUSIONS_SHOWN]
            ),
            numeric=frozenset({2}),
        ),
    )
