"""Pieces of output become lines."""

from __future__ import annotations

import pytest

from zenml_ftvr.supervise import WholeLines


def test_pieces_of_one_print_become_one_line() -> None:
    lines = WholeLines()
    assert [lines.feed(piece) for piece in ("loss", " ", "0.5", "\n")] == [[], [], [], ["loss 0.5"]]


def test_several_lines_in_one_piece_come_one_by_one_and_empty_ones_do_not() -> None:
    assert WholeLines().feed("one\n\n  \ntwo\nthr") == ["one", "two"]


def test_a_line_without_an_end_comes_last() -> None:
    lines = WholeLines()
    assert lines.feed("no end") == []
    assert lines.flush() == ["no end"]
    assert lines.flush() == []


def test_windows_line_ends_are_line_ends() -> None:
    assert WholeLines().feed("one\r\ntwo\r\n") == ["one", "two"]


def test_a_bar_that_is_drawn_over_itself_is_shown_now_and_then_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr("zenml_ftvr.supervise.lines.time.monotonic", lambda: clock[0])
    lines = WholeLines()
    shown = []
    for step in range(1, 101):
        clock[0] += 0.1
        shown += lines.feed(f"\r{step} of 100")
    shown += lines.feed("\n")
    assert len(shown) == pytest.approx(6, abs=1)  # ten seconds, one every two, and the last
    assert shown[-1] == "100 of 100"
    assert all(line.endswith("of 100") and "\r" not in line for line in shown)
