"""The prior against published comparisons: does its order pick arms that won, and at what cost?

    python benchmarks/published.py OUTCOMES.csv   # benchmarks/results/published.json, a second

OUTCOMES.csv has a comparison of two approaches in each row (columns approach_a, metric_a,
approach_b, metric_b, higher_is_better, n_examples, n_tokens, base_params, confidence, note), with
`cluster=NAME; tie_tol=NUMBER` in the note. It is not part of this repository.

What the rows lack, and what is put in its place:
- How a head on frozen features does against word counts, by which the prior tells the situation. So
  it is scored twice: knowing nothing ("unmeasured"), and told that the features are ahead
  ("transfers"), which is an assumption, kinder to the prior than what it would find by itself.
- Costs. They follow from operations: 6 N a token for `full` and `scratch`, 4 N + 6 P for `lora`
  with P trained parameters, 2 N for `head`, times the epochs that our plans give each; one pass for
  text that is counted in tokens.
- What the labels hold, which the prior holds against the adapters' capacity: 1 bit a token where
  tokens are counted (Schulman et al. 2025), else 1 bit a row.

An arm is acceptable if its score is within the row's tolerance of the best and it costs at most
twice the cheapest such arm. Cost-adjusted regret is the score lost, in tolerances and 10 at most,
plus the doublings of cost above the cheapest arm within the tolerance. Means are of clusters, each
the mean of its rows: rows of one paper are not independent. Clusters that set a constant of the
prior are not scored at all; those whose sentence orders the arms are shown apart.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zenml_ftvr.approaches import full, scratch
from zenml_ftvr.decide.prior import order_arms
from zenml_ftvr.hardware import installed_versions
from zenml_ftvr.values import (
    ArmCalibration,
    Calibration,
    ClassCount,
    DataProfile,
    Hardware,
    Kind,
    ModelSource,
    PairedDifference,
    Quantiles,
    ScreeningEvidence,
    TextClassification,
)

RESULT = Path(__file__).parent / "results" / "published.json"

SETS_A_CONSTANT = {
    "mBART": "approaches.scratch.TOKENS_PER_PARAM, and the sentence MANY_LABELS",
    "Castelluccio": "decide.prior.SMALLEST_PUBLISHED_ROWS",
}
ORDERS_ARMS = {
    "LoRA-GLUE": "the sentence GLUE: lora and full are equal, so the cheaper goes first",
    "LoRA-GPT3": "the same paper",
    "Kumar": "the sentence PROBE: full before head where rows are enough",
}
KINDS_OF: dict[str, Kind] = {"full_ft": "full", "from_scratch": "scratch", "linear_probe": "head"}
KUMAR_ROWS = 20_000  # the note gives 20,000 to 150,000 for all sets
LLAMA_PARAMS_PER_RANK = 2_498_560  # all linear layers of Llama-2-7B: r (d_in + d_out)
UNSTATED_RANK = 256  # "best rank" of 16 to 256: the largest
MOST_REGRET = 10.0  # tolerances: else one row of an odd metric outweighs a cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    kind: Kind
    loss: float
    """What its score lacks to the best of the row, in the row's tolerances."""
    cost: float
    """Operations, but for a factor that the row's arms share."""
    n_trained: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    cluster: str
    label_bits: int
    arms: tuple[Arm, Arm]


Policy = Callable[[Comparison], Kind]


