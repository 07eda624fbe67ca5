"""Does the rule of the choice pay? Three arms with pilots, one choice, the truth known.

    python benchmarks/choices.py   # benchmarks/results/choices.json, about two minutes of one core

Each problem has a cheap, a middling and a dear arm (1, 10 and 100 parts of cost), with curves drawn
at random from the families of `curves.py` around one level, pilots of four doubling sizes (five
seeds of the cheap arm, two of the middling, one of the dear), and a target of four times the
largest. A choice is acceptable if its true score is within the tolerance of the best and it costs
at most twice the cheapest such arm; regret is in points of accuracy.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from curves import FAMILIES, noisy, synthetic_score

from zenml_ftvr.decide.curve import fit_curve
from zenml_ftvr.decide.expected import Prospect, choose, choose_by_shortfall
from zenml_ftvr.decide.seed_spread import pooled_seed_spread
from zenml_ftvr.hardware import detect, installed_versions
from zenml_ftvr.values import ArmPilots, Kind, PilotScore

RESULT = Path(__file__).parent / "results" / "choices.json"
TOLERANCE = 0.005
APART = (0.03, 0.01, 0.003)
LARGEST, TARGET = 800, 3_200
ARMS: tuple[tuple[Kind, float, int], ...] = (("head", 1, 5), ("partial", 10, 2), ("full", 100, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a policy may look at, and the truth that judges it."""

    prospects: tuple[Prospect, ...]
    last_scores: dict[Kind, float]
    truths: dict[Kind, float]


def problem(seed: int, apart: float) -> Problem:
    """Arms whose levels differ by about `apart`, and seeds by .003 to .018 at the largest pilot,
    by more at smaller ones: as one over the root of the rows.
    """
    rng = np.random.default_rng([77, seed])
    level, seed_sd = rng.uniform(-0.1, 0.1), float(np.exp(rng.uniform(math.log(0.003), -4)))
    pilots, truths = [], {}
    for kind, _, n_seeds in ARMS:
        score = synthetic_score(str(rng.choice(FAMILIES)), rng, LARGEST)
        arm_level = level + rng.normal(0, apart)

        def shifted(n: float, score: Any = score, by: float = arm_level) -> float:
            # Drawn towards one level, or one arm would be far ahead in every problem.
            return float(np.clip(0.8 + by + 10 * apart * (score(n) - 0.8), 0, 1))

        truths[kind] = shifted(TARGET)
        pilots.append(
            ArmPilots(
                kind=kind,
                scores=tuple(
                    PilotScore(
                        n_train=n,
                        seed=one,
                        score=noisy(shifted(n), seed_sd * math.sqrt(LARGEST / n), rng),
                    )
                    for n in (LARGEST // 8, LARGEST // 4, LARGEST // 2, LARGEST)
                    for one in range(n_seeds)
                ),
            )
        )
    spread = pooled_seed_spread(pilots)
    return Problem(
        prospects=tuple(
            Prospect(
                kind=one.kind,
                scores=fit_curve(one, spread, seed).scores_at([TARGET])[:, 0],
                hours=hours,
            )
            for one, (_, hours, _) in zip(pilots, ARMS, strict=True)
        ),
        last_scores={
            one.kind: float(np.mean([s.score for s in one.scores if s.n_train == LARGEST]))
            for one in pilots
        },
        truths=truths,
    )


def by_last_score(one: Problem) -> Kind:
    return max(one.last_scores, key=lambda kind: one.last_scores[kind])


POLICIES: dict[str, Callable[[Problem], Kind]] = {
    "by expected regret": lambda one: choose(one.prospects, TOLERANCE).kind,
    "by shortfall": lambda one: choose_by_shortfall(one.prospects, TOLERANCE).kind,
    "highest forecast mean": lambda one: choose(one.prospects, 0.0).standings[0].kind,
    "best at the largest pilot": by_last_score,
    "always the dearest": lambda _: "full",
    "always the cheapest": lambda _: "head",
}


def judged(one: Problem, kind: Kind) -> dict[str, float]:
    costs = {kind: cost for kind, cost, _ in ARMS}
    best = max(one.truths.values())
    cheapest = min(costs[kind] for kind in costs if best - one.truths[kind] <= TOLERANCE)
    regret = best - one.truths[kind]
    return {
        "regret": regret,
        "acceptable": float(regret <= TOLERANCE and costs[kind] <= 2 * cheapest),
        "cost": costs[kind],
    }


def compared(problems: list[Problem]) -> dict[str, Any]:
    """Each policy's mean regret, acceptable share and cost over the problems."""
    rules = [choose(one.prospects, TOLERANCE).rule for one in problems]
    policies = {}
    for name, policy in POLICIES.items():
        verdicts = [judged(one, policy(one)) for one in problems]
        policies[name] = {
            measure: round(float(np.mean([one[measure] for one in verdicts])), 4)
            for measure in ("regret", "acceptable", "cost")
        }
    share = rules.count("highest mean") / len(rules)
    return {"share_of_choices_by_highest_mean": round(share, 3), "policies": policies}


def main() -> None:
    """Simulate, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()
    by_distance = {
        f"arms {apart:g} apart": compared(
            [problem(seed, apart) for seed in range(arguments.problems)]
        )
        for apart in APART
    }
    hardware = detect()
    result = {
        "problems": arguments.problems,
        "tolerance": TOLERANCE,
        **by_distance,
        "date": datetime.date.today().isoformat(),
        "device": hardware.device_name,
        "versions": installed_versions(),
    }
    arguments.result.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(by_distance, indent=1))


if __name__ == "__main__":
    main()
