"""Charts of pilots, the map, reliability and Pareto: whatever the numbers, inside the picture."""

from __future__ import annotations

import math
import re

import hand_made_findings as findings
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shown_page import Page, read_page

from zenml_ftvr.report.charts import (
    Growth,
    Place,
    ReliabilityPoint,
    growth_chart,
    interval_chart,
    map_chart,
    pareto_chart,
    reliability_chart,
)
from zenml_ftvr.report.charts.frame import NARROW, WIDE, Scale, text_width
from zenml_ftvr.values import KINDS, DecisionMap, Kind

NUMBER = st.floats(0, 1) | st.just(math.nan) | st.just(math.inf)
SIZE = st.floats(1, 1e9)
KIND = st.sampled_from(KINDS)
WIDTH = st.sampled_from([WIDE, NARROW])


def assert_inside(svg: str, width: int) -> Page:
    """Nothing is drawn, and no word begins or ends, outside the picture."""
    assert not re.search(r"nan|inf\b", re.sub(r"<title>.*?</title>|aria-label=\"[^\"]*\"", "", svg))
    shown = read_page(svg)
    assert shown.faults == []
    height = float(shown.named("svg")[0]["viewbox"].split()[3])
    for name, limit in (("x", width), ("y", height), ("cx", width), ("cy", height)):
        for _, attributes in shown.tags:
            if name in attributes:
                assert -0.1 <= float(attributes[name]) <= limit + 0.1, attributes
    texts = [text for tag, text in shown.texts if tag == "text"]
    for words, attributes in zip(texts, shown.named("text"), strict=True):
        assert _fits(words, float(attributes["x"]), attributes["text-anchor"], width), words
    return shown


def _fits(words: str, x: float, anchor: str, width: int) -> bool:
    room = 0.85 * text_width(words)  # which is the most that it can be
    left = {"start": x, "middle": x - room / 2, "end": x - room}[anchor]
    return left >= -1 and left + room <= width + 1


@st.composite
def arms(draw: st.DrawFn) -> list[Growth]:
    kinds = draw(st.lists(KIND, unique=True, max_size=7))
    return [
        Growth(
            kind=kind,
            name=kind,
            line=tuple(draw(st.lists(st.tuples(SIZE, NUMBER, NUMBER, NUMBER), max_size=5))),
            pilots=tuple(draw(st.lists(st.tuples(SIZE, NUMBER), max_size=4))),
            supported_to=draw(SIZE),
        )
        for kind in kinds
    ]


@settings(max_examples=60, deadline=None)
@given(arms(), st.integers(1, 10**9), WIDTH)
def test_learning_curves_stay_inside(arms: list[Growth], today: int, width: int) -> None:
    svg = growth_chart("t", arms, today, width)
    if svg:
        assert_inside(svg, width)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 10**7), min_size=1, max_size=6, unique=True).map(sorted),
    st.lists(st.floats(1e-4, 1e4), min_size=1, max_size=6, unique=True).map(sorted),
    st.integers(1, 10**8),
    st.floats(1e-5, 1e5),
    st.data(),
    WIDTH,
)
def test_a_map_stays_inside(
    sizes: list[int], hours: list[float], n_train: int, own: float, data: st.DataObject, width: int
) -> None:
    row = st.lists(KIND | st.none(), min_size=len(sizes), max_size=len(sizes))
    found = DecisionMap(
        n_train=tuple(sizes),
        hours=tuple(hours),
        winners=tuple(tuple(data.draw(row)) for _ in hours),
        supported_to=data.draw(st.none() | st.floats(1, 1e9)),
    )
    shown = assert_inside(map_chart("t", found, (n_train, own), width), width)
    rings = [one for one in shown.named("circle") if one["r"] == "6.5"]
    assert len(rings) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.builds(ReliabilityPoint, NUMBER, NUMBER, st.integers(0, 10**6)), max_size=12),
    WIDTH,
)
def test_a_reliability_diagram_stays_inside(points: list[ReliabilityPoint], width: int) -> None:
    svg = reliability_chart("t", [("as trained", points), ("scaled", points[:3])], width)
    if svg:
        assert_inside(svg, width)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Place,
            kind=KIND,
            name=st.sampled_from(["Full fine-tuning", "LoRA, merged", "Head only"]),
            quality=NUMBER,
            milliseconds=st.floats(1e-3, 1e6),
            n_bytes=st.integers(1, 10**12),
            is_dominated=st.booleans(),
        ),
        max_size=8,
    ),
    WIDTH,
)
def test_a_pareto_picture_stays_inside(places: list[Place], width: int) -> None:
    svg = pareto_chart("t", places, ("Accuracy", "ms"), width=width)
    if svg:
        assert_inside(svg, width)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_names_in_the_pareto_picture_do_not_overlap(width: int) -> None:
    points = findings.comparison().pareto
    places = [
        Place(
            kind=one.kind,
            name=one.kind,
            quality=one.quality,
            milliseconds=one.p50_ms,
            n_bytes=one.disk_bytes,
            is_dominated=False,
        )
        for one in points
    ]
    shown = read_page(pareto_chart("t", places, ("Accuracy", "ms"), width=width))
    boxes = [
        (float(one["x"]), float(one["y"]), text_width(words))
        for words, one in zip(shown.texts_in("text"), shown.named("text"), strict=True)
        if "MB" in words
    ]
    assert len(boxes) == len(points)
    for index, (left, base, room) in enumerate(boxes):
        for other_left, other_base, other_room in boxes[index + 1 :]:
            apart = left + room <= other_left or other_left + other_room <= left
            assert apart or abs(base - other_base) >= 14