def comparison(row: dict[str, str]) -> Comparison | str:
    """A row as a comparison, or why it cannot be scored."""
    note = row["note"]
    cluster = found(r"cluster=([^;]+)", note)
    if cluster in SETS_A_CONSTANT:
        return f"sets a constant: {SETS_A_CONSTANT[cluster]}"
    if row["confidence"] != "seen_in_stored_source":
        return "numbers from memory"
    if "not target task" in note:
        return "scores what is retained, not the task"
    if "OOD" in row["task"]:
        return "judged on other data than it was trained for"
    names = (row["approach_a"], row["approach_b"])
    kinds = [KINDS_OF.get(name, "lora" if name.startswith("lora") else None) for name in names]
    if None in kinds:
        return "an approach that is none of ours"
    counted = row["n_tokens"] or row["n_examples"]
    if not counted and cluster != "Kumar":
        return "no size"
    size = round(float(counted)) if counted else KUMAR_ROWS
    sign = 1 if row["higher_is_better"] == "true" else -1
    scores = [sign * float(row["metric_a"]), sign * float(row["metric_b"])]
    tolerance = float(found(r"tie_tol=([\d.]+)", note))
    arms = [
        Arm(
            kind=kind,
            loss=(max(scores) - score) / tolerance,
            cost=operations(kind, name, row),
            n_trained=trained(name, row),
        )
        for kind, name, score in zip(kinds, names, scores, strict=True)
        if kind is not None
    ]
    return Comparison(cluster=cluster, label_bits=size, arms=(arms[0], arms[1]))


def found(pattern: str, note: str) -> str:
    match = re.search(pattern, note)
    if match is None:
        raise SystemExit(f"the note '{note}' has nothing like {pattern}; correct the file.")
    return match[1].strip()


def trained(name: str, row: dict[str, str]) -> float:
    """Parameters that an approach trains, as far as costs and capacity depend on it."""
    if not name.startswith("lora"):
        return float(row["base_params"] or 1)
    if (stated := re.search(r"LoRA ([\d.]+)M", row["note"])) is not None:
        return float(stated[1]) * 1e6
    rank = re.fullmatch(r"lora_r(\d+)", name)
    return LLAMA_PARAMS_PER_RANK * (int(rank[1]) if rank else UNSTATED_RANK)


def operations(kind: Kind, name: str, row: dict[str, str]) -> float:
    base = float(row["base_params"])
    counted_in_tokens = bool(row["n_tokens"])
    match kind:
        case "lora":
            return (4 * base + 6 * trained(name, row)) * (1 if counted_in_tokens else full.EPOCHS)
        case "full":
            return 6 * base * (1 if counted_in_tokens else full.EPOCHS)
        case "scratch":
            return 6 * base * (1 if counted_in_tokens else scratch.EPOCHS)
        case _:
            return 2 * base


def by_prior(difference: float | None) -> Policy:
    """The first of the prior's order; `difference` is what the head is ahead of word counts by."""

    def choose(one: Comparison) -> Kind:
        order = order_arms(
            profile_of(one), evidence_of(difference), calibration_of(one), TextClassification()
        )
        offered = [arm.kind for arm in one.arms]
        return next(kind for kind in order.kinds if kind in offered)

    return choose


def by_cost(one: Comparison) -> Kind:
    return min(one.arms, key=lambda arm: arm.cost).kind


