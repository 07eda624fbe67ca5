"""The rows with the most mistakes, where a row has any number of labels or tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zenml_ftvr.data import Dataset, text_of
from zenml_ftvr.tasks import Answers, SetAnswers, TagAnswers
from zenml_ftvr.values import Mistake, are_spans

if TYPE_CHECKING:
    from zenml_ftvr.data import Rows

__all__ = ["SHOWN_CHARACTERS", "WORST", "worst_mistakes"]

WORST = 8  # rows to look at: as many as samples of written texts; a judgement
SHOWN_CHARACTERS = 300  # of each text, as of doubted labels
UNTAGGED = "no tag"

Told = tuple[tuple[str, ...], tuple[str, ...]]
"""What is true of a row and what was answered, each in words."""


def worst_mistakes(answers: Answers, dataset: Dataset) -> tuple[Mistake, ...]:
    """Of the test rows, worst first; none where a row has one answer or is a text."""
    match answers:
        case SetAnswers():
            counts = (answers.predicted != answers.truth).sum(1).tolist()
        case TagAnswers() if are_spans(dataset.labels):
            both = (answers.spans_of(row) for row in range(answers.n_rows))
            counts = [len(true ^ said) for true, said in both]
        case TagAnswers():
            pairs = zip(answers.truth, answers.predicted, strict=True)
            counts = [sum(a != b for a, b in zip(*pair, strict=True)) for pair in pairs]
        case _:
            return ()
    worst = sorted(range(len(counts)), key=lambda row: -counts[row])[:WORST]
    found = []
    for place in worst:
        if not counts[place]:
            break
        row = dataset.test.take([place])
        truth, answered = _told(answers, place, row, dataset.labels)
        found.append(
            Mistake(
                row_id=row.row_ids[0],
                text=text_of(row.inputs[0])[:SHOWN_CHARACTERS],
                truth=truth,
                answered=answered,
            )
        )
    return tuple(found)


def _told(answers: SetAnswers | TagAnswers, place: int, row: Rows, labels: Sequence[str]) -> Told:
    if isinstance(answers, SetAnswers):
        both = answers.truth[place], answers.predicted[place]
        true, said = (
            tuple(label for label, has in zip(labels, one, strict=True) if has) for one in both
        )
        return true, said
    words = list(row.inputs[0])
    if are_spans(labels):
        spans = answers.spans_of(place)
        true, said = (
            tuple(
                f"{' '.join(words[first : last + 1])} ({kind})"
                for kind, first, last in sorted(one, key=lambda span: span[1:])
            )
            for one in spans
        )
        return true, said
    pairs = zip(words, answers.truth[place], answers.predicted[place], strict=True)
    wrong = [(word, a, b or UNTAGGED) for word, a, b in pairs if a != b]
    return tuple(f"{word} ({a})" for word, a, _ in wrong), tuple(
        f"{word} ({b})" for word, _, b in wrong
    )
