"""Where the chosen model is weak: parts of the rows, and labels that it does not believe."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Callout, Details, Paragraph, Table
from zenml_ftvr.values import Evaluation, LabelDoubt, SliceScore

__all__ = ["label_doubts", "slices"]

DOUBTS_SHOWN = 10  # a page to look through, the rest folded: a judgement
TEXT_SHOWN = 160  # characters of a doubted row


def slices(evaluation: Evaluation) -> Blocks:
    """The chosen model's score on parts of the test rows."""
    model = evaluation.model(evaluation.choice)
    if not model.slices:
        return ()
    worse = [one for one in model.slices if one.is_worse]
    metric = w.metric_words(model.slices[0].score.metric)
    direction = "Lower is better. " if w.lower_is_better(model.slices[0].score.metric) else ""
    return (
        Paragraph(
            f"The {metric} of {w.approach_name(model.kind)} on parts of the test rows, beside that "
            f"of all other rows. {direction}p-values are corrected for the "
            f"{model.slices[0].n_comparisons} parts that were looked at.",
            "small",
        ),
        *(
            Callout(
                f"Rows with {_name(one)} are answered significantly worse: {metric} "
                f"{w.score_text(one.score)} against {w.number(one.rest)} of the others."
            )
            for one in worse
        ),
        Table(
            header=("Column", "Value", "Rows", "Score [95 %]", "Others", "p, corrected", ""),
            rows=tuple(_row(one) for one in model.slices),
            numeric=frozenset({2, 3, 4, 5}),
        ),
    )


def _name(one: SliceScore) -> str:
    return one.value if one.column == "length" else f"'{one.column}' of '{one.value}'"


def _row(one: SliceScore) -> tuple[str, ...]:
    judged = "within chance"
    if one.is_significant:
        judged = "worse" if one.is_worse else "better"
    return (
        one.column,
        one.value,
        w.count(one.n_rows),
        w.score_text(one.score),
        w.number(one.rest),
        w.p_value(one.p_corrected),
        judged,
    )


def label_doubts(evaluation: Evaluation) -> Blocks:
    """Rows whose label the chosen model is surely of another mind about."""
    doubts = evaluation.model(evaluation.choice).label_doubts
    if not doubts:
        return ()
    first, rest = doubts[:DOUBTS_SHOWN], doubts[DOUBTS_SHOWN:]
    folded = Details(f"{w.count(len(rest))} more", (_doubts_table(rest),))
    return (
        Paragraph(
            "Rows on which the model surely says something else than the label: wrong labels are "
            "among them, and so are the model's worst mistakes. Look at them before you spend on "
            "another training. Training rows are not among them, because a model has learnt their "
            "labels.",
            "small",
        ),
        _doubts_table(first),
        *((folded,) if rest else ()),
    )


def _doubts_table(doubts: tuple[LabelDoubt, ...]) -> Table:
    has_texts = any(one.text for one in doubts)  # images have none
    return Table(
        header=("Row", *(("Text",) if has_texts else ()), "Label", "Model says", "Probabilities"),
        rows=tuple(
            (
                f"{one.row_id[:12]}, {one.split}",
                *((w.cut(one.text, TEXT_SHOWN) or w.NOTHING,) if has_texts else ()),
                one.given,
                one.suggested,
                f"{one.probability_given:.1%} / {one.probability_suggested:.1%}",
            )
            for one in doubts
        ),
        numeric=frozenset({4 if has_texts else 3}),
    )
