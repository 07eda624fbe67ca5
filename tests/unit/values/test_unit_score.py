"""Metrics between 0 and 1: the order of models is kept, and the way back leads home."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.values import (
    LOWER_IS_BETTER,
    Metric,
    from_unit_score,
    pilot_metric,
    unit_score,
    unit_tolerance,
)

METRICS: tuple[Metric, ...] = tuple(one for one in get_args(Metric) if one != "rmse")
finite = st.floats(-20, 20)


@given(metric=st.sampled_from(METRICS), one=finite, other=finite)
def test_a_better_model_never_scores_less(metric: Metric, one: float, other: float) -> None:
    first, second = unit_score(metric, one), unit_score(metric, other)
    assert first is not None
    assert second is not None
    assert 0 <= first <= 1
    if min(one, other) <= 0 and metric == "perplexity":
        return  # there is none
    better = one < other if metric in LOWER_IS_BETTER else one > other
    assert not better or first >= second


@given(metric=st.sampled_from(METRICS), share=st.floats(0.01, 1.0))
def test_the_way_back_leads_home(metric: Metric, share: float) -> None:
    score = unit_score(metric, from_unit_score(metric, share))
    assert score == pytest.approx(share)


def test_what_has_no_bound_is_mapped_as_told() -> None:
    assert unit_score("bits_per_byte", 2.0) == 0.75
    assert unit_score("bits_per_byte", 9.0) == 0
    assert unit_score("perplexity", 4.0) == 0.25
    assert unit_score("r2", -3.0) == 0
    assert unit_score("mcc", -0.2) == 0
    assert unit_score("accuracy", math.nan) is None
    assert unit_tolerance("bits_per_byte", 0.08) == pytest.approx(0.01)
    assert unit_tolerance("accuracy", 0.005) == 0.005


def test_errors_in_units_of_the_data_are_judged_by_r2() -> None:
    assert pilot_metric("rmse") == "r2"
    assert pilot_metric("chrf") == "chrf"
