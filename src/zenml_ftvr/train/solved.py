"""The head that is solved for, not stepped: a linear model on frozen features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Rows
    from zenml_ftvr.tasks import RowWork

    Features = npt.NDArray[np.float32]
    Targets = npt.NDArray[Any]

__all__ = ["LinearHead", "choose_c", "choose_strength", "fit_classes", "fit_head"]

HEAD_CS = (0.001, 0.01, 0.1, 1.0)  # chosen among by cross-validation; ends seldom chosen there
HEAD_FOLDS = 3  # of that choice; five would cost two thirds more
RIDGE_CS = (0.0001, 0.001, 0.01, 0.1, 1.0)
"""The same for ridge regression, whose penalty is set against a sum over rows, not over log losses
near their minimum: wants more of it on some hundred rows of some hundred features."""
MAX_ITERATIONS = 1_000  # lbfgs stops far earlier (tens) on scaled features


@dataclass(frozen=True, slots=True)
class LinearHead:
    """logits = features @ weight.T + bias; weight [classes, hidden], bias [classes]."""

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    def logits(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Scores [rows, classes] of features [rows, hidden]."""
        result: npt.NDArray[np.float32] = features @ self.weight.T + self.bias
        return result


def choose_strength(work: RowWork, features: Features, rows: Rows, seed: int) -> float:
    """The inverse strength of regularisation that cross-validation finds best for `fit_head`."""
    truth = work.targets(rows)
    match work.target:
        case "single":
            return choose_c(features, truth, rows.row_ids, seed)
        case "multi":
            # One for all labels, chosen by the commonest: a label of few rows says little of it.
            return choose_c(features, truth[:, truth.sum(axis=0).argmax()], rows.row_ids, seed)
        case "regression":
            return _choose_ridge(features, truth, rows.row_ids, seed)


def fit_head(work: RowWork, features: Features, rows: Rows, c: float, seed: int) -> LinearHead:
    """The head on standardised features [rows, hidden], at inverse strength `c`.

    Logistic regression, one a label where there may be several, or ridge regression for numbers.
    The scaling is folded into the weights, so that the head takes plain features.
    """
    truth = work.targets(rows)
    match work.target:
        case "single":
            return fit_classes(features, truth, len(work.labels), c, seed)
        case "multi":
            parts = [_one_label(features, truth[:, one], c, seed) for one in range(truth.shape[1])]
            return _stacked(parts)
        case "regression":
            return _fit_ridge(features, truth, c)


def _one_label(features: Features, has: Targets, c: float, seed: int) -> LinearHead:
    """Log-odds of one label; it never says what no row, or every row, taught it."""
    import numpy as np

    if len(np.unique(has)) < 2:
        bias = np.full(1, 1e9 if has.all() else -1e9, dtype=np.float32)
        return LinearHead(np.zeros((1, features.shape[1]), dtype=np.float32), bias)
    both = fit_classes(features, has, 2, c, seed)
    return LinearHead(both.weight[1:] - both.weight[:1], both.bias[1:] - both.bias[:1])


def _stacked(parts: Sequence[LinearHead]) -> LinearHead:
    import numpy as np

    return LinearHead(
        np.concatenate([part.weight for part in parts]),
        np.concatenate([part.bias for part in parts]),
    )


def _choose_ridge(features: Features, numbers: Targets, groups: Sequence[str], seed: int) -> float:
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GroupKFold
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(features)
    folds = GroupKFold(min(HEAD_FOLDS, len(set(groups))), shuffle=True, random_state=seed)
    errors = dict.fromkeys(RIDGE_CS, 0.0)
    for train, held_out in folds.split(scaled, numbers, groups):
        for c in RIDGE_CS:
            model = Ridge(1 / c).fit(scaled[train], numbers[train])
            errors[c] += float(((model.predict(scaled[held_out]) - numbers[held_out]) ** 2).sum())
    return min(RIDGE_CS, key=lambda c: errors[c])


def _fit_ridge(features: Features, numbers: Targets, c: float) -> LinearHead:
    import numpy as np
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features)
    model = Ridge(1 / c).fit(scaler.transform(features), numbers)
    weight = (model.coef_ / scaler.scale_)[None]
    bias = np.atleast_1d(model.intercept_ - weight[0] @ scaler.mean_)
    return LinearHead(weight.astype(np.float32), bias.astype(np.float32))


def fit_classes(
    features: Features,
    label_ids: Sequence[int] | Targets,
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


def choose_c(
    features: Features, label_ids: Sequence[int] | Targets, groups: Sequence[str], seed: int
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
