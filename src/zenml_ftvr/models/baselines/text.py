"""Word counts and a linear model: logistic regression, or ridge for numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.data import Rows
from zenml_ftvr.models.baselines.stored import read_estimator, write_estimator
from zenml_ftvr.tasks.text_classification import TextWork

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["TextBaseline", "fit_text_baseline", "load_text_baseline"]

BASELINE_C = 10.0
"""Inverse regularisation. Within a point of the best of 1 to 30 on both sets measured, which was 30
on each by less than its interval: benchmarks/results/cheap_arms.jsonl."""
NGRAMS = (1, 2)  # words and pairs, Wang & Manning 2012, ACL P12-2018: pairs help sentiment
WORD = r"(?u)\w+|[^\w\s]"  # every run of word characters, every other mark
RIDGE_ALPHAS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Chosen among by cross-validation. TF-IDF rows have length 1, so that strengths about 1 are the
ones that matter."""
RIDGE_FOLDS = 3  # of that choice, as many as the head's


@dataclass(frozen=True, slots=True)
class TextBaseline:
    """A fitted pipeline of TF-IDF and a linear model."""

    work: TextWork
    pipeline: Any

    @property
    def n_params(self) -> int:
        """Weights and intercepts of the linear models."""
        last = self.pipeline[-1]
        if self.work.task.target == "regression":
            return int(last.coef_.size) + 1
        fitted = [one for one in last.estimators_ if hasattr(one, "coef_")]
        return sum(int(one.coef_.size + one.intercept_.size) for one in fitted)

    def outputs(
        self, rows: Rows, on_rows: Callable[[int, int], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """Log-probabilities [rows, classes], log-odds [rows, labels], or numbers [rows, 1]."""
        import numpy as np

        texts = rows.texts
        if self.work.task.target == "regression":
            result = self.pipeline.predict(texts).reshape(-1, 1).astype(np.float32)
        elif self.work.task.target == "multi":
            result = self._log_odds(self.pipeline.predict_proba(texts))
        else:
            # A class that no training row had keeps a probability of zero.
            result = np.full((len(texts), len(self.work.labels)), -np.inf, dtype=np.float32)
            with np.errstate(divide="ignore"):
                probabilities = self.pipeline.predict_proba(texts)
                result[:, self.pipeline.classes_] = np.log(probabilities)
        if on_rows is not None:
            on_rows(len(texts), len(texts))
        return result

    def _log_odds(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        import numpy as np

        tiny = np.finfo(np.float64).tiny
        odds = np.maximum(probabilities, tiny) / np.maximum(1 - probabilities, tiny)
        result: npt.NDArray[np.float32] = np.log(odds).astype(np.float32)
        return result

    def save(self, folder: Path) -> None:
        write_estimator(self.pipeline, folder)


def fit_text_baseline(work: TextWork, rows: Rows, seed: int) -> TextBaseline:
    """Fit TF-IDF and the linear model of the target."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=NGRAMS, token_pattern=WORD)
    if work.task.target == "regression":
        linear: Any = _ridge(rows, work, vectorizer, seed)
    else:
        # One class against the rest, with liblinear: as good as a joint fit with lbfgs and some
        # twenty times faster on sparse counts of ten classes.
        one = LogisticRegression(C=BASELINE_C, solver="liblinear", random_state=seed)
        linear = OneVsRestClassifier(one)
    pipeline = make_pipeline(vectorizer, linear)
    return TextBaseline(work, pipeline.fit(rows.texts, work.targets(rows)))


def _ridge(rows: Rows, work: TextWork, vectorizer: Any, seed: int) -> Any:
    """Ridge regression of the strength with the least cross-validated squared error."""
    from sklearn.base import clone
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline

    texts, numbers, groups = rows.texts, work.targets(rows), rows.row_ids
    folds = GroupKFold(min(RIDGE_FOLDS, len(set(groups))), shuffle=True, random_state=seed)
    errors = {}
    for alpha in RIDGE_ALPHAS:
        one = Ridge(alpha, solver="sparse_cg", random_state=seed)
        errors[alpha] = -cross_val_score(
            make_pipeline(clone(vectorizer), one),
            texts,
            numbers,
            groups=groups,
            cv=folds,
            scoring="neg_mean_squared_error",
        ).mean()
    best = min(RIDGE_ALPHAS, key=lambda alpha: errors[alpha])
    return Ridge(best, solver="sparse_cg", random_state=seed)


def load_text_baseline(work: TextWork, folder: Path) -> TextBaseline:
    """Read what `save` wrote."""
    return TextBaseline(work, read_estimator(folder))
