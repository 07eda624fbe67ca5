"""What the data is like."""

from __future__ import annotations

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Callout, Fact, Facts, Heading, Paragraph, Table
from zenml_ftvr.report.sections.by_label import LABELS_SHOWN
from zenml_ftvr.values import (
    DataChecks,
    DataProfile,
    ImageClassification,
    Task,
    TextClassification,
    TokenClassification,
)

__all__ = ["data"]


def data(profile: DataProfile, task: Task | None = None) -> Blocks:
    """Sizes, labels, and what was looked for in the rows; a task calls its labels by their name."""
    label = _label(profile, task)
    return (
        *(Callout(sentence) for sentence in profile.warnings),
        Facts(_tiles(profile, label)),
        *_labels(profile, label),
        *_checks(profile, label),
    )


def _label(profile: DataProfile, task: Task | None) -> tuple[str, str]:
    """What a label is called, one and many."""
    if isinstance(task, TokenClassification):
        return "tag", "tags"
    return ("class", "classes") if _one_each(profile, task) else ("label", "labels")


def _one_each(profile: DataProfile, task: Task | None) -> bool:
    """Whether a row has exactly one of the labels; where no task tells, by their counts."""
    match task:
        case TextClassification():
            return task.target == "single"
        case ImageClassification():
            return True
        case None:
            return profile.has_classes
        case _:
            return False


def _tiles(profile: DataProfile, label: tuple[str, str]) -> tuple[Fact, ...]:
    tiles = [
        Fact(w.count(profile.n_rows), "rows", profile.source),
        Fact(
            w.count(profile.n_train),
            "to train on",
            f"{w.count(profile.n_validation)} to validate, {w.count(profile.n_test)} to test",
        ),
    ]
    if profile.classes:
        one, many = label
        share = f"{profile.majority_share:.0%} of the training rows"
        largest = f"the largest has {share}"
        if one != "class":
            largest = f"the commonest {one} is in {share}"
        tiles.append(Fact(w.count(profile.n_classes), many, largest))
    if profile.numbers is not None:
        numbers = profile.numbers
        spread = f"from {numbers.minimum:g} to {numbers.maximum:g}, {numbers.mean:g} on average"
        tiles.append(Fact(f"{numbers.p50:g}", "the middle number", spread))
    tiles.append(_sizes(profile))
    tiles.append(
        Fact(
            w.count(profile.n_duplicates),
            "repeated texts" if profile.widths is None else "repeated images",
            f"{_more_than_one(label)}: {w.count(profile.n_conflicts)}",
        )
    )
    if profile.tokens is not None:
        tokens = profile.tokens
        cut = f"{tokens.truncated_share:.1%} of tokens cut off at {tokens.max_length}"
        if tokens.max_length is None:
            cut = "no text is cut: a long one fills several training rows"
        tiles.append(
            Fact(
                f"{tokens.pieces_per_word:.2f}",
                "pieces a word",
                f"{tokens.unknown_share:.1%} unknown to the tokenizer of {tokens.tokenizer}; {cut}",
            )
        )
    return tuple(tiles)


def _more_than_one(label: tuple[str, str]) -> str:
    return f"with more than one {'label' if label[0] == 'class' else 'answer'}"


def _sizes(profile: DataProfile) -> Fact:
    """How long texts are, or how large images."""
    words, widths, heights = profile.words, profile.widths, profile.heights
    if widths is None or heights is None:
        longest = f"{words.p90:.0f} in the longest tenth, at most {words.maximum:,.0f}"
        return Fact(f"{words.p50:.0f}", "words in the middle text", longest)
    return Fact(
        f"{widths.p50:.0f} x {heights.p50:.0f}",
        "pixels, the middle width and height",
        f"from {widths.minimum:.0f} x {heights.minimum:.0f} to {widths.maximum:.0f} x "
        f"{heights.maximum:.0f}",
    )


def _labels(profile: DataProfile, label: tuple[str, str]) -> Blocks:
    """The commonest labels with bars; nothing where there are none."""
    one, many = label
    ordered = sorted(profile.classes, key=lambda one: -one.total)
    if not ordered:
        return ()
    shown, rest = ordered[:LABELS_SHOWN], len(ordered) - LABELS_SHOWN
    table = Table(
        header=(one.capitalize(), "Train", "Validation", "Test"),
        rows=tuple(
            (one.label, w.count(one.train), w.count(one.validation), w.count(one.test))
            for one in shown
        ),
        numeric=frozenset({1, 2, 3}),
        shares=tuple(one.total / ordered[0].total for one in shown),
    )
    blocks: Blocks = (table,)
    if rest > 0:
        blocks += (Paragraph(f"and {rest} smaller {many}", "small"),)
    if one != "class":
        counted = f"Rows that have the {one}; a row can have several, so that they add up to more."
        blocks += (Paragraph(counted, "small"),)
    return blocks


def _checks(profile: DataProfile, label: tuple[str, str]) -> Blocks:
    """What was looked for in the rows, found or not; nothing of a profile from before it was."""
    checks = profile.checks
    if checks is None:
        return ()
    article, thing = ("a", "text") if profile.widths is None else ("an", "image")
    rows = [
        (
            f"Rows that repeat {article} {thing}",
            w.count(profile.n_duplicates),
            "beyond the first of each",
        ),
        (f"{thing.capitalize()}s {_more_than_one(label)}", w.count(profile.n_conflicts), ""),
        *_leaks(checks, thing),
        *(_of_texts(checks) if profile.widths is None else ()),
    ]
    if profile.tokens is not None and profile.tokens.max_length is not None:
        share = f"{profile.tokens.truncated_share:.1%}"
        rows.append(("Tokens cut off", share, f"beyond {profile.tokens.max_length} a text"))
    return (
        Heading("What was looked for"),
        Table(header=("Check", "Found", "How"), rows=tuple(rows), numeric=frozenset({1})),
    )


def _leaks(checks: DataChecks, thing: str) -> list[tuple[str, str, str]]:
    """Rows that stand in two splits, the same."""
    return [
        (
            f"Test rows with the {thing} of a training or validation row",
            w.count(checks.n_leaked_test),
            "",
        ),
        (
            f"Validation rows with the {thing} of a training row",
            w.count(checks.n_leaked_validation),
            "",
        ),
    ]


def _of_texts(checks: DataChecks) -> list[tuple[str, str, str]]:
    """What is looked for in words and letters, which images have none of."""
    alike = f"{w.count(checks.n_compared)} distinct texts compared"
    if checks.n_compared < checks.n_distinct:
        alike = (
            f"a sample of {w.count(checks.n_compared)} of {w.count(checks.n_distinct)} distinct "
            f"texts compared"
        )
    return [
        (
            "Texts nearly the same as another",
            w.count(checks.n_near_duplicates),
            f"at least 0.8 of all runs of three words are in both; {alike}",
        ),
        (
            "Test texts nearly a training or validation text",
            w.count(checks.n_near_leaked_test),
            "likewise",
        ),
        (
            "Validation texts nearly a training text",
            w.count(checks.n_near_leaked_validation),
            "likewise",
        ),
        (
            "Rows far longer than the rest",
            w.count(checks.n_far_longer),
            f"beyond {w.count(checks.far_longer_than)} characters",
        ),
        ("Rows that look wrongly decoded", w.count(checks.n_misencoded), ""),
    ]
