"""Do 95 % intervals hold the truth in 93 to 97 of 100 cases? On answers whose truth is known.

    python benchmarks/intervals.py   # benchmarks/results/intervals.json, a few minutes of one core

Each case draws test rows a thousand times from a model whose true score is known, asks the code of
`zenml_ftvr.evaluate` for its interval, and counts how often the truth is in it. Groups are also
taken for independent rows once, to show what that would claim. Tests of two equally good models are
counted by how often they call the difference significant at 5 %.
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zenml_ftvr.evaluate import intervals
from zenml_ftvr.evaluate.approaches import approach_scores, compare_approaches
from zenml_ftvr.evaluate.groups import Groups, groups_of
from zenml_ftvr.evaluate.significance import compare_pairs, mcnemar_exact
from zenml_ftvr.hardware import detect, installed_versions
from zenml_ftvr.tasks import Answers, ClassAnswers, score
from zenml_ftvr.tasks.answers import LanguageAnswers, NumberAnswers, SetAnswers, TagAnswers
from zenml_ftvr.values import Metric

RESULT = Path(__file__).parent / "results" / "intervals.json"
DRAWS = 1_000
ROWS = 300
MANY_ROWS = 400_000  # whose score stands for the truth: its own error is a fortieth of an interval
SEED = 20261124
SHARES = np.array([0.5, 0.3, 0.2])  # of the classes

Make = Callable[[np.random.Generator, int], Answers]


def classes(rng: np.random.Generator, n_rows: int) -> ClassAnswers:
    """Three classes of unequal size, logits that favour the truth."""
    truth = rng.choice(3, n_rows, p=SHARES)
    return ClassAnswers(truth, np.eye(3)[truth] * 1.6 + rng.normal(0, 1, (n_rows, 3)))


def sets(rng: np.random.Generator, n_rows: int) -> SetAnswers:
    truth = (rng.random((n_rows, 4)) < [0.5, 0.3, 0.2, 0.2]).astype(np.int64)
    return SetAnswers(truth, (truth - 0.5) * 2 + rng.normal(0, 1, truth.shape))


def numbers(rng: np.random.Generator, n_rows: int) -> NumberAnswers:
    truth = rng.normal(0, 2, n_rows)
    return NumberAnswers(truth, truth + rng.normal(0, 1, n_rows))


def language(rng: np.random.Generator, n_rows: int) -> LanguageAnswers:
    """Documents of very unequal length, each of its own difficulty."""
    n_tokens = np.rint(rng.lognormal(4, 0.6, n_rows)) + 1
    hard = rng.normal(3, 0.4, n_rows)
    hits = rng.binomial(n_tokens.astype(int), 0.4).astype(float)
    return LanguageAnswers(hard * n_tokens, n_tokens, n_tokens * 4.2, hits)


def tags(rng: np.random.Generator, n_rows: int) -> TagAnswers:
    truth, said = [], []
    for _ in range(n_rows):
        row = np.where(rng.random(8) < 0.2, "B-NAME", "O")
        wrong = rng.random(8) < 0.08
        truth.append(row.tolist())
        said.append(np.where(wrong, np.where(row == "O", "B-NAME", "O"), row).tolist())
    return TagAnswers(truth, said)


CASES: dict[str, tuple[Make, tuple[Metric, ...], int]] = {
    "one of three classes": (classes, ("accuracy", "macro_f1", "mcc", "roc_auc"), MANY_ROWS),
    "sets of labels": (sets, ("micro_f1", "macro_f1", "subset_accuracy"), MANY_ROWS),
    "numbers": (numbers, ("rmse", "r2"), MANY_ROWS),
    "language": (language, ("bits_per_byte", "perplexity", "token_accuracy"), MANY_ROWS),
    "tags": (tags, ("entity_f1", "token_accuracy"), 40_000),
}


def draw_once() -> None:
    """Equal arguments give equal draws of rows: they are made once, not a thousand times."""
    original = intervals.draws_of_rows
    kept: dict[tuple[int, int, int], list[Any]] = {}

    def again(n_rows: int, seed: int, groups: Groups | None = None) -> Iterator[Any]:
        key = n_rows, seed, 0 if groups is None else groups.n
        if key not in kept:
            kept[key] = list(original(n_rows, seed, groups))
        yield from kept[key]

    intervals.draws_of_rows = again


def of_scores(make: Make, metrics: Sequence[Metric], n_truth: int) -> dict[str, float]:
    """The share of draws in which each metric's interval holds the truth."""
    rng = np.random.default_rng(SEED)
    many = make(rng, n_truth)
    truth = {metric: score(many, metric) for metric in metrics}
    held = dict.fromkeys(metrics, 0)
    for _ in range(DRAWS):
        for one in intervals.scores_with_intervals(make(rng, ROWS), metrics, 0):
            held[one.metric] += one.low <= truth[one.metric] <= one.high
    return {metric: count / DRAWS for metric, count in held.items()}


