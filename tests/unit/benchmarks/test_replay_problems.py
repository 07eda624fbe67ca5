"""Rows of the replay: held apart, and subsets that hold each other."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def problems(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, which is no part of the package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("replay_problems")


def labelled(n: int) -> list[tuple[str, str]]:
    """Texts of three classes, one of them rare."""
    return [(f"text number {i}", "rare" if i % 20 == 0 else "ab"[i % 2]) for i in range(n)]


def test_no_row_is_for_two_things(problems: Any) -> None:
    problem = problems.parts_of("some", "some", labelled(1_000))
    parts = (problem.tune, problem.select, problem.test, problem.pool)
    assert sum(map(len, parts)) == len(set().union(*parts)) == 1_000


def test_every_part_has_its_share_of_a_rare_class(problems: Any) -> None:
    problem = problems.parts_of("some", "some", labelled(1_000))
    for part in (problem.tune, problem.select, problem.test, problem.pool):
        share = Counter(label for _, label in part)["rare"] / len(part)
        assert share == pytest.approx(0.05, abs=0.02)


def test_the_order_of_the_file_changes_nothing(problems: Any) -> None:
    pairs = labelled(400)
    forwards = problems.parts_of("some", "some", pairs)
    assert problems.parts_of("some", "some", pairs[::-1]).fingerprint == forwards.fingerprint


def test_equal_texts_count_once_and_contradictory_ones_not_at_all(problems: Any) -> None:
    pairs = [*labelled(400), ("Text  NUMBER 1", "b"), ("text number 2", "b")]
    problem = problems.parts_of("some", "some", pairs)
    texts = {text for text, _ in (*problem.tune, *problem.select, *problem.test, *problem.pool)}
    assert len(texts) == 399  # without number 2, which is of class a in the first place
    assert "text number 2" not in texts


@pytest.mark.parametrize("seed", [0, 1])
def test_a_larger_subset_holds_every_smaller_one(problems: Any, seed: int) -> None:
    problem = problems.parts_of("some", "some", labelled(1_000))
    for small, large in ((25, 50), (50, 100), (100, 200)):
        subset = problem.subset(large, seed)
        assert subset[:small] == problem.subset(small, seed)
        assert set(subset) <= set(problem.pool)


def test_the_smallest_subset_has_two_of_each_class(problems: Any) -> None:
    problem = problems.parts_of("some", "some", labelled(1_000))
    counts = Counter(label for _, label in problem.subset(6, seed=3))
    assert counts == {"a": 2, "b": 2, "rare": 2}


def test_seeds_draw_other_subsets(problems: Any) -> None:
    problem = problems.parts_of("some", "some", labelled(1_000))
    assert set(problem.subset(50, 0)) != set(problem.subset(50, 1))


def test_a_subset_can_be_trained_on(problems: Any) -> None:
    problem = problems.parts_of("some", "some", labelled(1_000))
    dataset = problem.dataset(40, seed=0)
    assert (len(dataset.train), len(dataset.test)) == (40, len(problem.select))
    assert dataset.labels == problem.labels == ("a", "b", "rare")


def test_classes_in_pairs_and_halves_are_problems(problems: Any) -> None:
    found = list(problems.class_subsets("some", labelled(1_000)))
    assert [one.labels for one in found[:3]] == [("a", "b"), ("a", "rare"), ("b", "rare")]
    assert {one.data for one in found} == {"some"}
