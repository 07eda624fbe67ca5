"""What was written, beside what was wanted."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Details, Heading, Paragraph, Table
from zenml_ftvr.values import Evaluation, Generation

__all__ = ["generation"]

TEXT_SHOWN = 400  # characters of a text: enough to see what was written


def generation(evaluation: Evaluation) -> Blocks:
    """The chosen model's texts by several metrics, with what each misses, and samples."""
    model = evaluation.model(evaluation.choice)
    found = model.generation
    if found is None:
        return ()
    return (
        Paragraph(
            f"{w.approach_name(model.kind)} wrote the texts of {_how_many(found, evaluation)} test "
            f"rows. "
            f"Metrics of written text disagree for known reasons, so that none of them stands "
            f"alone.",
            "small",
        ),
        _metrics(found),
        *_samples(found),
        *(
            Details(f"What {w.approach_name(one.kind)} writes", _samples(one.generation))
            for one in evaluation.models
            if one is not model and one.generation is not None and one.generation.samples
        ),
    )


def _how_many(found: Generation, evaluation: Evaluation) -> str:
    if found.n_rows == evaluation.n_test:
        return f"all {w.count(found.n_rows)}"
    return f"{w.count(found.n_rows)} of {w.count(evaluation.n_test)}"


def _metrics(found: Generation) -> Table:
    notes = {note.metric: note for note in found.notes}
    return Table(
        header=("Metric", "Score [95 %]", "Sees", "Misses"),
        rows=tuple(
            (
                w.metric_name(score.metric),
                w.score_text(score),
                notes[score.metric].sees if score.metric in notes else "",
                notes[score.metric].misses if score.metric in notes else "",
            )
            for score in found.scores
        ),
        numeric=frozenset({1}),
    )


def _samples(found: Generation) -> Blocks:
    if not found.samples:
        return ()
    return (
        Heading("Samples, from the worst to the best"),
        Table(
            header=("Given", "Wanted", "Written", "Scores"),
            rows=tuple(
                (
                    w.cut(one.given, TEXT_SHOWN),
                    w.cut(one.wanted, TEXT_SHOWN),
                    w.cut(one.written, TEXT_SHOWN) or "(nothing)",
                    ", ".join(f"{w.metric_words(name)} {value:.2f}" for name, value in one.scores),
                )
                for one in found.samples
            ),
        ),
    )
