"""Scores with intervals, comparisons, and the test split."""

from zenml_ftvr.evaluate.comparison import Contest, compare_trained
from zenml_ftvr.evaluate.groups import Groups, groups_of
from zenml_ftvr.evaluate.intervals import paired_difference, scores_with_intervals
from zenml_ftvr.evaluate.test_split import evaluate_models

__all__ = [
    "Contest",
    "Groups",
    "compare_trained",
    "evaluate_models",
    "groups_of",
    "paired_difference",
    "scores_with_intervals",
]
