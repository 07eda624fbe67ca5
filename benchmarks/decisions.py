"""Replay decisions from trainings that were run to the end, and score them.

    python benchmarks/decisions.py   # benchmarks/results/decision.json, from replay*.jsonl

A question is a problem, a number of rows and a seed; each is asked at three budgets. The pilots
that the protocol asks for are looked up among the runs, their costs counted, and the arm that is
chosen from them is judged by its own run at the full size, against the best arm that the whole
budget would have paid for. Costs are seconds of processor time, and what an arm will cost is taken
as known: `results/cost.json` is about that. Forecasts are judged by trainings with seeds that no
pilot had.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from appending import RESULTS
from decision_figures import BUDGETS, PRODUCT_RULE, RULE_NAMES, SCREENED, summary
from decision_scores import acceptable, regret
from forecasts import forecast_numbers
from pydantic import TypeAdapter
from replay_records import Problem, Trained, read_problems

from zenml_ftvr.approaches import contrastive, full
from zenml_ftvr.approaches.facts import epochs_for
from zenml_ftvr.decide.expected import Rule, choose, choose_by_shortfall
from zenml_ftvr.decide.pilot_parcels import (
    LEAST_ROWS,
    PilotArm,
    PilotProtocol,
    PilotRequest,
    pilot_sizes,
)
from zenml_ftvr.decide.pilot_plan import carry_out, pilot_allowance
from zenml_ftvr.decide.prior import Order, order_arms
from zenml_ftvr.decide.recommend import choose_by_evidence
from zenml_ftvr.decide.standing import choose_from_pilots, piloted_arms
from zenml_ftvr.hardware import detect, installed_versions
from zenml_ftvr.values import (
    KINDS,
    Budget,
    Calibration,
    DataProfile,
    Kind,
    ModelSource,
    PilotEvidence,
    PilotRun,
    Request,
    ScreeningEvidence,
    TextClassification,
)

RULES: dict[str, Rule] = dict(zip(RULE_NAMES, (choose, choose_by_shortfall), strict=True))
TOLERANCE = 0.005
PILOT_SHARE = 0.1
CALIBRATED_STEPS = 7  # of each arm that is stepped: pilot/calibrate/batches.py
SMALLEST_QUESTION = 200  # rows: below, no training was tested
NEEDED = frozenset({"baseline", "head", "scratch", "partial", "full"})
"""Arms without which a question is not asked; `lora` and `contrastive` are on offer where they were
run."""


class NotRunError(Exception):
    """A pilot was asked for that nobody has run yet."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """Which arm, for so many rows, drawn by a seed?"""

    problem: Problem
    n_train: int
    seed: int
    finals: dict[Kind, Trained]
    sizes: tuple[int, ...]
    """Of pilots."""

    @property
    def costs(self) -> dict[Kind, float]:
        return {kind: one.cpu_seconds for kind, one in self.finals.items()}

    def feasible(self, seconds: float) -> dict[Kind, Trained]:
        """Those that `seconds` pay for; always the cheapest."""
        least = min(self.costs.values())
        most = max(seconds, least)
        return {kind: one for kind, one in self.finals.items() if one.cpu_seconds <= most}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was chosen, and what was spent to choose."""

    kind: Kind
    spent_share: float
    """Of calibration and pilots, in the budget or in training every feasible arm, whichever is
    less."""
    validated_share: float
    """The same of the cross-validation of the arms that are solved."""
    piloted: tuple[Kind, ...]
    by_pilots: bool
    """Or by published evidence and the cross-validation of the arms that are solved."""


def questions(problem: Problem, least: int) -> Iterator[Question]:
    """Every question whose answers are known; pilots have `least` rows or more."""
    for n, seed in itertools.product(problem.sizes, (0, 1)):
        if n < SMALLEST_QUESTION or (n, seed) not in problem.screens:
            continue
        sizes = tuple(one for one in pilot_sizes(n, least) if one in problem.sizes)
        found = {kind: problem.runs.get((kind, n, seed)) for kind in KINDS}
        finals = {kind: one for kind, one in found.items() if one is not None}
        if finals.keys() >= NEEDED and sizes:
            yield Question(problem=problem, n_train=n, seed=seed, finals=finals, sizes=sizes)


