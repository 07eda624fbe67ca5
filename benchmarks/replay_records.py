"""The lines of the replay as values, and what can be asked of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from decision_scores import Right, right_of

from zenml_ftvr.values import Kind

__all__ = ["Problem", "Trained", "read_problems"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """One training that was run to its end."""

    kind: Kind
    n_train: int
    seed: int
    cpu_seconds: float
    """Of the training, features of its rows and first seeds that collapsed among them."""
    judging_seconds: float
    """Of answering the select rows."""
    select_score: float
    n_select: int
    test_right: Right | None
    """None of small trainings."""
    failed: bool
    """Whether it gave every row one class."""
    features_seconds: float
    steps: int
    """0 of what is solved."""

    @property
    def pilot_seconds(self) -> float:
        """As a pilot takes them: judged, and features counted once for all."""
        return self.cpu_seconds - self.features_seconds + self.judging_seconds

    @property
    def test_score(self) -> float:
        if self.test_right is None:
            raise SystemExit(f"{self.kind} on {self.n_train} rows was not tested.")
        return float(self.test_right.mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """All trainings of one problem."""

    name: str
    runs: dict[tuple[Kind, int, int], Trained] = field(default_factory=dict)
    """By kind, rows and seed."""
    screens: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    """By rows and seed: what was known before any pilot."""
    errors: list[str] = field(default_factory=list)

    @property
    def data(self) -> str:
        """The data set that its rows are of."""
        return self.name.partition(":")[0]

    @property
    def kinds(self) -> list[Kind]:
        return sorted({kind for kind, _, _ in self.runs})

    @property
    def sizes(self) -> list[int]:
        return sorted({n for _, n, _ in self.runs})

    def seeds(self, kind: Kind, n_train: int) -> list[int]:
        return sorted(seed for one, n, seed in self.runs if (one, n) == (kind, n_train))

    def of(self, kind: Kind, n_train: int) -> list[Trained]:
        """The trainings of an arm at a size, by seed."""
        return [self.runs[kind, n_train, seed] for seed in self.seeds(kind, n_train)]


def read_problems(paths: Sequence[Path]) -> list[Problem]:
    """Every problem of the files, in the order of their first lines; failed runs are counted."""
    found: dict[str, Problem] = {}
    for line in _lines(paths):
        key = line["key"]
        problem = found.setdefault(key["problem"], Problem(name=key["problem"]))
        place = key["n_train"], key["seed"]
        if "error" in line:
            problem.errors.append(f"{key['kind']} on {place[0]}: {line['error']}")
        elif key["kind"] == "screen":
            problem.screens[place] = line
        else:
            problem.runs[key["kind"], *place] = _trained(line)
    return list(found.values())


def _lines(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        if path.exists():
            yield from map(json.loads, path.read_text().splitlines())


def _trained(line: dict[str, Any]) -> Trained:
    key, n_select = line["key"], line["n_select"]
    right = None
    if "test_right" in line:
        right = right_of(line["test_right"], line["n_test"])
    return Trained(
        kind=key["kind"],
        n_train=key["n_train"],
        seed=key["seed"],
        cpu_seconds=line["cpu_seconds"],
        judging_seconds=n_select * line.get("predict_cpu_seconds_per_row", 0.0),
        select_score=line["select_accuracy"],
        n_select=n_select,
        test_right=right,
        failed=line["one_answer"],
        features_seconds=line.get("features_cpu_seconds", 0.0),
        steps=line.get("steps", 0),
    )
