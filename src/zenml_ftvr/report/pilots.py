"""What small trainings scored, run by run."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.page import paragraphs, table
from zenml_ftvr.values import PilotEvidence, PilotRun

__all__ = ["pilot_table"]

NOTHING = "–"


def pilot_table(pilots: PilotEvidence) -> str:
    """Every run in its order, the arms without one, and why there were no more."""
    rows = [_row(one) for one in pilots.runs]
    header = ["Approach", "Training rows", "Seed", "Learning rate", "Score", "Took", "Status"]
    skipped = [f"{w.approach_name(kind)}: {why}" for kind, why in pilots.skipped]
    stopped = [] if pilots.stopped is None else [pilots.stopped]
    judged = (
        f"<p>Small trainings on subsets of the training rows, all judged on the same "
        f"{w.count(pilots.n_select)} rows by {w.escape(w.metric_words(pilots.metric))}, as a score "
        f"from 0 to 1 of which more is better. They took {w.duration(pilots.seconds)} of "
        f"{w.duration(pilots.seconds_allowed)}.</p>"
    )
    runs = judged + table(header, rows, numeric=frozenset(range(1, 6))) if rows else ""
    return runs + paragraphs([*stopped, *skipped])


def _row(run: PilotRun) -> list[str]:
    return [
        w.approach_name(run.kind),
        w.count(run.n_train),
        str(run.seed),
        NOTHING if run.learning_rate is None else f"{run.learning_rate:g}",
        NOTHING if run.score is None else w.number(run.score),
        w.duration(run.seconds),
        run.status if run.detail is None else f"{run.status}: {run.detail}",
    ]
