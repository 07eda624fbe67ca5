"""What a model answered on rows whose truth is known, and every metric of it.

A metric is a function of how often each row counts: all once gives the score, and draws with
replacement give its interval, whatever the metric.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from zenml_ftvr.values import Metric

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ids = npt.NDArray[np.int64]
    Weights = npt.NDArray[np.float64]

__all__ = [
    "Answers",
    "ClassAnswers",
    "LanguageAnswers",
    "NumberAnswers",
    "SetAnswers",
    "TagAnswers",
    "f1_of_counts",
    "sampled_sums",
    "score",
    "unit_weights",
]


class Answers(Protocol):
    """Answers of one model beside the truth."""

    @property
    def n_rows(self) -> int: ...

    def values(self, metric: Metric, weights: Weights) -> Floats:
        """`metric` for each draw; `weights` [draws, rows] says how often a row counts."""


def unit_weights(n_rows: int) -> Weights:
    """Every row once, [1, rows]."""
    import numpy as np

    return np.ones((1, n_rows))


def score(answers: Answers, metric: Metric) -> float:
    """`metric` over all rows."""
    return float(answers.values(metric, unit_weights(answers.n_rows))[0])


def sampled_sums(statistics: Floats, weights: Weights) -> Floats:
    """Sums [draws, columns] of row statistics [rows, columns], each row counted as weighted."""
    sums: Floats = weights @ statistics
    return sums


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Their quotient, 0 where the denominator is."""
    import numpy as np

    quotient: Floats = np.divide(
        numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0
    )
    return quotient


def f1_of_counts(hits: Floats, predicted: Floats, true: Floats) -> Floats:
    """F1 of counts of equal shape; 0 where a class neither occurs nor is predicted."""
    return _ratio(2 * hits, predicted + true)


@dataclass(frozen=True, slots=True)
class ClassAnswers:
    """One label a row: the truth [rows] as class ids, and a score for every class [rows, classes].

    Scores may be logits or probabilities: their order counts. The answer is the highest.
    """

    truth: Ids
    scores: Floats

    @property
    def n_rows(self) -> int:
        return len(self.truth)

    @property
    def n_classes(self) -> int:
        return int(self.scores.shape[1])

    @property
    def predicted(self) -> Ids:
        """The class of the highest score, [rows]."""
        answer: Ids = self.scores.argmax(axis=1).astype(self.truth.dtype)
        return answer

    def values(self, metric: Metric, weights: Weights) -> Floats:
        """Accuracy, macro-F1, MCC or ROC-AUC (mean over classes, each against the rest)."""
        import numpy as np

        if metric == "roc_auc":
            return self._areas(weights)
        counts = self.confusion(weights)
        hits = np.einsum("dcc->dc", counts)
        if metric == "accuracy":
            return _ratio(hits.sum(1), counts.sum((1, 2)))
        true, predicted = counts.sum(2), counts.sum(1)
        if metric == "macro_f1":
            occurs = (true + predicted) > 0
            return f1_of_counts(hits, predicted, true).sum(1) / occurs.sum(1)
        if metric == "mcc":
            return _matthews(hits.sum(1), true, predicted)
        raise NotImplementedError(metric)

    def confusion(self, weights: Weights) -> Floats:
        """Counts [draws, true class, predicted class]."""
        import numpy as np
        from scipy.sparse import csr_array

        n, k = self.n_rows, self.n_classes
        cells = self.truth * k + self.predicted
        of_row = csr_array((np.ones(n), (cells, np.arange(n))), shape=(k * k, n))
        counts: Floats = (of_row @ weights.T).T.reshape(-1, k, k)
        return counts

    def _areas(self, weights: Weights) -> Floats:
        import numpy as np

        # Two classes have one area, seen from either side.
        classes = [1] if self.n_classes == 2 else range(self.n_classes)
        margins = self.scores
        if self.n_classes == 2:
            margins = self.scores - self.scores[:, ::-1]
        areas = np.stack([_area(self.truth == one, margins[:, one], weights) for one in classes])
        return _mean_of_known(areas)


