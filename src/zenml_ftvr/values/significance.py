"""How sure it is that one model, or one approach, is better than another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from zenml_ftvr.values.approach import Kind
from zenml_ftvr.values.task import Metric

__all__ = ["SIGNIFICANT", "ApproachDifference", "ModelTest", "TestName"]

SIGNIFICANT = 0.05
"""Corrected p-values below this are called significant: the convention, and the complement of the
intervals' 95 %."""

TestName: TypeAlias = Literal["McNemar, mid-p", "paired bootstrap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTest:
    """Two models on the same rows: is their difference more than chance?"""

    first: Kind
    second: Kind
    metric: Metric
    test: TestName
    """McNemar's of accuracy on rows that are independent (mid-p: Fagerland et al. 2013); else the
    paired bootstrap."""
    difference: float
    """`first` minus `second`, in units of the metric."""
    low: float
    high: float
    """95 % interval of the difference, by the paired bootstrap."""
    p_value: float
    """Two-sided."""
    p_corrected: float
    """Holm's correction (Holm 1979) for `n_comparisons`."""
    n_comparisons: int
    """Tests that were made together."""
    n_rows: int
    only_first_right: int | None = None
    """Rows that `first` alone answered right; None unless the test is McNemar's."""
    only_second_right: int | None = None

    @property
    def is_significant(self) -> bool:
        return self.p_corrected < SIGNIFICANT


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproachDifference:
    """Two approaches, each by models of several seeds: `first` minus `second`.

    Seeds and rows were both drawn again, so that the interval holds for another training on other
    rows, not for these models alone.
    """

    first: Kind
    second: Kind
    metric: Metric
    mean: float
    """Of the approaches' mean scores over seeds."""
    low: float
    high: float
    p_value: float
    """Two-sided."""
    p_corrected: float
    """Holm's correction for `n_comparisons`."""
    n_comparisons: int
    n_seeds: int
    """Of the approach with fewer: with one, no variance of training is in the interval."""
    n_rows: int
    level: float = 0.95

    @property
    def is_significant(self) -> bool:
        """Never of approaches with one seed each: such models cannot speak for an approach."""
        return self.n_seeds > 1 and self.p_corrected < SIGNIFICANT
