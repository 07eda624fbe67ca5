"""Charts: what is drawn where, and what is not drawn at all."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shown_page import Page, read_page

from zenml_ftvr.report.charts import Interval, Series, interval_chart, line_chart, pair_chart

# What a 32-bit loss can be.
READING = st.floats(width=32)
STEPS = st.integers(0, 10**7).map(float)


def _view_box(shown: Page) -> tuple[float, float]:
    _, _, width, height = map(float, shown.named("svg")[0]["viewbox"].split())
    return width, height


def _points(shown: Page) -> list[list[tuple[float, float]]]:
    lines = [line["points"].split() for line in shown.named("polyline")]
    return [[tuple(map(float, point.split(","))) for point in line] for line in lines]  # type: ignore[misc]


def test_a_line_goes_through_its_points_to_scale() -> None:
    shown = read_page(
        line_chart("Loss", [Series("training", ((0, 2.0), (50, 1.0), (100, 0.5)))], "")
    )
    [[first, middle, last]] = _points(shown)
    assert first[0] < middle[0] < last[0]
    assert middle[0] - first[0] == pytest.approx(last[0] - middle[0], abs=0.11)
    assert first[1] < middle[1] < last[1]  # downwards on the screen
    assert middle[1] - first[1] == pytest.approx(2 * (last[1] - middle[1]), abs=0.31)


@pytest.mark.parametrize("hole", [math.nan, math.inf, -math.inf])
def test_a_reading_that_is_no_number_is_left_out_of_its_line(hole: float) -> None:
    with_hole = line_chart("Loss", [Series("a", ((1, 1.0), (2, hole), (3, 0.5)))], "step")
    assert with_hole == line_chart("Loss", [Series("a", ((1, 1.0), (3, 0.5)))], "step")
    assert read_page(with_hole).faults == []


def test_a_curve_without_any_number_is_no_chart() -> None:
    assert line_chart("Loss", [Series("a", ((1, math.nan), (2, math.inf)))], "step") == ""
    assert line_chart("Loss", [], "step") == ""


def test_a_series_without_numbers_leaves_the_others_and_their_names() -> None:
    shown = read_page(
        line_chart("Loss", [Series("gone", ((1, math.nan),)), Series("here", ((1, 1.0),))], "step")
    )
    assert len(_points(shown)) == 1
    assert "here" in shown.texts_in("text")
    assert "gone" not in shown.texts_in("text")


def test_few_readings_are_dots_too_and_many_are_not() -> None:
    few = Series("a", tuple((float(step), 1.0 / (1 + step)) for step in range(5)))
    many = Series("a", tuple((float(step), 1.0 / (1 + step)) for step in range(60)))
    assert len(read_page(line_chart("", [few], "")).named("circle")) == 5
    assert len(read_page(line_chart("", [many], "")).named("circle")) == 0


def test_lines_differ_in_colour_and_the_legend_has_the_same() -> None:
    shown = read_page(
        line_chart("", [Series("a", ((1, 1.0), (2, 2.0))), Series("b", ((1, 2.0), (2, 1.0)))], "")
    )
    strokes = [line["stroke"] for line in shown.named("polyline")]
    assert len(set(strokes)) == 2
    assert [box["fill"] for box in shown.named("rect")] == strokes


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.tuples(STEPS, READING), max_size=8), min_size=1, max_size=4))
def test_every_line_stays_inside_its_picture(lines: list[list[tuple[float, float]]]) -> None:
    html = line_chart("t", [Series("s", tuple(points)) for points in lines], "step")
    if all(not math.isfinite(value) for points in lines for _, value in points):
        assert html == ""
        return
    shown = read_page(html)
    width, height = _view_box(shown)
    assert not re.search(r"nan|inf", html)
    for points in _points(shown):
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_in_place(low: float, span: float) -> None:
    shown = read_page(line_chart("t", [Series("s", ((0, low), (1, low + span)))], "x"))
    lines = [float(line["y1"]) for line in shown.named("line")]
    assert 2 <= len(lines) <= 7
    assert lines == sorted(lines, reverse=True)
    gaps = [high - low for low, high in zip(lines[1:], lines, strict=False)]
    assert max(gaps) - min(gaps) <= 0.21  # coordinates are rounded to a tenth


def test_a_dot_lies_between_its_limits_on_the_common_scale() -> None:
    rows = [Interval("low", 0.6, 0.55, 0.65), Interval("high", 0.8, 0.7, 0.9)]
    shown = read_page(interval_chart("Accuracy", rows, "accuracy"))
    dots = [float(dot["cx"]) for dot in shown.named("circle")]
    whiskers = [
        (float(line["x1"]), float(line["x2"])) for line in shown.named("line") if "stroke" in line
    ]
    assert [low < dot < high for (low, high), dot in zip(whiskers, dots, strict=True)] == [True] * 2
    assert whiskers[0][1] < whiskers[1][0]
    assert (whiskers[1][1] - whiskers[1][0]) == pytest.approx(
        2 * (whiskers[0][1] - whiskers[0][0]), abs=0.31
    )


def test_the_reference_is_a_dashed_line_with_its_name() -> None:
    rows = [Interval("head", 0.8, 0.75, 0.85)]
    shown = read_page(interval_chart("Accuracy", rows, "accuracy", ("always the top class", 0.5)))
    dashed = [line for line in shown.named("line") if "stroke-dasharray" in line]
    assert len(dashed) == 1
    assert float(dashed[0]["x1"]) < float(shown.named("circle")[0]["cx"])
    assert "always the top class" in shown.texts_in("text")
    assert "stroke-dasharray" not in interval_chart("Accuracy", rows, "accuracy")


def test_a_perfect_score_is_drawn_inside() -> None:
    shown = read_page(interval_chart("Accuracy", [Interval("head", 1.0, 1.0, 1.0)], "accuracy"))
    assert 0 < float(shown.named("circle")[0]["cx"]) <= _view_box(shown)[0]


@pytest.mark.parametrize("width", [350, 640])
def test_a_chart_of_intervals_has_two_ticks_at_least(width: int) -> None:
    rows = [Interval("a", 0.92, 0.89, 0.95), Interval("b", 0.85, 0.81, 0.89)]
    shown = read_page(interval_chart("t", rows, "entity-F1", None, width))
    numbers = [text for text in shown.texts_in("text") if text[0].isdigit()]
    assert len(numbers) >= 2
    assert "entity-F1" in shown.texts_in("text")


def test_nothing_to_compare_is_no_chart() -> None:
    assert interval_chart("Accuracy", [], "accuracy", ("top", 0.5)) == ""
    assert pair_chart("Cost", [], ("predicted", "actual")) == ""


def test_bars_are_as_long_as_their_values() -> None:
    shown = read_page(
        pair_chart("Cost", [("a", 10.0, 20.0, ""), ("b", 40.0, 5.0, "")], ("predicted", "actual"))
    )
    widths = [float(bar["width"]) for bar in shown.named("rect")[2:]]  # two are the legend's
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.21)
    assert widths[2] == pytest.approx(4 * widths[0], abs=0.41)
    assert widths[3] == pytest.approx(widths[0] / 2, abs=0.11)


def test_what_was_not_predicted_has_no_bar() -> None:
    shown = read_page(pair_chart("Cost", [("a", None, 3.0, "3 s")], ("predicted", "actual")))
    assert len(shown.named("rect")) == 3
    assert "3 s" in shown.texts_in("text")


def test_a_cost_of_nothing_still_shows() -> None:
    shown = read_page(pair_chart("Cost", [("a", 0.0, 0.0, "0 s")], ("predicted", "actual")))
    assert [float(bar["width"]) for bar in shown.named("rect")[2:]] == [1.0, 1.0]


@pytest.mark.parametrize(
    "chart",
    [
        lambda name: interval_chart("t", [Interval(name, 0.5, 0.4, 0.6)], "x"),
        lambda name: pair_chart("t", [(name, 1.0, 2.0, "")], ("predicted", "actual")),
    ],
)
def test_a_long_name_is_shortened_beside_its_row(chart: Callable[[str], str]) -> None:
    fits, too_long = "a name of 20 letters", "a name that is " + "very " * 10 + "long"
    assert fits in read_page(chart(fits)).texts_in("text")
    shown = read_page(chart(too_long)).texts_in("text")
    assert too_long not in shown
    [cut] = [text for text in shown if text.startswith("a name")]
    assert cut.endswith("…")
    assert too_long.startswith(cut.removesuffix("…"))


@pytest.mark.parametrize(
    "chart",
    [
        lambda title: interval_chart(title, [Interval("a", 0.5, 0.4, 0.6)], "x"),
        lambda title: pair_chart(title, [("a", 1.0, 2.0, "")], ("predicted", "actual")),
        lambda title: line_chart(title, [Series("a", ((1, 1.0),))], "step"),
    ],
)
def test_a_chart_is_titled_for_those_who_do_not_see_it(chart: Callable[[str], str]) -> None:
    title = 'Loss of "a" <b> & c'
    shown = read_page(chart(title))
    assert shown.texts_in("title") == [title]
    assert shown.named("svg")[0]["aria-label"] == title
    assert shown.named("svg")[0]["role"] == "img"
    assert shown.named("b") == []
