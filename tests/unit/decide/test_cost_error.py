"""Limits of predicted costs: around the prediction, and as wide as predictions were off."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from zenml_ftvr.decide import cost_error
from zenml_ftvr.decide.cost_error import limits_of
from zenml_ftvr.values import Calibration

MEASURED = Path(__file__).parents[3] / "benchmarks" / "results" / "cost.json"


def test_limits_lie_around_the_prediction_and_dollars_follow_hours(
    make_calibration: Callable[..., Calibration],
) -> None:
    limits = limits_of(2.0, 3.0, 1.4, make_calibration())
    assert limits.usd is not None
    assert limits.hours[0] < 2.0 < limits.hours[1]
    assert math.sqrt(math.prod(limits.hours)) == pytest.approx(2.0)
    assert limits.usd == pytest.approx([3 * one for one in limits.hours])
    assert limits_of(2.0, None, 1.4, make_calibration()).usd is None


def test_what_imports_take_is_not_widened(make_calibration: Callable[..., Calibration]) -> None:
    calibration = dataclasses.replace(make_calibration(), process_memory_gib=1.0)
    low, high = limits_of(2.0, None, 1.4, calibration).peak_memory_gib
    assert 1.0 < low < 1.4 < high
    assert (low - 1) * (high - 1) == pytest.approx(0.4**2)


def test_what_follows_from_sizes_alone_is_less_known_and_least_of_an_unseen_card(
    make_calibration: Callable[..., Calibration],
) -> None:
    timed = make_calibration()
    sizes = dataclasses.replace(timed, basis="arithmetic")
    card = dataclasses.replace(
        sizes,
        hardware=dataclasses.replace(sizes.hardware, device="cuda", device_memory_gib=80.0),
    )
    widths = [limits_of(1.0, None, 2.0, one).hours[1] for one in (timed, sizes, card)]
    assert widths == sorted(set(widths))


@pytest.mark.parametrize(
    ("constant", "predicted", "measured"),
    [
        ("CALIBRATED_HOURS", "predicted_seconds", "seconds"),
        ("CALIBRATED_MEMORY", "predicted_memory_gib", "memory_gib"),
        ("ARITHMETIC_HOURS", "arithmetic_seconds", "seconds"),
        ("ARITHMETIC_MEMORY", "arithmetic_memory_gib", "memory_gib"),
    ],
)
def test_the_constants_are_those_that_were_measured(
    constant: str, predicted: str, measured: str
) -> None:
    cases = json.loads(MEASURED.read_text(encoding="utf-8"))["cases"]
    logs = [math.log(one[measured] / one[predicted]) for one in cases]
    rms = math.sqrt(math.fsum(one**2 for one in logs) / len(logs))
    assert getattr(cost_error, constant) == pytest.approx(rms, abs=0.006)
