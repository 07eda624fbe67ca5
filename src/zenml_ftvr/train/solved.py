"""The approaches that are solved, not stepped: word counts, and a head on frozen features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["LinearHead", "choose_head_c", "count_params", "fit_baseline", "fit_head"]

BASELINE_C = 10.0
"""Inverse regularisation. Within a point of the best of 1 to 30 on both sets measured, which was 30
on each by less than its interval: benchmarks/results/cheap_arms.jsonl."""
NGRAMS = (1, 2)  # words and pairs, Wang & Manning 2012, ACL P12-2018: pairs help sentiment
WORD = r"(?u)\w+|[^\w\s]"  # every run of word characters, every other mark
HEAD_CS = (0.001, 0.01, 0.1, 1.0)  # chosen among by cross-validation; ends seldom chosen there
HEAD_FOLDS = 3  # of that choice; five would cost two thirds more
MAX_ITERATIONS = 1_000  # lbfgs stops far earlier (tens) on scaled features


def fit_baseline(texts: Sequence[str], label_ids: Sequence[int], seed: int) -> Any:
    """A scikit-learn pipeline, texts to label ids: TF-IDF and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    # One class against the rest, with liblinear: as good as a joint fit with lbfgs and some twenty
    # times faster on sparse counts of ten classes.
    one = LogisticRegression(C=BASELINE_C, solver="liblinear", random_state=seed)
    pipeline = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, ngram_range=NGRAMS, token_pattern=WORD),
        OneVsRestClassifier(one),
    )
    return pipeline.fit(list(texts), list(label_ids))


def count_params(pipeline: Any) -> int:
    """Weights and intercepts of a baseline's logistic regressions."""
    return sum(int(one.coef_.size + one.intercept_.size) for one in pipeline[-1].estimators_)


@dataclass(frozen=True, slots=True)
class LinearHead:
    """logits = features @ weight.T + bias; weight [classes, hidden], bias [classes]."""

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    def logits(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Scores [rows, classes] of features [rows, hidden]."""
        result: npt.NDArray[np.float32] = features @ self.weight.T + self.bias
        return result


def fit_head(
    features: npt.NDArray[np.float32],
    label_ids: Sequence[int],
    n_classes: int,
    c: float,
    seed: int,
) -> LinearHead:
    """Logistic regression on standardised features [rows, hidden], at inverse strength `c`.

    The scaling is folded into the weights, so that the head takes plain features.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    truth = np.asarray(label_ids)
    scaler = StandardScaler().fit(features)
    scaled = scaler.transform(features)
    classifier = LogisticRegression(C=c, max_iter=MAX_ITERATIONS, random_state=seed)
    classifier.fit(scaled, truth)
    weight = np.zeros((n_classes, features.shape[1]))
    bias = np.full(n_classes, -1e9)  # a class that no training row had is never predicted
    coefficients, intercepts = classifier.coef_, classifier.intercept_
    if len(classifier.classes_) == 2:  # scikit-learn keeps one row for two classes
        coefficients = np.vstack([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    weight[classifier.classes_] = coefficients / scaler.scale_
    bias[classifier.classes_] = intercepts - (coefficients / scaler.scale_) @ scaler.mean_
    return LinearHead(weight.astype(np.float32), bias.astype(np.float32))


def choose_head_c(
    features: npt.NDArray[np.float32], label_ids: Sequence[int], groups: Sequence[str], seed: int
) -> float:
    """The inverse strength of regularisation with the least cross-validated log loss.

    Rows of one group (equal texts) stay in one fold.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.preprocessing import StandardScaler

    truth = np.asarray(label_ids)
    scaled = StandardScaler().fit_transform(features)
    folds = StratifiedGroupKFold(HEAD_FOLDS, shuffle=True, random_state=seed)
    losses = dict.fromkeys(HEAD_CS, 0.0)
    for train, held_out in folds.split(scaled, truth, groups):
        known = np.unique(truth[train])
        rows = held_out[np.isin(truth[held_out], known)]
        if len(known) < 2 or len(rows) == 0:
            continue
        for c in HEAD_CS:
            model = LogisticRegression(C=c, max_iter=MAX_ITERATIONS, random_state=seed)
            model.fit(scaled[train], truth[train])
            loss = log_loss(truth[rows], model.predict_proba(scaled[rows]), labels=model.classes_)
            losses[c] += loss * len(rows)
    return min(HEAD_CS, key=lambda c: losses[c])
