"""Describe a data set before anything is trained on it."""

from __future__ import annotations

import dataclasses
import io
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zenml_ftvr.data import Dataset, Rows, check_rows, measure_alphabet
from zenml_ftvr.values import (
    ClassCount,
    DataChecks,
    DataProfile,
    Quantiles,
    TokenProfile,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["TokenizerView", "profile_data"]

SAMPLED_TEXTS = 20_000
"""Texts or images that are measured; a share among so many is known to a third of a point."""
NEIGHBOURS = 100
"""Rows of a sample that stand together. Of a file that is mapped into memory, single rows from all
over it would bring in nearly every page; 200 places are enough to see all parts of a sorted one."""
BATCH = 1_000  # texts a call to the tokenizer

# From here on a warning is given. They remind a reader; nothing is decided by them.
MANY_DUPLICATES = 0.05  # share of rows: one in twenty is more than chance repetition
LARGE_MAJORITY = 0.8  # share of one class: accuracy says little where guessing gets four in five
MUCH_TRUNCATED = 0.05  # share of tokens lost
FEW_TEST_ROWS = 100  # a 95 % interval of accuracy is then wider than +-5 points at 0.93 and below


@dataclass(frozen=True, slots=True)
class TokenizerView:
    """A tokenizer as profiling needs it: a plain function and four facts."""

    name: str
    vocabulary_size: int
    encode: Callable[[list[str]], list[list[int]]]
    """Texts to piece ids, without special tokens."""
    unknown_id: int | None
    n_special: int
    """Special tokens that are added to a text."""


def profile_data(
    dataset: Dataset, tokenizer: TokenizerView | None, max_length: int | None
) -> DataProfile:
    """Count and measure; lengths are of the training split, so that the test split stays unseen.

    `max_length`: tokens at which a text is cut; None where none is.

    The checks alone look at every split: whether one leaks into another cannot be seen in one.
    """
    texts, sizes = _sampled_texts(dataset.train), _sampled_sizes(dataset.train)
    splits = {name: _label_counts(getattr(dataset, name)) for name in _SPLITS}
    classes = tuple(
        ClassCount(label=label, **{name: splits[name][label] for name in _SPLITS})
        for label in dataset.labels
    )
    tokens = None
    if tokenizer is not None and texts:
        tokens = _token_profile(texts, len(dataset.train), tokenizer, max_length)
    n_rows = sum(len(getattr(dataset, name)) for name in _SPLITS)
    profile = DataProfile(
        source=dataset.source.name,
        fingerprint=dataset.fingerprint,
        n_rows=n_rows,
        n_train=len(dataset.train),
        n_validation=len(dataset.validation),
        n_test=len(dataset.test),
        classes=classes,
        n_duplicates=dataset.n_duplicates,
        n_conflicts=dataset.n_conflicts,
        n_dropped=dataset.n_dropped,
        characters=_quantiles([len(text) for text in texts]),
        words=_quantiles([len(text.split()) for text in texts]),
        tokens=tokens,
        checks=check_rows(dataset),
        numbers=_numbers(dataset.train),
        alphabet=measure_alphabet(texts) if texts else None,
        widths=_quantiles([width for width, _ in sizes]) if sizes else None,
        heights=_quantiles([height for _, height in sizes]) if sizes else None,
    )
    return dataclasses.replace(profile, warnings=_warnings(profile))


def _label_counts(rows: Rows) -> Counter[str]:
    """Rows of each class, or that have each label or tag; none where there are no labels."""
    counts: Counter[str] = Counter()
    for batch in rows.batches(BATCH):
        for target in batch.targets:
            if isinstance(target, str):
                counts[target] += 1
            elif isinstance(target, list):
                counts.update(set(target))
    return counts


def _numbers(rows: Rows) -> Quantiles | None:
    """The distribution of the numbers to be predicted, where the targets are numbers."""
    import numpy as np
    import pyarrow as pa

    if not pa.types.is_floating(rows.table.column("label").type):
        return None
    numbers, start = np.empty(len(rows)), 0
    for batch in rows.batches(BATCH):
        numbers[start : start + len(batch)] = batch.targets
        start += len(batch)
    return _quantiles(numbers)


def _sampled_texts(rows: Rows) -> list[str]:
    """The text of at most 20,000 rows; none of images."""
    return [] if _are_images(rows) else [_as_text(one) for one in _sampled(rows).inputs]


def _sampled_sizes(rows: Rows) -> list[tuple[int, int]]:
    """Width and height, as stored, of at most 20,000 images; their pixels are not decoded."""
    if not _are_images(rows):
        return []
    from PIL import Image

    sizes = []
    for batch in _sampled(rows).batches(BATCH):
        for content in batch.inputs:
            with Image.open(io.BytesIO(content)) as image:
                sizes.append(image.size)
    return sizes


def _are_images(rows: Rows) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(rows.table.column("text").type))


