"""The answer, and whether the unseen rows bear it out."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Callout, Fact, Facts, Verdict
from zenml_ftvr.report.sections.by_label import label_words
from zenml_ftvr.values import Evaluation, Recommendation

__all__ = ["answer", "disappointments"]


def answer(recommendation: Recommendation, evaluation: Evaluation) -> Blocks:
    """The verdict, and the numbers that decide whether one believes it."""
    metric = recommendation.metric
    score = evaluation.model(evaluation.choice).score(metric)
    direction = "; lower is better" if w.lower_is_better(metric) else ""
    tiles = [
        Fact(
            w.number(score.value),
            f"{w.metric_name(metric)} on {w.count(evaluation.n_test)} test rows",
            f"95 %: {w.number(score.low)} to {w.number(score.high)}{direction}",
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
            Fact(
                f"{difference.mean:+.3f}",
                f"against the baseline{direction.replace('; ', ', ')}",
                f"{difference.low:+.3f} to {difference.high:+.3f}, {judged}",
            )
        )
    if evaluation.majority_accuracy is not None:
        guessed = w.number(evaluation.majority_accuracy)
        tiles.append(Fact(guessed, "Accuracy of always guessing the top class"))
    return (
        Verdict(recommendation.verdict),
        *(Callout(sentence) for sentence in disappointments(recommendation, evaluation)),
        Facts((*tiles, _spent(recommendation, evaluation))),
    )


def _spent(recommendation: Recommendation, evaluation: Evaluation) -> Fact:
    spent = evaluation.ledger
    allowed = recommendation.hours_allowed + recommendation.ledger.hours
    return Fact(
        w.duration(spent.hours * 3600),
        f"spent, of {w.duration(allowed * 3600)}",
        f"{w.dollars(spent.usd)} at ${spent.usd_per_hour:g} an hour"
        if spent.usd_per_hour is not None
        else "no price given",
    )


def disappointments(recommendation: Recommendation, evaluation: Evaluation) -> tuple[str, ...]:
    """Where the unseen rows contradict the choice."""
    sentences = []
    for model in evaluation.models:
        answered = [
            model.labels[place].label
            for place, column in enumerate(zip(*model.confusion, strict=True))
            if any(column)
        ]
        if len(answered) == 1:
            is_of_tags = label_words(model).one == "tag"
            what = "word of the unseen rows" if is_of_tags else "unseen row"
            sentences.append(
                f"{w.approach_name(model.kind)} answers every {what} with '{answered[0]}': its "
                f"training collapsed. Lower its learning rate, or take another seed."
            )
    for one in evaluation.differences:
        chosen = one.first == evaluation.choice and one.metric == recommendation.metric
        is_worse = one.low > 0 if w.lower_is_better(one.metric) else one.high < 0
        if chosen and is_worse:
            sentences.append(
                f"On the unseen rows the choice is significantly worse than the baseline "
                f"({w.difference_text(one)} {w.metric_words(one.metric)}): use the baseline, which "
                f"was trained beside it."
            )
    return tuple(sentences)