def test_names_in_the_pareto_picture_stay_off_the_numbers_of_its_axis() -> None:
    measured: list[tuple[Kind, str, float, float, int]] = [
        ("baseline", "Baseline", 0.818, 0.408, 1_000_000),
        ("full", "Full fine-tuning", 0.779, 0.63, 100_000),
        ("scratch", "From scratch", 0.763, 0.801, 1_800_000),
    ]
    places = [
        Place(
            kind=kind,
            name=name,
            quality=quality,
            milliseconds=ms,
            n_bytes=n_bytes,
            is_dominated=False,
        )
        for kind, name, quality, ms, n_bytes in measured
    ]
    shown = read_page(pareto_chart("t", places, ("R2", "ms"), width=NARROW))
    texts = list(zip(shown.texts_in("text"), shown.named("text"), strict=True))
    numbers = [
        one for words, one in texts if words.startswith("0.") and one["text-anchor"] == "end"
    ]
    names = [one for words, one in texts if "MB" in words]
    assert len(numbers) >= 3
    assert len(names) == 3
    for name in names:
        for number in numbers:
            beside = float(name["x"]) >= float(number["x"])
            assert beside or abs(float(name["y"]) - float(number["y"])) >= 12


def test_the_area_of_a_circle_is_the_size_on_disk() -> None:
    def place(kind: Kind, n_bytes: int) -> Place:
        return Place(
            kind=kind,
            name=kind,
            quality=0.5,
            milliseconds=10.0,
            n_bytes=n_bytes,
            is_dominated=False,
        )

    large, small = read_page(
        pareto_chart("t", [place("full", 400), place("head", 100)], ("Accuracy", "ms"))
    ).named("circle")
    assert float(large["r"]) == 2 * float(small["r"])


def test_what_is_worse_in_nothing_is_filled_and_the_rest_is_not() -> None:
    def place(kind: Kind, is_dominated: bool) -> Place:
        return Place(
            kind=kind,
            name=kind,
            quality=0.5,
            milliseconds=10.0,
            n_bytes=9,
            is_dominated=is_dominated,
        )

    best, beaten = read_page(
        pareto_chart("t", [place("head", False), place("full", True)], ("Accuracy", "ms"))
    ).named("circle")
    assert best["fill"] == "var(--head)"
    assert beaten["fill"] == "none"


def test_neighbouring_cells_of_one_winner_are_one_box() -> None:
    found = DecisionMap(
        n_train=(100, 1_000, 10_000),
        hours=(0.1, 1.0),
        winners=(("head", "head", "full"), ("head", "full", "full")),
        supported_to=None,
    )
    shown = read_page(map_chart("t", found, (500, 0.5)))
    cells = [one for one in shown.named("rect") if one.get("shape-rendering") == "crispEdges"]
    assert ["--head" in one["fill"] for one in cells] == [True, False, True, False]
    widths = [float(one["width"]) for one in cells]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)
    assert float(cells[0]["y"]) > float(cells[2]["y"])  # a small budget is below a large one


@settings(deadline=None)
@given(st.floats(1e-6, 1e9), st.floats(1.01, 1e6), st.integers(2, 9))
def test_ticks_of_a_logarithmic_axis_are_few_and_inside(
    low: float, factor: float, wanted: int
) -> None:
    scale = Scale(low=low, high=low * factor, start=0, end=100, kind="log")
    ticks = scale.ticks(wanted)
    assert 1 <= len(ticks) <= max(2, wanted)
    assert all(low * 0.99 <= tick <= low * factor * 1.01 for tick in ticks)
    assert [scale(tick) for tick in ticks] == sorted(scale(tick) for tick in ticks)


def test_a_chart_of_intervals_reaches_below_zero() -> None:
    from zenml_ftvr.report.charts import Interval

    svg = interval_chart("R2", [Interval("Head only", -0.2, -0.35, -0.05)], "R2")
    assert_inside(svg, WIDE)
    [dot] = read_page(svg).named("circle")
    [line] = [one for one in read_page(svg).named("line") if "stroke" in one]
    assert float(line["x1"]) < float(dot["cx"]) < float(line["x2"])