def decide(question: Question, budget: float, rule: Rule) -> Decided:
    """The choice that the package would make with `budget` seconds."""
    feasible = question.feasible(budget)
    costs = [one.cpu_seconds for one in feasible.values()]
    screening = question.problem.screens[question.n_train, question.seed]
    before = sum(map(calibration_seconds, feasible.values()))
    evidence = pilots(question, feasible, pilot_allowance(budget, costs, PILOT_SHARE, before))
    spent = before + evidence.seconds
    # Cross-validation comes after, on features that pilots of the head have computed by then.
    validating = screening["cpu_seconds"]
    if "head" in evidence.kinds:
        validating = max(0.0, validating - question.finals["head"].features_seconds)
    left = question.feasible(budget - spent - validating)
    arms = piloted_arms(
        [one for kind in KINDS if (one := evidence.pilots_of(kind)) is not None],
        evidence.n_select,
        question.seed,
    )
    hours = {kind: one.cpu_seconds / 3600 for kind, one in left.items()}
    order = prior_order(question)
    by_pilots = pilots_decide({arm.kind for arm in arms} & hours.keys(), order, left)
    if by_pilots:
        kind = choose_from_pilots(arms, hours, question.n_train, TOLERANCE, rule=rule).kind
    else:
        known = TypeAdapter(ScreeningEvidence).validate_python(screening["evidence"])
        request = Request(budget=Budget(hours=budget / 3600), tolerance=TOLERANCE)
        kind, _ = choose_by_evidence(order, known, list(left), request)
    return Decided(
        kind=kind,
        spent_share=spent / min(budget, sum(costs)),
        validated_share=validating / min(budget, sum(costs)),
        piloted=tuple(arm.kind for arm in arms),
        by_pilots=by_pilots,
    )


def screened_choice(question: Question, budget: float) -> Kind:
    """A policy without pilots: the first that is feasible of those that are fine-tuned, unless word
    counts beat the head on frozen features in cross-validation; then those."""
    screening = question.problem.screens[question.n_train, question.seed]
    left = question.feasible(budget - screening["cpu_seconds"])
    order: tuple[Kind, ...] = ("full", "lora", "partial", "head", "baseline")
    if prior_order(question).situation == "does not transfer":
        order = ("baseline",)
    return next(kind for kind in order if kind in left)


def calibration_seconds(final: Trained) -> float:
    """Of the first steps of an arm, by what its steps took in the end; none of those solved."""
    return 0.0 if final.steps == 0 else CALIBRATED_STEPS * final.cpu_seconds / final.steps


def prior_order(question: Question) -> Order:
    """What published evidence says, given the cross-validation of the arms that are solved."""
    screening = question.problem.screens[question.n_train, question.seed]
    profile = TypeAdapter(DataProfile).validate_python(screening["profile"])
    calibration = Calibration(  # which it looks at only for the order of `full` and `lora`
        hardware=detect(),
        model=ModelSource(),
        data_fingerprint=profile.fingerprint,
        arms=(),
        process_memory_gib=0.0,
        seconds=0.0,
    )
    known = TypeAdapter(ScreeningEvidence).validate_python(screening["evidence"])
    return order_arms(profile, known, calibration, TextClassification())


def pilots_decide(piloted: Set[Kind], order: Order, feasible: Mapping[Kind, Trained]) -> bool:
    """Whether pilots speak of the arms that matter: as `decide.recommend` has it."""
    trusted = [kind for kind in order.trusted if kind in feasible]
    if trusted:
        return any(kind in piloted for kind in trusted)
    return bool(piloted - {"baseline", "head"})


def pilots(question: Question, feasible: Mapping[Kind, Trained], seconds: float) -> PilotEvidence:
    """What the protocol asks for, looked up among the runs."""
    protocol = PilotProtocol(
        arms=tuple(pilot_arm(question, one) for one in feasible.values()),
        sizes=question.sizes,
        n_pool=question.n_train,
        n_train=question.n_train,
        seconds_allowed=seconds,
        tolerance=TOLERANCE,
        metric="accuracy",
        n_select=next(iter(feasible.values())).n_select,
        seed=question.seed,
    )
    begun: set[Kind] = set()

    def run(request: PilotRequest, _: float) -> Sequence[PilotRun]:
        seeds = question.problem.seeds(request.kind, request.n_train)
        # Draws of arms that are solved are seeds; of a pilot that collapsed there is one run.
        seed = (question.seed + request.draw) % len(seeds) if len(seeds) > 2 else question.seed
        found = question.problem.runs.get((request.kind, request.n_train, seed))
        if found is None:
            raise NotRunError(f"{request.kind} on {request.n_train} rows, seed {seed}")
        once = 0.0
        if request.kind == "head" and "head" not in begun:
            once = features_seconds(question)
        begun.add(request.kind)
        return [
            PilotRun(
                kind=request.kind,
                n_train=request.n_train,
                seed=request.seed,
                status="collapsed" if found.failed else "scored",
                score=None if found.failed else found.select_score,
                seconds=found.pilot_seconds + once,
                detail="it gave every row one class" if found.failed else None,
            )
        ]

    return carry_out(protocol, run)


def pilot_arm(question: Question, final: Trained) -> PilotArm:
    """An arm as the protocol knows it: costs as they turned out, over seeds."""
    return PilotArm(
        kind=final.kind,
        training_seconds=final.cpu_seconds,
        seconds_at={n: _seconds_at(question, final, n) for n in (*question.sizes, final.n_train)},
        once_seconds=features_seconds(question) if final.kind == "head" else 0.0,
    )


def _seconds_at(question: Question, final: Trained, n: int) -> float:
    """Of a pilot on `n` rows; where none was run, by its steps, which the defaults give."""
    runs = question.problem.of(final.kind, n)
    if runs:
        return float(np.mean([one.pilot_seconds for one in runs]))
    own, whole = (default_steps(final.kind, rows) for rows in (n, final.n_train))
    return final.cpu_seconds * own / whole + final.judging_seconds