def _mean_of_known(areas: Floats) -> Floats:
    """Mean over the first axis without what is not a number; 0.5 where nothing is known."""
    import numpy as np

    known = ~np.isnan(areas)
    total = np.where(known, areas, 0.0).sum(0)
    n_known = known.sum(0)
    mean: Floats = np.where(n_known > 0, total / np.maximum(1, n_known), 0.5)
    return mean


def _area(positive: npt.NDArray[np.bool_], scores: Floats, weights: Weights) -> Floats:
    """Area under the ROC curve, [draws]: the chance that a positive row scores above a negative
    one, ties counted half (Hanley & McNeil 1982); not a number where either kind is missing."""
    import numpy as np

    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) != 0)
    if len(order) and starts[0] != 0:  # a score of minus infinity at the lowest place
        starts = np.concatenate([[0], starts])
    sorted_weights, sorted_positive = weights[:, order], positive[order]
    above = np.add.reduceat(sorted_weights * sorted_positive, starts, axis=1)
    below = np.add.reduceat(sorted_weights * ~sorted_positive, starts, axis=1)
    beaten = np.cumsum(below, axis=1) - below / 2
    pairs = above.sum(1) * below.sum(1)
    area: Floats = np.full(len(weights), np.nan)
    np.divide((above * beaten).sum(1), pairs, out=area, where=pairs > 0)
    return area


def _matthews(hits: Floats, true: Floats, predicted: Floats) -> Floats:
    """Matthews' correlation for any number of classes: Gorodkin 2004, eq. 8. `hits` [draws],
    `true` and `predicted` [draws, classes]."""
    import numpy as np

    n = true.sum(1)
    above = hits * n - (true * predicted).sum(1)
    below = np.sqrt(n**2 - (predicted**2).sum(1)) * np.sqrt(n**2 - (true**2).sum(1))
    return _ratio(above, below)


@dataclass(frozen=True, slots=True)
class SetAnswers:
    """Any number of labels a row: truth [rows, labels] of 0 and 1, and log-odds of each label."""

    truth: Ids
    scores: Floats

    @property
    def n_rows(self) -> int:
        return len(self.truth)

    @property
    def predicted(self) -> Ids:
        """1 for every label whose log-odds are above 0, [rows, labels]."""
        answer: Ids = (self.scores > 0).astype(self.truth.dtype)
        return answer

    def values(self, metric: Metric, weights: Weights) -> Floats:
        """Micro- or macro-F1, subset accuracy, or ROC-AUC (mean over labels)."""
        import numpy as np

        if metric == "roc_auc":
            columns = range(self.truth.shape[1])
            areas = [
                _area(self.truth[:, one] == 1, self.scores[:, one], weights) for one in columns
            ]
            return _mean_of_known(np.stack(areas))
        predicted = self.predicted
        if metric == "subset_accuracy":
            right = (predicted == self.truth).all(1).astype(np.float64)
            return _ratio(weights @ right, weights.sum(1))
        hits = sampled_sums((predicted * self.truth).astype(np.float64), weights)
        said = sampled_sums(predicted.astype(np.float64), weights)
        true = sampled_sums(self.truth.astype(np.float64), weights)
        if metric == "micro_f1":
            return f1_of_counts(hits.sum(1), said.sum(1), true.sum(1))
        if metric == "macro_f1":
            occurs = (true + said) > 0
            return _ratio(f1_of_counts(hits, said, true).sum(1), occurs.sum(1).astype(np.float64))
        raise NotImplementedError(metric)


@dataclass(frozen=True, slots=True)
class NumberAnswers:
    """A number a row: the truth [rows] and what was predicted [rows]."""

    truth: Floats
    predicted: Floats

    @property
    def n_rows(self) -> int:
        return len(self.truth)

    def values(self, metric: Metric, weights: Weights) -> Floats:
        """R2 (1 minus the squared error over that of the mean), or the root mean squared error."""
        import numpy as np

        n = weights.sum(1)
        squared = weights @ (self.truth - self.predicted) ** 2
        if metric == "rmse":
            return np.sqrt(_ratio(squared, n))
        if metric == "r2":
            centred = self.truth - self.truth.mean()  # for the sums' precision
            mean = _ratio(weights @ centred, n)
            spread = weights @ centred**2 - n * mean**2
            return 1 - _ratio(squared, spread)
        raise NotImplementedError(metric)


