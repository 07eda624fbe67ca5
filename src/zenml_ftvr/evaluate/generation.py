"""Written texts beside the wanted ones, by metrics that see different things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zenml_ftvr.data import Rows, text_of
from zenml_ftvr.evaluate.intervals import scores_with_intervals
from zenml_ftvr.models import LoadedModel
from zenml_ftvr.tasks import Answers, score
from zenml_ftvr.tasks.text_answers import TextAnswers
from zenml_ftvr.values import CausalLM, Generation, GenerationSample, MetricNote
from zenml_ftvr.values.task import TEXT_METRICS

if TYPE_CHECKING:
    from zenml_ftvr.evaluate.groups import Groups

__all__ = ["NOTES", "generation_of", "judge_texts"]

SAMPLES = 8  # from worst to best: a screen of them; a judgement
SHOWN_CHARACTERS = 500  # of each text; a judgement
CONTINUED_ROWS = 64
"""Test rows that a language model goes on from: each takes a hundred tokens, one after another. A
judgement: an interval of about ten points."""
NOTES = (
    MetricNote(
        metric="chrf",
        sees="Runs of one to six characters in common, so that word forms and near spellings count "
        "(Popovic 2015).",
        misses="Meaning: a paraphrase in other words scores low, and the order of words hardly "
        "counts.",
    ),
    MetricNote(
        metric="bleu",
        sees="Runs of one to four whole words in common over all rows, with a penalty for what is "
        "too short (Papineni et al. 2002).",
        misses="Synonyms and word forms; what is left out in the middle; texts of fewer than four "
        "words, which score 0 alone even where they are right.",
    ),
    MetricNote(
        metric="rouge_l",
        sees="The longest sequence of words in common, in order but with gaps (Lin 2004).",
        misses="Word forms, and facts: a summary with a wrong name or a lost 'not' scores nearly "
        "as high.",
    ),
    MetricNote(
        metric="exact_match",
        sees="Answers that are right to the letter, as codes, names and short answers have to be.",
        misses="Everything else: one other comma counts as wrong as nonsense.",
    ),
)


def judge_texts(
    given: Sequence[str], answers: TextAnswers, seed: int, groups: Groups | None = None
) -> Generation:
    """All four metrics with intervals, and samples from the worst to the best by chrF."""
    import numpy as np

    by_row = [
        score(TextAnswers([wanted], [said]), "chrf")
        for wanted, said in zip(answers.truth, answers.written, strict=True)
    ]
    order = np.argsort(by_row, kind="stable")
    n_samples = min(SAMPLES, len(order))
    places = order[np.linspace(0, len(order) - 1, n_samples).round().astype(int)]
    samples = []
    for place in places.tolist():
        wanted, said = answers.truth[place], answers.written[place]
        alone = TextAnswers([wanted], [said])
        samples.append(
            GenerationSample(
                given=given[place][:SHOWN_CHARACTERS],
                wanted=wanted[:SHOWN_CHARACTERS],
                written=said[:SHOWN_CHARACTERS],
                scores=tuple((metric, score(alone, metric)) for metric in TEXT_METRICS),
            )
        )
    return Generation(
        scores=scores_with_intervals(answers, TEXT_METRICS, seed, groups),
        notes=NOTES,
        samples=tuple(samples),
        n_rows=answers.n_rows,
    )


def generation_of(
    loaded: LoadedModel, answers: Answers, rows: Rows, seed: int, groups: Groups | None
) -> Generation | None:
    """Of the test rows' own answers, or what a language model writes after prompts; else None.

    Of plain text nothing is wanted in particular, so that there is nothing to compare with.
    """
    if isinstance(answers, TextAnswers):
        return judge_texts([text_of(one) for one in rows.inputs], answers, seed, groups)
    if isinstance(loaded.task, CausalLM) and loaded.task.form != "text":
        return _continued(loaded, rows.take(range(min(CONTINUED_ROWS, len(rows)))), seed)
    return None


def _continued(loaded: LoadedModel, rows: Rows, seed: int) -> Generation | None:
    """What is written after the prompts of the first rows."""
    prompts, wanted = _prompts(loaded.task, rows)
    if not prompts:
        return None
    written = [one.text for one in loaded.predict(prompts)]
    return judge_texts([text_of(prompt) for prompt in prompts], TextAnswers(wanted, written), seed)


def _prompts(task: Any, rows: Rows) -> tuple[list[Any], list[str]]:
    """Prompts and what is wanted after each; of a conversation, its last turn."""
    if task.form == "completion":
        return rows.inputs, rows.targets
    talks = [turns for turns in rows.inputs if len(turns) > 1 and turns[-1]["role"] == "assistant"]
    return [turns[:-1] for turns in talks], [turns[-1]["content"] for turns in talks]
