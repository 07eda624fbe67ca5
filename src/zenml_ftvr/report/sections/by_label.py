"""What a model makes of each class, label or tag, and what it takes for what."""

from __future__ import annotations

from dataclasses import dataclass

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Caption, Details, Heading, HeatTable, Paragraph, Table
from zenml_ftvr.values import LabelScore, ModelEvaluation

__all__ = ["LABELS_SHOWN", "LabelWords", "by_label", "label_words"]

LABELS_SHOWN = 20  # rows of bars, and of the confusion table, that a page can still show
TEXT_SHOWN = 160  # characters of a row, as of doubted labels
CONFUSIONS_SHOWN = 15  # of more labels, the most frequent confusions


@dataclass(frozen=True, slots=True)
class LabelWords:
    """How a task's labels are spoken of."""

    one: str
    many: str
    counted: str
    """What the numbers of a confusion table count."""


def label_words(model: ModelEvaluation) -> LabelWords:
    """By the metrics, which each kind of labels has of its own."""
    metrics = {score.metric for score in model.scores}
    if "entity_f1" in metrics:
        return LabelWords("tag", "tags", "Words of test rows")
    if "subset_accuracy" in metrics:
        return LabelWords("label", "labels", "Test rows")
    return LabelWords("class", "classes", "Test rows")


def by_label(chosen: ModelEvaluation) -> Blocks:
    """Precision, recall and F1 of each label, and confusions; nothing of tasks without labels."""
    if not chosen.labels:
        return ()
    words, name = label_words(chosen), w.approach_name(chosen.kind)
    if not chosen.spans:
        first: Blocks = (
            Heading(f"{words.many.capitalize()}: {name}"),
            *_scores(chosen.labels, words.one, words.many, words.counted),
        )
    else:
        each = _table(chosen.labels, words.one, words.counted)
        first = (
            Heading(f"Spans: {name}"),
            Paragraph(
                "A span counts as found where its type, beginning and end are right.", "small"
            ),
            *_scores(chosen.spans, "type of span", "types of spans", "True spans"),
            Details(f"All {len(each.rows)} tags, word by word", (each,)),
        )
    if chosen.confusion:
        first = (*first, Heading("What is taken for what"), *_confusions(chosen, words))
    return (*first, *_mistakes(chosen))


def _mistakes(chosen: ModelEvaluation) -> Blocks:
    if not chosen.mistakes:
        return ()
    return (
        Heading("The rows with the most mistakes"),
        Table(
            header=("Row", "Text", "True", "Answered"),
            rows=tuple(
                (
                    one.row_id[:12],
                    w.cut(one.text, TEXT_SHOWN) or w.NOTHING,
                    "; ".join(one.truth) or "(nothing)",
                    "; ".join(one.answered) or "(nothing)",
                )
                for one in chosen.mistakes
            ),
        ),
    )


def _scores(scores: tuple[LabelScore, ...], one: str, many: str, counted: str) -> Blocks:
    whole = _table(scores, one, counted)
    if len(whole.rows) <= LABELS_SHOWN:
        return (whole,)
    first = Table(header=whole.header, rows=whole.rows[:LABELS_SHOWN], numeric=whole.numeric)
    return first, Details(f"All {len(whole.rows)} {many}", (whole,))


def _table(scores: tuple[LabelScore, ...], one: str, counted: str) -> Table:
    return Table(
        header=(f"{one.capitalize()}, worst first", "Precision", "Recall", "F1", counted),
        rows=tuple(
            (
                score.label,
                w.number(score.precision),
                w.number(score.recall),
                w.number(score.f1),
                w.count(score.n_rows),
            )
            for score in sorted(scores, key=lambda score: score.f1)
        ),
        numeric=frozenset({1, 2, 3, 4}),
    )


def _confusions(model: ModelEvaluation, words: LabelWords) -> Blocks:
    labels = tuple(one.label for one in model.labels)
    lost = sum(one.n_rows for one in model.labels) - sum(map(sum, model.confusion))
    missed: Blocks = ()
    if lost:
        missed = (
            Paragraph(
                f"{w.count(lost)} words were given no tag, because their text is longer than the "
                f"model reads: they count as wrong, and are in no column.",
                "small",
            ),
        )
    if len(labels) <= LABELS_SHOWN:
        return (
            Paragraph(f"Rows: true {words.one}. Columns: answered.", "small"),
            Caption("Blue is right, orange wrong; the darker, the larger the share of the row."),
            HeatTable(labels=labels, counts=model.confusion, noun=words.one),
            *missed,
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
            header=(f"True {words.one}", "Answered", words.counted),
            rows=tuple(
                (true, predicted, w.count(cell))
                for cell, true, predicted in pairs[:CONFUSIONS_SHOWN]
            ),
            numeric=frozenset({2}),
        ),
        *missed,
    )