def _sampled(rows: Rows) -> Rows:
    """At most 20,000 rows, the same ones always: runs of neighbours from all over."""
    if len(rows) <= SAMPLED_TEXTS:
        return rows
    length = min(NEIGHBOURS, SAMPLED_TEXTS)
    starts = range(0, len(rows) - length + 1, length)
    chosen = random.Random(0).sample(starts, SAMPLED_TEXTS // length)  # noqa: S311  (no secret)
    return rows.take([place for start in sorted(chosen) for place in range(start, start + length)])


def _as_text(value: Any) -> str:
    """Words and turns of a conversation put together with blanks."""
    if isinstance(value, str):
        return value
    return " ".join(one if isinstance(one, str) else str(one["content"]) for one in value)


_SPLITS = ("train", "validation", "test")


def _quantiles(values: Sequence[float] | npt.NDArray[np.float64]) -> Quantiles:
    import numpy as np

    if not len(values):
        return Quantiles(minimum=0.0, p50=0.0, p90=0.0, p99=0.0, maximum=0.0, mean=0.0)
    p50, p90, p99 = np.quantile(values, [0.5, 0.9, 0.99])
    return Quantiles(
        minimum=float(np.min(values)),
        p50=float(p50),
        p90=float(p90),
        p99=float(p99),
        maximum=float(np.max(values)),
        mean=float(np.mean(values)),
    )


def _token_profile(
    sample: Sequence[str], n_texts: int, tokenizer: TokenizerView, max_length: int | None
) -> TokenProfile:
    lengths: list[int] = []
    pieces = unknown = 0
    for start in range(0, len(sample), BATCH):
        for ids in tokenizer.encode(list(sample[start : start + BATCH])):
            lengths.append(len(ids) + tokenizer.n_special)
            pieces += len(ids)
            if tokenizer.unknown_id is not None:
                unknown += ids.count(tokenizer.unknown_id)
    words = sum(len(text.split()) for text in sample)
    lost = 0
    if max_length is not None:
        lost = sum(max(0, length - max_length) for length in lengths)
    return TokenProfile(
        tokenizer=tokenizer.name,
        vocabulary_size=tokenizer.vocabulary_size,
        tokens=_quantiles(lengths),
        total_train_tokens=round(sum(lengths) / len(sample) * n_texts),
        pieces_per_word=pieces / max(1, words),
        unknown_share=unknown / max(1, pieces),
        truncated_share=lost / max(1, sum(lengths)),
        max_length=max_length,
    )


def _warnings(profile: DataProfile) -> tuple[str, ...]:
    warnings = []
    thing = "text" if profile.widths is None else "image"
    answer = "label" if profile.has_classes else "answer"
    if profile.n_duplicates > MANY_DUPLICATES * profile.n_rows:
        checks = profile.checks
        apart = checks is not None and checks.n_leaked_test + checks.n_leaked_validation > 0
        warnings.append(
            f"{profile.n_duplicates:,} of {profile.n_rows:,} rows repeat the {thing} of another"
            f"{'.' if apart else f'; all rows of one {thing} are in one split.'}"
        )
    if profile.n_conflicts:
        occur = f"{thing} occurs" if profile.n_conflicts == 1 else f"{thing}s occur"
        warnings.append(
            f"{profile.n_conflicts:,} {occur} under more than one {answer}: no model can be "
            f"right on all of them."
        )
    if profile.n_dropped:
        warnings.append(f"{profile.n_dropped:,} rows of too rare classes were left out.")
    if profile.has_classes and profile.majority_share > LARGE_MAJORITY:
        warnings.append(
            f"{profile.majority_share:.0%} of the training rows are of one class: judge by "
            f"macro-F1 (task.metric: macro_f1) rather than by accuracy."
        )
    if profile.tokens is not None and profile.tokens.truncated_share > MUCH_TRUNCATED:
        warnings.append(
            f"{profile.tokens.truncated_share:.0%} of the tokens are cut off at "
            f"{profile.tokens.max_length}: raise task.max_length if the ends of texts matter."
        )
    if profile.n_test < FEW_TEST_ROWS:
        warnings.append(
            f"Only {profile.n_test} test rows: the intervals of all test scores will be wide."
        )
    if profile.checks is not None:
        warnings += _found_by(profile.checks)
    return tuple(warnings)


def _found_by(checks: DataChecks) -> list[str]:
    sampled = checks.n_compared < checks.n_distinct
    among = f"{'a sample of ' if sampled else ''}{checks.n_compared:,} distinct texts"
    found = [
        (
            checks.n_leaked_test,
            "Test rows with the text of a training or validation row",
            "the test scores are too good. Remove them from one of the two.",
        ),
        (
            checks.n_leaked_validation,
            "Validation rows with the text of a training row",
            "what is chosen by them favours learning by heart. Remove them from one of the two.",
        ),
        (
            checks.n_near_duplicates,
            f"Texts nearly the same as another, among {among}",
            "they say little that is new. Remove them if they are copies.",
        ),
        (
            checks.n_near_leaked_test,
            f"Test texts nearly a training or validation text, among {among}",
            "the test scores may be too good. Keep such rows together with data.group_column.",
        ),
        (
            checks.n_near_leaked_validation,
            f"Validation texts nearly a training text, among {among}",
            "what is chosen by them may favour learning by heart.",
        ),
        (
            checks.n_far_longer,
            f"Rows longer than {checks.far_longer_than:,} characters, many times what 99 in 100 "
            f"stay below",
            "see whether each is one text.",
        ),
        (
            len(checks.unseen_tags),
            f"Tags of test words that no training word has ({', '.join(checks.unseen_tags)})",
            "no model can say them. Add rows with them, or rename them.",
        ),
        (
            checks.n_misencoded,
            "Rows with what a wrong encoding leaves, such as '\u00c3\u00a9' for '\u00e9'",
            "set data.encoding to the file's.",
        ),
    ]
    return [f"{what}: {n:,}; {so}" for n, what, so in found if n]
