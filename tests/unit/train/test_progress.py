"""Lines that say what is going on."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenml_ftvr.train import print_progress, progress
from zenml_ftvr.train.progress import bar


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the time that progress lines see."""
    now = [100.0]

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now[0]

    monkeypatch.setattr(progress, "time", Clock)

    def forward(seconds: float) -> None:
        now[0] += seconds

    return forward


def test_a_bar_says_how_far_how_long_and_how_long_still() -> None:
    assert bar("training full", 25, 100, 65.0, "loss 0.123") == (
        "training full          [######                  ] 25/100  1:05, about 3:15 left  "
        "loss 0.123"
    )


def test_a_finished_bar_has_nothing_left() -> None:
    assert bar("calibrating", 5, 5, 59.6) == f"{'calibrating':<22} [{'#' * 24}] 5/5  1:00"


def test_an_empty_bar_promises_nothing() -> None:
    assert bar("calibrating", 0, 5, 3.0) == f"{'calibrating':<22} [{' ' * 24}] 0/5  0:03"
    assert bar("features", 0, 0, 0.0).endswith("0/0  0:00")


@given(done=st.integers(0, 10**6), more=st.integers(0, 10**6), seconds=st.floats(0, 10**6))
def test_every_bar_has_its_24_places(done: int, more: int, seconds: float) -> None:
    found = re.search(r"\[(#*)( *)\]", bar("x", done, done + more, seconds))
    assert found is not None
    assert len(found[1]) + len(found[2]) == 24


def test_lines_come_whole_every_two_seconds_and_at_the_end(
    clock: Callable[[float], None],
) -> None:
    lines: list[str] = []
    show = print_progress(lines.append)
    show("training full", 0, 10)
    for done in range(1, 11):
        clock(0.9)
        show("training full", done, 10)
    counts = [line.split("]")[1].split()[0] for line in lines]
    assert counts == ["3/10", "6/10", "9/10", "10/10"]
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    assert "0:09" in lines[-1]


def test_two_pieces_of_work_have_clocks_of_their_own(clock: Callable[[float], None]) -> None:
    lines: list[str] = []
    show = print_progress(lines.append)
    show("first", 0, 2)
    clock(50)
    show("second", 0, 2)
    clock(10)
    show("first", 2, 2)
    show("second", 2, 2)
    assert ["1:00" in lines[0], "0:10" in lines[1]] == [True, True]


def test_work_that_is_done_again_starts_its_clock_again(clock: Callable[[float], None]) -> None:
    lines: list[str] = []
    show = print_progress(lines.append)
    for _ in range(2):
        show("features, train", 0, 1)
        clock(7)
        show("features, train", 1, 1)
    assert [line.split()[-1] for line in lines] == ["0:07", "0:07"]


def test_lines_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    print_progress()("calibrating", 5, 5)
    assert capsys.readouterr().out == bar("calibrating", 5, 5, 0) + "\n"