def default_steps(kind: Kind, n_train: int) -> float:
    """Optimiser steps by the default plan, in its own unit."""
    if kind == "contrastive":
        return min(contrastive.PAIRS_PER_ROW * n_train, contrastive.MOST_PAIRS)
    return n_train * epochs_for(
        n_train, ample=full.EPOCHS, most=full.MOST_EPOCHS, ample_rows=full.AMPLE_ROWS
    )


def features_seconds(question: Question) -> float:
    """Of the features of all rows, and of those that pilots are judged on."""
    head = question.finals["head"]
    return head.features_seconds * (1 + head.n_select / head.n_train)


def outcomes(asked: Sequence[Question]) -> tuple[list[dict[str, Any]], list[str]]:
    """A row for each question, budget and policy: its regret, and what else it is judged by.

    And the decisions that could not be replayed, each with the run that is missing.
    """
    rows: list[dict[str, Any]] = []
    missing = []
    for question, times in itertools.product(asked, BUDGETS):
        budget = times * max(question.costs.values())
        try:
            decided = {name: decide(question, budget, rule) for name, rule in RULES.items()}
        except NotRunError as error:
            missing.append(f"{question.problem.name}, {question.n_train} rows, {times}: {error}")
            continue
        feasible = question.feasible(budget)
        cheapest = min(feasible, key=lambda kind: feasible[kind].cpu_seconds)
        common = {
            "data": question.problem.data,
            "problem": question.problem.name,
            "n_train": question.n_train,
            "seed": question.seed,
            "budget": times,
            "arms": len(question.finals),
        }
        for name, one in decided.items():
            facts = {
                "chosen": one.kind,
                "spent_share": one.spent_share,
                "validated_share": one.validated_share,
                "piloted": len(one.piloted),
                "by_pilots": one.by_pilots,
            }
            rows.append({**common, "policy": name, **facts, **judged(feasible, one.kind)})
        for kind in KINDS:
            if kind in question.finals:
                taken = kind if kind in feasible else cheapest
                row = {**common, "policy": f"always {kind}", "chosen": taken}
                rows.append({**row, **judged(feasible, taken)})
        taken = screened_choice(question, budget)
        row = {**common, "policy": SCREENED, "chosen": taken}
        rows.append({**row, **judged(feasible, taken)})
        each = [judged(feasible, kind) for kind in feasible]
        rows.append(
            {
                **common,
                "policy": "random",
                **{name: float(np.mean([one[name] for one in each])) for name in each[0]},
            }
        )
    return rows, missing


def judged(feasible: Mapping[Kind, Trained], chosen: Kind) -> dict[str, float]:
    """Regret, and whether the choice is acceptable."""
    tested = {kind: one.test_right for kind, one in feasible.items() if one.test_right is not None}
    scores = {kind: feasible[kind].test_score for kind in tested}
    costs = {kind: feasible[kind].cpu_seconds for kind in tested}
    return {
        "regret": regret(tested, chosen),
        "acceptable": float(acceptable(scores, costs, chosen, TOLERANCE)),
    }


def main() -> None:
    """Ask, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=RESULTS, help="folder of replay*.jsonl")
    parser.add_argument("--result", type=Path, default=RESULTS / "decision.json")
    parser.add_argument("--least", type=int, default=LEAST_ROWS, help="rows of a pilot")
    arguments = parser.parse_args()
    full = read_problems([arguments.runs / "replay.jsonl"])
    cheap = read_problems([arguments.runs / "replay_cheap.jsonl"])
    asked = [question for problem in full for question in questions(problem, arguments.least)]
    if not asked:
        raise SystemExit(
            f"no problem in {arguments.runs} has every run that a question needs: run replay.py."
        )
    rows, missing = outcomes(asked)
    hardware = detect()
    result = {
        "problems": len({question.problem.name for question in asked}),
        "questions": len(asked),
        "decisions": len(asked) * len(BUDGETS) - len(missing),
        "not_replayed": missing,
        "sizes": sorted({question.n_train for question in asked}),
        "questions_with": {
            kind: sum(kind in question.finals for question in asked) for kind in KINDS
        },
        **summary(rows),
        **forecast_numbers(full, cheap),
        "failed_runs": sum(len(problem.errors) for problem in (*full, *cheap)),
        "decided": [
            {name: row[name] for name in ("problem", "n_train", "seed", "budget", "chosen")}
            | {"regret": round(100 * row["regret"], 2), "piloted": row["piloted"]}
            for row in rows
            if row["policy"] == PRODUCT_RULE
        ],
        "date": datetime.date.today().isoformat(),
        "device": hardware.device_name,
        "cores": hardware.cores,
        "versions": installed_versions(),
    }
    arguments.result.write_text(json.dumps(result, indent=1) + "\n")
    for name, value in result.items():
        if name != "decided":
            print(name, value)


if __name__ == "__main__":
    main()