def profile_of(one: Comparison) -> DataProfile:
    """A profile with as many rows as the labels hold bits; the prior reads nothing else."""
    none = Quantiles(minimum=1, p50=1, p90=1, p99=1, maximum=1, mean=1)
    half = ClassCount(label="", train=one.label_bits // 2, validation=0, test=0)
    return DataProfile(
        source="published",
        fingerprint="",
        n_rows=one.label_bits,
        n_train=one.label_bits,
        n_validation=0,
        n_test=0,
        classes=(half, half),
        n_duplicates=0,
        n_conflicts=0,
        n_dropped=0,
        characters=none,
        words=none,
        tokens=None,
    )


def evidence_of(difference: float | None) -> ScreeningEvidence:
    ahead = ()
    if difference is not None:
        ahead = (
            PairedDifference(
                first="head",
                second="baseline",
                metric="accuracy",
                mean=difference,
                low=difference / 2,
                high=difference * 1.5,
                regret_of_first=0.0,
                regret_of_second=difference,
                n_rows=1_000,
            ),
        )
    return ScreeningEvidence(measured=(), differences=ahead, majority_share=0.5, seconds=0.0)


def calibration_of(one: Comparison) -> Calibration:
    return Calibration(
        hardware=Hardware(
            device="cpu",
            device_name="",
            n_devices=1,
            cores=1,
            memory_gib=1.0,
            device_memory_gib=None,
        ),
        model=ModelSource(),
        data_fingerprint="",
        arms=tuple(
            ArmCalibration(
                kind=arm.kind,
                seconds_per_step=arm.cost,
                batch_size=1,
                n_steps_timed=1,
                seconds_per_eval_row=0.0,
                setup_seconds=0.0,
                save_seconds=0.0,
                peak_memory_gib=0.0,
                n_params=round(arm.n_trained),
                n_trainable=round(arm.n_trained),
            )
            for arm in one.arms
        ),
        process_memory_gib=0.0,
        seconds=0.0,
    )


POLICIES: dict[str, Policy] = {
    "prior, unmeasured": by_prior(None),
    "prior, told that features transfer": by_prior(0.05),
    "always full": lambda _: "full",
    "always the cheaper": by_cost,
}


def judged(one: Comparison, kind: Kind) -> tuple[float, float]:
    """Whether the choice is acceptable (1 or 0), and its cost-adjusted regret."""
    chosen = next(arm for arm in one.arms if arm.kind == kind)
    cheapest = min(arm.cost for arm in one.arms if arm.loss <= 1 + 1e-9)
    acceptable = chosen.loss <= 1 + 1e-9 and chosen.cost <= 2 * cheapest
    doublings = max(0.0, math.log2(chosen.cost / cheapest))
    return float(acceptable), min(MOST_REGRET, chosen.loss) + doublings


def scored(comparisons: list[Comparison]) -> dict[str, Any]:
    """Each policy over the clusters: means of cluster means, and the clusters themselves."""
    clusters = defaultdict(list)
    for one in comparisons:
        clusters[one.cluster].append(one)
    result: dict[str, Any] = {"rows": len(comparisons), "clusters": len(clusters), "policies": {}}
    for name, policy in POLICIES.items():
        by_cluster = {}
        for cluster, rows in sorted(clusters.items()):
            verdicts = [judged(one, policy(one)) for one in rows]
            by_cluster[cluster] = {
                "rows": len(rows),
                "acceptable": mean([acceptable for acceptable, _ in verdicts]),
                "cost_adjusted_regret": mean([regret for _, regret in verdicts]),
            }
        result["policies"][name] = {
            "acceptable": mean([one["acceptable"] for one in by_cluster.values()]),
            "cost_adjusted_regret": mean(
                [one["cost_adjusted_regret"] for one in by_cluster.values()]
            ),
            "by_cluster": by_cluster,
        }
    return result


def mean(values: list[float]) -> float:
    return round(math.fsum(values) / len(values), 3)


def main() -> None:
    """Read, score, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outcomes", type=Path, help="the CSV of published comparisons")
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()
    with arguments.outcomes.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    read = [comparison(row) for row in rows]
    usable = [one for one in read if isinstance(one, Comparison)]
    result = {
        "outcomes_sha256": hashlib.sha256(arguments.outcomes.read_bytes()).hexdigest(),
        "rows": len(rows),
        "left_out": dict(Counter(one for one in read if isinstance(one, str))),
        "held_out": scored([one for one in usable if one.cluster not in ORDERS_ARMS]),
        "ordered_by_a_sentence_of_theirs": {
            "why": ORDERS_ARMS,
            **scored([one for one in usable if one.cluster in ORDERS_ARMS]),
        },
        "date": datetime.date.today().isoformat(),
        "versions": installed_versions(),
    }
    arguments.result.write_text(json.dumps(result, indent=1) + "\n")
    for part in ("held_out", "ordered_by_a_sentence_of_theirs"):
        print(part, result[part]["rows"], "rows,", result[part]["clusters"], "clusters")
        for name, one in result[part]["policies"].items():
            print(f"  {name:36} {one['acceptable']:.3f} {one['cost_adjusted_regret']:.3f}")


if __name__ == "__main__":
    main()
