"""Do the intervals of the learning curves hold what they say? On curves whose truth is known.

    python benchmarks/curves.py   # benchmarks/results/curves.json, about two minutes of one core

Synthetic: random curves of six families, of which only one (mmf4) is among the fitted forms and one
does not rise throughout; pilots of three to five doubling sizes with one to three seeds. The more
rows, the less do scores vary over seeds, by a power of its own for each problem; how far, is
estimated from the pilots. Real: classifiers of scikit-learn on its handwritten digits.
Coverage is of the interval of `forecast` by the score of one training that the fit has not seen.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zenml_ftvr.decide.curve import LEVEL, fit_curve, forecast
from zenml_ftvr.decide.seed_spread import pooled_seed_spread
from zenml_ftvr.hardware import detect, installed_versions
from zenml_ftvr.values import ArmPilots, PilotScore

RESULT = Path(__file__).parent / "results" / "curves.json"
TARGETS = (2, 4, 10)  # times the largest pilot
FAMILIES = ("pow4", "exp3", "wbl4", "mmf4", "flat", "peaking")
REAL_TARGETS = (2, 4)
SPREAD_EXPONENTS = (0.25, 0.65)
"""Of the rows, by which the spread over seeds falls: the least and most that an arm of a data set
has in results/replay*.jsonl. The package takes it for .5."""
DIGITS_TEST = 600  # of 1,797 rows; the others are trained on


def synthetic_score(family: str, rng: np.random.Generator, largest: float) -> Any:
    """A random curve of a family, as a function of rows; names as in LCDB."""
    top, chance = rng.uniform(0.6, 0.98), rng.uniform(0.1, 0.5)
    rise, exponent = top - chance, rng.uniform(0.2, 1.2)
    half = largest * 10 ** rng.uniform(-2, 0.7)  # where half of the rise, or e^-1 of it, is made
    match family:
        case "pow4":
            return lambda n: top - rise * (1 + n / half) ** -exponent
        case "exp3":
            return lambda n: top - rise * np.exp(-n / half)
        case "wbl4":
            return lambda n: top - rise * np.exp(-((n / half) ** exponent))
        case "mmf4":
            return lambda n: top - rise / (1 + (n / half) ** exponent)
        case "flat":
            return lambda n: top - 0.002 * np.log2(largest / n)
        case "peaking":
            at = largest * 10 ** rng.uniform(-1, 0.5)
            depth = rng.uniform(0.02, 0.08)
            return lambda n: (
                top
                - rise * (1 + n / half) ** -exponent
                - depth * np.exp(-((np.log(n / at) / 0.4) ** 2))
            )
    raise SystemExit(f"unknown family {family}")


def synthetic_problem(family: str, seed: int) -> Iterator[dict[str, Any]]:
    """One arm's pilots, and how its forecasts did at each target."""
    rng = np.random.default_rng([FAMILIES.index(family), seed])
    n_sizes, n_seeds = int(rng.integers(3, 6)), int(rng.integers(1, 4))
    largest = int(rng.choice([400, 800, 1600, 6400]))
    sd_of_largest = float(np.exp(rng.uniform(math.log(0.004), math.log(0.03))))
    falls_by = float(rng.uniform(*SPREAD_EXPONENTS))
    score = synthetic_score(family, rng, largest)

    def sd_at(n: float) -> float:
        return float(sd_of_largest * (largest / n) ** falls_by)

    pilots = ArmPilots(
        kind="full",
        scores=tuple(
            PilotScore(n_train=n, seed=one, score=noisy(score(n), sd_at(n), rng))
            for n in (largest // 2**back for back in range(n_sizes))
            for one in range(n_seeds)
        ),
    )
    curve = fit_curve(pilots, pooled_seed_spread([pilots]), seed)
    last = np.mean([one.score for one in pilots.scores if one.n_train == largest])
    for times in TARGETS:
        truth = float(np.clip(score(times * largest), 0, 1))
        yield {
            "times": times,
            "sizes": n_sizes,
            **judged(
                forecast(curve, times * largest),
                noisy(truth, sd_at(times * largest), rng),
                float(last),
            ),
            "error": abs(forecast(curve, times * largest).mean - truth),
            "last_value_error": abs(float(last) - truth),
        }


def noisy(score: float, seed_sd: float, rng: np.random.Generator) -> float:
    return float(np.clip(score + rng.normal(0, seed_sd), 0, 1))


def judged(predicted: Any, outcome: float, last: float) -> dict[str, Any]:
    """One outcome against its interval and against the last value."""
    return {
        "covered": predicted.low <= outcome <= predicted.high,
        "below": outcome < predicted.low,
        "width": predicted.high - predicted.low,
        "error": abs(predicted.mean - outcome),
        "last_value_error": abs(last - outcome),
    }


def digits_problems() -> Iterator[dict[str, Any]]:
    """Six classifiers on the digits: pilots to an eighth or a fourth, judged at 2 and 4 times."""
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    models: dict[str, Any] = {
        "forest": lambda seed: RandomForestClassifier(50, random_state=seed),
        "logistic": lambda _: LogisticRegression(max_iter=200),
        "bayes": lambda _: GaussianNB(),
        "neighbours": lambda _: KNeighborsClassifier(5),
        "svc": lambda _: SVC(),
        "tree": lambda seed: DecisionTreeClassifier(random_state=seed),
    }
    pixels, digits = load_digits(return_X_y=True)
    for name, make in models.items():
        for split in range(6):
            order = np.random.default_rng(split).permutation(len(digits))
            held, pool = order[:DIGITS_TEST], order[DIGITS_TEST:]

            def scored(n: int, seed: int, held=held, pool=pool, make=make) -> float:
                rows = np.random.default_rng([seed, 1]).permutation(pool)[:n]
                model = make(seed).fit(pixels[rows], digits[rows])
                return float(model.score(pixels[held], digits[held]))

            for largest in (140, 280):
                pilots = ArmPilots(
                    kind="full",
                    scores=tuple(
                        PilotScore(n_train=n, seed=seed, score=scored(n, seed))
                        for n in (largest // 4, largest // 2, largest)
                        for seed in range(2)
                    ),
                )
                last = float(np.mean([s.score for s in pilots.scores if s.n_train == largest]))
                curve = fit_curve(pilots, pooled_seed_spread([pilots]), split)
                for times in REAL_TARGETS:
                    yield {
                        "model": name,
                        "times": times,
                        **judged(
                            forecast(curve, times * largest), scored(times * largest, 99), last
                        ),
                    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "n": len(rows),
        "coverage": round(float(np.mean([row["covered"] for row in rows])), 3),
        "below": round(float(np.mean([row["below"] for row in rows])), 3),
        "mean_width": round(float(np.mean([row["width"] for row in rows])), 4),
        "mean_absolute_error": round(float(np.mean([row["error"] for row in rows])), 4),
        "last_value_error": round(float(np.mean([row["last_value_error"] for row in rows])), 4),
    }


def by(rows: list[dict[str, Any]], *names: str) -> dict[str, Any]:
    """Summaries of the rows that agree on `names`."""
    keys = sorted({tuple(row[name] for name in names) for row in rows})
    return {
        ", ".join(f"{name} {value}" for name, value in zip(names, key, strict=True)): summary(
            [row for row in rows if tuple(row[name] for name in names) == key]
        )
        for key in keys
    }


def main() -> None:
    """Simulate, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=60, help="of each synthetic family")
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()
    synthetic = [
        {"family": family, **row}
        for family in FAMILIES
        for seed in range(arguments.problems)
        for row in synthetic_problem(family, seed)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # logistic regression stops before it has converged
        real = list(digits_problems())
    hardware = detect()
    result = {
        "level": LEVEL,
        "problems_a_family": arguments.problems,
        "synthetic": {
            **by(synthetic, "times"),
            **by(synthetic, "sizes"),
            **by(synthetic, "family", "times"),
        },
        "digits": {**by(real, "times"), **by(real, "model")},
        "date": datetime.date.today().isoformat(),
        "device": hardware.device_name,
        "versions": installed_versions(),
    }
    arguments.result.write_text(json.dumps(result, indent=1) + "\n")
    for name in ("synthetic", "digits"):
        for key, value in result[name].items():
            print(name, key, value)


if __name__ == "__main__":
    main()
