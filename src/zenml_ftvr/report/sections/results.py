"""What the models score on rows that nothing was fitted to."""

from __future__ import annotations

from collections.abc import Sequence

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Bullets, Heading, Paragraph, Table
from zenml_ftvr.report.charts import Interval, drawn, interval_chart
from zenml_ftvr.report.sections.by_label import by_label
from zenml_ftvr.report.sections.numbers import number_errors
from zenml_ftvr.report.sections.ranking import top_class
from zenml_ftvr.values import Evaluation, Metric, ModelEvaluation, ModelTest, PairedDifference

__all__ = ["metric_notes", "results"]

OF_OWN_TOKENS: frozenset[Metric] = frozenset({"perplexity", "token_accuracy"})
"""Of a language model's token: of models with other tokenizers they cannot be subtracted."""


def results(evaluation: Evaluation) -> Blocks:
    """Test scores of every model, differences, classes, confusions."""
    metrics = _shown_metrics(evaluation)
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
                    *(w.score_text(model.score(metric)) for metric in metrics),
                    f"{model.rows_per_second:,.0f}",
                )
                for model in evaluation.models
            ),
            numeric=frozenset(range(1, len(metrics) + 2)),
            chosen=0,
        ),
        *metric_notes(metrics),
        *_scores_chart(evaluation, metrics[0]),
        Bullets(_untested(evaluation)),
        *_tests(evaluation),
        Bullets(tuple(note for model in evaluation.models for note in _notes(model))),
        *by_label(chosen),
        *number_errors(evaluation),
    )


def _shown_metrics(evaluation: Evaluation) -> list[Metric]:
    """All that were measured, but for spans of tags that mark none, such as parts of speech."""
    first = evaluation.models[0]
    metrics = [score.metric for score in first.scores]
    if evaluation.metric == "token_accuracy" and first.labels and not first.spans:
        metrics = [metric for metric in metrics if metric != "entity_f1"]
    if evaluation.metric in metrics:
        metrics.sort(key=lambda metric: metric != evaluation.metric)
    return metrics


def metric_notes(metrics: Sequence[Metric]) -> Blocks:
    """What a reader has to know of numbers that do not run from bad at 0 to good at 1."""
    sentences = w.directions(metrics)
    if "bits_per_byte" in metrics and "perplexity" in metrics:
        sentences += (
            " Perplexity and token accuracy are of each model's own tokens, which differ (the "
            "baseline's are bytes): between models, compare bits per byte."
        )
    if "rmse" in metrics:
        sentences += " RMSE is in the unit of the numbers."
    return (Paragraph(sentences.strip(), "small"),) if sentences.strip() else ()


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
    counted = any(one.only_first_right is not None for one in evaluation.tests)
    mcnemar = (
        "McNemar's test is of the rows that one of the two alone answers right; " if counted else ""
    )
    return (
        Heading("Is the difference more than chance?"),
        Paragraph(
            f"Every two models on the same rows. {mcnemar}{'the' if counted else 'The'} paired "
            f"bootstrap draws {drawn_again}{groups}. p-values are corrected by Holm's method for "
            f"all comparisons that were made; below 0.05 a difference is called significant. They "
            f"speak of these models: other seeds would make others.",
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
    axis = w.axis_name(metric)
    return drawn(lambda width: interval_chart(title, rows, axis, mark, width))


def _untested(evaluation: Evaluation) -> tuple[str, ...]:
    """Differences to the baseline that the table of tests does not have."""
    tested = {(one.first, one.second, one.metric) for one in evaluation.tests}
    shown = _shown_metrics(evaluation)
    if "bits_per_byte" in shown:
        shown = [metric for metric in shown if metric not in OF_OWN_TOKENS]
    return tuple(
        _against(one)
        for one in evaluation.differences
        if (one.first, one.second, one.metric) not in tested
        and (one.metric in shown or evaluation.metric == one.metric)
    )


def _against(one: PairedDifference) -> str:
    return (
        f"{w.approach_name(one.first)} minus {w.approach_name(one.second).lower()}, "
        f"{w.metric_words(one.metric)}: {w.difference_text(one)}, "
        f"{'significant' if one.is_significant else 'within chance'} on the same "
        f"{w.count(one.n_rows)} rows."
    )
