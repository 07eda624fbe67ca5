"""Tags from a word and its neighbours: features of spelling and logistic regression."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zenml_ftvr.data import Rows
from zenml_ftvr.models.baselines.stored import read_estimator, write_estimator
from zenml_ftvr.tasks.token_classification import TagWork

__all__ = ["TagBaseline", "fit_tag_baseline", "load_tag_baseline"]

C = 10.0  # as of word counts: benchmarks/results/cheap_arms.jsonl
AFFIX_LETTERS = (2, 3)
"""Ends of words, of the lengths that Ratnaparkhi 1996, ACL W96-0213, table 1 uses at most 4 of."""
MAX_ITERATIONS = 100  # lbfgs: a linear chain's features are nearly separable, more gains nothing


def _features(words: Sequence[str], place: int) -> str:
    """Of one word: itself, its neighbours, its ends and its shape (Ratnaparkhi 1996, table 1).

    As marks with blanks between, which count vectors are made of.
    """
    word = words[place]
    marks = [
        f"word={word.lower()}",
        f"before={words[place - 1].lower() if place else '<start>'}",
        f"after={words[place + 1].lower() if place + 1 < len(words) else '<end>'}",
    ]
    for letters in AFFIX_LETTERS:
        marks += [f"suffix={word[-letters:].lower()}", f"prefix={word[:letters].lower()}"]
    shapes = {
        "first": place == 0,
        "upper": word[:1].isupper(),
        "capitals": word.isupper(),
        "digit": any(letter.isdigit() for letter in word),
        "hyphen": "-" in word,
    }
    marks += [name for name, has in shapes.items() if has]
    return " ".join("_".join(mark.split()) for mark in marks)


def _all_features(rows: Rows) -> Iterator[str]:
    for words in rows.inputs:
        for place in range(len(words)):
            yield _features(words, place)


@dataclass(frozen=True, slots=True)
class TagBaseline:
    """A fitted pipeline of one-hot features and logistic regression, one tag against the rest."""

    work: TagWork
    pipeline: Any

    @property
    def n_params(self) -> int:
        fitted = [one for one in self.pipeline[-1].estimators_ if hasattr(one, "coef_")]
        return sum(int(one.coef_.size + one.intercept_.size) for one in fitted)

    def outputs(
        self, rows: Rows, on_rows: Callable[[int, int], None] | None = None
    ) -> list[list[str]]:
        """A tag a word."""
        words = rows.inputs
        n_words = sum(map(len, words))
        said = iter(self.pipeline.predict(_all_features(rows)) if n_words else ())
        tags = [[self.work.labels[next(said)] for _ in row] for row in words]
        if on_rows is not None:
            on_rows(len(words), len(words))
        return tags

    def save(self, folder: Path) -> None:
        write_estimator(self.pipeline, folder)


def fit_tag_baseline(work: TagWork, rows: Rows, seed: int) -> TagBaseline:
    """Fit the features and the regressions on every word."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    place = {tag: index for index, tag in enumerate(work.labels)}
    truth = [place[tag] for tags in rows.targets for tag in tags]
    one = LogisticRegression(C=C, solver="liblinear", max_iter=MAX_ITERATIONS, random_state=seed)
    marks = r"\S+"  # with blanks between them
    counts = CountVectorizer(token_pattern=marks, lowercase=False, binary=True)
    pipeline = make_pipeline(counts, OneVsRestClassifier(one))
    return TagBaseline(work, pipeline.fit(_all_features(rows), truth))


def load_tag_baseline(work: TagWork, folder: Path) -> TagBaseline:
    """Read what `save` wrote."""
    return TagBaseline(work, read_estimator(folder))