def of_differences() -> dict[str, float]:
    """Two models that share most of their mistakes; the second is five points behind."""
    rng = np.random.default_rng(SEED)

    def pair(n_rows: int) -> list[ClassAnswers]:
        truth = rng.choice(3, n_rows, p=SHARES)
        hard = rng.random(n_rows)
        return [
            ClassAnswers(
                truth,
                np.eye(3)[np.where(hard + rng.normal(0, 0.1, n_rows) < at, truth, (truth + 1) % 3)],
            )
            for at in (0.80, 0.75)
        ]

    metrics: tuple[Metric, ...] = ("accuracy", "macro_f1")
    first, second = pair(MANY_ROWS)
    truth = {metric: score(first, metric) - score(second, metric) for metric in metrics}
    held = dict.fromkeys(metrics, 0)
    for _ in range(DRAWS):
        first, second = pair(ROWS)
        for one in intervals.paired_difference(("full", first), ("head", second), metrics, 0):
            held[one.metric] += one.low <= truth[one.metric] <= one.high
    return {metric: count / DRAWS for metric, count in held.items()}


def of_groups(n_groups: int, size: int) -> dict[str, float]:
    """Rows of one group are right or wrong much alike; drawn as groups, and as if they were not."""
    rng = np.random.default_rng(SEED)
    names = [str(place) for place in np.repeat(np.arange(n_groups), size)]
    groups = groups_of(names, "groups")
    held = {"drawn as groups": 0, "taken for independent": 0}
    for _ in range(DRAWS):
        skill = np.repeat(rng.beta(4, 1, n_groups), size)  # its mean, 0.8, is the truth
        wrong = (rng.random(n_groups * size) >= skill).astype(int)
        answers = ClassAnswers(np.zeros(n_groups * size, dtype=np.int64), np.eye(2)[wrong])
        for name, of in (("drawn as groups", groups), ("taken for independent", None)):
            (one,) = intervals.scores_with_intervals(answers, ("accuracy",), 0, of)
            held[name] += one.low <= 0.8 <= one.high
    return {name: count / DRAWS for name, count in held.items()}


def of_approaches(n_seeds: int) -> dict[str, float]:
    """Models of two approaches, whose skills vary by seed, and which share hard rows."""
    rng = np.random.default_rng(SEED)
    held = 0
    for _ in range(DRAWS):
        truth = rng.integers(0, 2, ROWS)
        shared = rng.random(ROWS)
        pair = []
        for kind, mean in (("full", 0.85), ("head", 0.80)):
            models = []
            for skill in np.clip(rng.normal(mean, 0.02, n_seeds), 0, 1):
                own = rng.random(ROWS) < 0.5  # of half of the rows each model has its own luck
                right = np.where(own, rng.random(ROWS), shared) < skill
                models.append(ClassAnswers(truth, np.eye(2)[np.where(right, truth, 1 - truth)]))
            pair.append(approach_scores(kind, models, ["accuracy"], 0)["accuracy"])
        (one,) = compare_approaches([(pair[0], pair[1])])
        held += one.low <= 0.05 <= one.high
    return {"accuracy": held / DRAWS}


def of_tests() -> dict[str, float]:
    """How often two equally good models are told apart at 5 %, not corrected."""
    rng = np.random.default_rng(SEED)
    alarms = {"McNemar, mid-p": 0, "McNemar, exact": 0, "paired bootstrap": 0}
    for _ in range(DRAWS):
        truth = rng.choice(3, ROWS, p=SHARES)
        pair = [
            (
                kind,
                ClassAnswers(
                    truth, np.eye(3)[np.where(rng.random(ROWS) < 0.8, truth, (truth + 1) % 3)]
                ),
            )
            for kind in ("full", "head")
        ]
        for test in compare_pairs(pair, "macro_f1", 0):
            alarms[test.test] += test.p_value < 0.05
            if test.only_first_right is not None and test.only_second_right is not None:
                exact = mcnemar_exact(test.only_first_right, test.only_second_right)
                alarms["McNemar, exact"] += exact < 0.05
    return {name: count / DRAWS for name, count in alarms.items()}


def main() -> None:
    draw_once()
    started = time.monotonic()
    coverage: dict[str, dict[str, float]] = {}
    for name, (make, metrics, n_truth) in CASES.items():
        coverage[name] = of_scores(make, metrics, n_truth)
        print(name, coverage[name], flush=True)
    coverage["differences of two models"] = of_differences()
    coverage["100 groups of 4 rows"] = of_groups(100, 4)
    coverage["30 groups of 10 rows"] = of_groups(30, 10)
    for n_seeds in (2, 3, 5):
        coverage[f"two approaches, {n_seeds} seeds each"] = of_approaches(n_seeds)
    for name in list(coverage)[len(CASES) :]:
        print(name, coverage[name], flush=True)
    alarms = of_tests()
    print("false alarms at 5 %", alarms, flush=True)
    hardware = detect(None)
    result = {
        "date": datetime.date.today().isoformat(),
        "draws": DRAWS,
        "rows": ROWS,
        "level": intervals.LEVEL,
        "seconds": round(time.monotonic() - started, 1),
        "device": hardware.device_name,
        "versions": installed_versions(),
        "coverage": coverage,
        "false_alarms_at_5_percent": alarms,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