@dataclass(frozen=True, slots=True)
class LanguageAnswers:
    """How well the next token was foretold, row by row."""

    negative_log_likelihood: Floats
    """Natural logarithm, summed over the row's learnt tokens, [rows]."""
    n_tokens: Floats
    n_bytes: Floats
    """Of those tokens' text in UTF-8, [rows]."""
    n_hits: Floats
    """Tokens that were thought the likeliest, [rows]."""

    @property
    def n_rows(self) -> int:
        return len(self.n_tokens)

    def values(self, metric: Metric, weights: Weights) -> Floats:
        """Bits per byte of text, perplexity per token, or the share of tokens foretold."""
        import numpy as np

        nll = weights @ self.negative_log_likelihood
        if metric == "bits_per_byte":
            return _ratio(nll / np.log(2), weights @ self.n_bytes)
        if metric == "perplexity":
            return np.exp(_ratio(nll, weights @ self.n_tokens))
        if metric == "token_accuracy":
            return _ratio(weights @ self.n_hits, weights @ self.n_tokens)
        raise NotImplementedError(metric)


@dataclass(frozen=True, slots=True)
class TagAnswers:
    """A tag a word: the truth and the answer of every row, as tags."""

    truth: Sequence[Sequence[str]]
    predicted: Sequence[Sequence[str]]

    @property
    def n_rows(self) -> int:
        return len(self.truth)

    def values(self, metric: Metric, weights: Weights) -> Floats:
        """F1 over entities (all types together, as seqeval's default), or the share of tags."""
        if metric == "token_accuracy":
            sums = sampled_sums(self._tag_counts(), weights)
            return _ratio(sums[:, 0], sums[:, 1])
        if metric == "entity_f1":
            sums = sampled_sums(self._entity_counts(), weights)
            return f1_of_counts(sums[:, 0], sums[:, 1], sums[:, 2])
        raise NotImplementedError(metric)

    def _tag_counts(self) -> Floats:
        """Right tags and tags of each row, [rows, 2]."""
        import numpy as np

        pairs = zip(self.truth, self.predicted, strict=True)
        counts = [
            (sum(a == b for a, b in zip(true, said, strict=True)), len(true))
            for true, said in pairs
        ]
        return np.asarray(counts, dtype=np.float64).reshape(-1, 2)

    def _entity_counts(self) -> Floats:
        """Entities found whole, said, and true of each row, [rows, 3]."""
        import numpy as np

        counts = []
        for true, said in zip(self.truth, self.predicted, strict=True):
            wanted, found = _entities(true), _entities(said)
            counts.append((len(wanted & found), len(found), len(wanted)))
        return np.asarray(counts, dtype=np.float64).reshape(-1, 3)

    def spans_of(self, row: int) -> tuple[set[Span], set[Span]]:
        """The true spans of a row, and those that were answered."""
        return _entities(self.truth[row]), _entities(self.predicted[row])

    def spans_by_type(self) -> dict[str, tuple[int, int, int]]:
        """Of each type of span over all rows: those found whole, said, and true."""
        found: Counter[str] = Counter()
        said: Counter[str] = Counter()
        true: Counter[str] = Counter()
        for wanted, given in zip(self.truth, self.predicted, strict=True):
            of_truth, of_answer = _entities(wanted), _entities(given)
            found.update(kind for kind, *_ in of_truth & of_answer)
            said.update(kind for kind, *_ in of_answer)
            true.update(kind for kind, *_ in of_truth)
        return {kind: (found[kind], said[kind], true[kind]) for kind in sorted(said | true)}


Span: TypeAlias = tuple[str, int, int]
"""Type, first and last word."""


def _entities(tags: Sequence[str]) -> set[Span]:
    """Type, first and last word of each; a word without a tag is in none."""
    import warnings

    from seqeval.metrics.sequence_labeling import get_entities

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tags that are no spans, such as parts of speech
        return set(get_entities([tag or "O" for tag in tags]))
