"""Numbers and names as people read them."""

from __future__ import annotations

import html
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenml_ftvr.report import wording
from zenml_ftvr.values import KINDS, PairedDifference, Score


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0.0 s"),
        (9.94, "9.9 s"),
        (41.4, "41 s"),
        (89.4, "89 s"),
        (90.0, "1.5 min"),
        (5399.0, "90.0 min"),
        (5400.0, "1.5 h"),
        (36_000.0, "10.0 h"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_a_duration_has_the_unit_that_fits_it(seconds: float | None, said: str) -> None:
    assert wording.duration(seconds) == said


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        (0.0042, "$0.0042"),
        (0.0999, "$0.0999"),
        (0.1, "$0.10"),
        (3.4, "$3.40"),
        (1234.5, "$1,234.50"),
        (None, "–"),
    ],
)
def test_small_sums_keep_their_digits(usd: float | None, said: str) -> None:
    assert wording.dollars(usd) == said


@pytest.mark.parametrize(
    ("gib", "said"), [(0.05, "51 MiB"), (0.999, "1023 MiB"), (1.0, "1.0 GiB"), (15.55, "15.6 GiB")]
)
def test_memory_below_a_gibibyte_is_in_mebibytes(gib: float, said: str) -> None:
    assert wording.gib(gib) == said


@pytest.mark.parametrize(
    ("n_bytes", "said"), [(12_345_678, "12.3 MB"), (999_900_000, "999.9 MB"), (2e9, "2.00 GB")]
)
def test_sizes_are_decimal_as_file_managers_show_them(n_bytes: float, said: str) -> None:
    assert wording.size(n_bytes) == said


def test_counts_have_their_thousands_apart() -> None:
    assert wording.count(1_234_567) == "1,234,567"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_a_dash(value: float) -> None:
    assert wording.number(value) == "–"


def test_a_number_has_the_digits_asked_for() -> None:
    assert wording.number(0.87654) == "0.877"
    assert wording.number(0.87654, digits=1) == "0.9"


def test_a_score_is_never_without_its_interval() -> None:
    score = Score(metric="accuracy", value=0.8714, low=0.85, high=math.nan, n_rows=10)
    assert wording.score_text(score) == "0.871 [0.850, –]"


def test_a_difference_shows_its_sign_on_both_sides() -> None:
    difference = PairedDifference(
        first="head",
        second="baseline",
        metric="accuracy",
        mean=0.01,
        low=-0.005,
        high=0.025,
        regret_of_first=0.0,
        regret_of_second=0.01,
        n_rows=10,
    )
    assert wording.difference_text(difference) == "+0.010 [-0.005, +0.025]"


def test_every_approach_has_a_name_and_a_description_of_its_own() -> None:
    assert len({wording.approach_name(kind) for kind in KINDS}) == len(KINDS)
    assert len({wording.what_trains(kind, None) for kind in KINDS}) == len(KINDS)
    assert wording.approach_name("lora") == "LoRA"
    assert (wording.metric_name("accuracy"), wording.metric_name("macro_f1")) == (
        "Accuracy",
        "Macro-F1",
    )


@settings(deadline=None)
@given(st.text())
def test_escaped_text_is_the_text_and_no_markup(text: str) -> None:
    escaped = wording.escape(text)
    assert not set("<>\"'") & set(escaped)
    assert html.unescape(escaped) == text
