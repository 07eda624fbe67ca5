"""The figures of replayed decisions: what each policy lost, by data set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from decision_scores import mean_of_means, upper_limit

from zenml_ftvr.values import KINDS, Kind

__all__ = ["BUDGETS", "PRODUCT_RULE", "RULE_NAMES", "SCREENED", "summary"]

BUDGETS = (0.5, 1.5, 5.0)
"""Times what the costliest arm takes: some arms are infeasible, all are but little is to spare, all
could be trained."""
RULE_NAMES = ("regret rule", "shortfall rule")
PRODUCT_RULE = "shortfall rule"
SCREENED = "fine-tune unless word counts beat features"
FIXED: tuple[Kind, ...] = ("full", "lora", "head", "baseline")
LIMIT = 0.9

Rows = Sequence[Mapping[str, Any]]
"""Of each question, budget and policy: its data set, its regret, and what else it is judged by."""


def by_data(rows: Rows, policy: str, value: str) -> dict[str, list[float]]:
    """One number of a policy's rows, by data set."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row["policy"] == policy:
            found[row["data"]].append(row[value])
    return found


def best_elsewhere(rows: Rows, policies: Sequence[str]) -> dict[str, str]:
    """For each data set the policy that lost least on all others."""
    losses = {policy: by_data(rows, policy, "regret") for policy in policies}
    data = sorted({row["data"] for row in rows})
    return {
        one: min(
            policies,
            key=lambda policy: mean_of_means(
                {other: values for other, values in losses[policy].items() if other != one}
            ),
        )
        for one in data
    }


def summary(rows: Rows) -> dict[str, Any]:
    """The figures of the decision, in points of accuracy; a data set counts once."""

    def points(policy: str) -> float:
        return round(100 * mean_of_means(by_data(rows, policy, "regret")), 3)

    def high(policy: str) -> float:
        return round(100 * upper_limit(by_data(rows, policy, "regret"), LIMIT, 0), 3)

    fixed = [f"always {kind}" for kind in KINDS if by_data(rows, f"always {kind}", "regret")]
    # `contrastive` may not have been run everywhere: only what every question has can be fixed.
    n_of = {one: sum(row["policy"] == one for row in rows) for one in fixed}
    fixed = [one for one in fixed if n_of[one] == max(n_of.values())]
    best = best_elsewhere(rows, fixed)
    tuned = best_elsewhere(rows, RULE_NAMES)
    best_regret = {data: by_data(rows, policy, "regret")[data] for data, policy in best.items()}
    figures: dict[str, Any] = {
        "mean_regret": points(PRODUCT_RULE),
        "mean_regret_high": high(PRODUCT_RULE),
        **{f"regret_always_{kind}": points(f"always {kind}") for kind in FIXED},
        "regret_best_fixed": round(100 * mean_of_means(best_regret), 3),
        "best_fixed_by_the_other_data": best,
        "regret_random": points("random"),
        "regret_screened": points(SCREENED),
        "acceptable_rate_screened": round(mean_of_means(by_data(rows, SCREENED, "acceptable")), 3),
        "pilot_cost_share": round(mean_of_means(by_data(rows, PRODUCT_RULE, "spent_share")), 4),
        "pilot_cost_share_most": round(
            max(max(one) for one in by_data(rows, PRODUCT_RULE, "spent_share").values()), 4
        ),
        "cross_validation_share": round(
            mean_of_means(by_data(rows, PRODUCT_RULE, "validated_share")), 4
        ),
        "acceptable_rate": round(mean_of_means(by_data(rows, PRODUCT_RULE, "acceptable")), 3),
        "rule_by_the_other_data": tuned,
        "rules": {},
        "acceptable_rate_always": {
            policy: round(mean_of_means(by_data(rows, policy, "acceptable")), 3) for policy in fixed
        },
    }
    for name in RULE_NAMES:
        figures["rules"][name] = {
            "mean_regret": points(name),
            "mean_regret_high": round(
                100 * upper_limit(by_data(rows, name, "regret"), LIMIT, 0), 3
            ),
            "acceptable_rate": round(mean_of_means(by_data(rows, name, "acceptable")), 3),
            "decided_by_pilots": round(mean_of_means(by_data(rows, name, "by_pilots")), 3),
            "arms_with_pilots": round(mean_of_means(by_data(rows, name, "piloted")), 2),
            "regret_by_data": {
                data: round(100 * float(np.mean(values)), 3)
                for data, values in by_data(rows, name, "regret").items()
            },
            "regret_by_budget": {
                str(times): round(
                    100 * mean_of_means(by_data(_at(rows, "budget", times), name, "regret")), 3
                )
                for times in BUDGETS
            },
        }
    return figures


def _at(rows: Rows, name: str, value: Any) -> list[Mapping[str, Any]]:
    return [row for row in rows if row[name] == value]
