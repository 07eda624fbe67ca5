"""Every approach on some of the customer reviews, by the pipeline that compares them.

    OMP_NUM_THREADS=1 python benchmarks/comparison.py custrev.all --folder .comparison

The file has a line a text, `label text` in Latin-1; label 1 is praise, 0 is not. Which rows are
trained on, tuned on and tested on follows from a hash of their text. `compare_approaches` runs
through ZenML's command line on a store in `--folder`, with an offline W&B run for each training;
started again, it goes on where it was. Result: benchmarks/results/comparison.json.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from appending import RESULTS
from replay_problems import Labelled, of_files, parts_of

from zenml_ftvr.hardware import detect, installed_versions
from zenml_ftvr.values import ApproachDifference, ArmResult, Comparison, DataProfile, Score

RESULT = RESULTS / "comparison.json"
N_TRAIN, N_VALIDATION, N_TEST = 400, 200, 1_000
"""So that seven approaches with three seeds end in some half an hour of one core."""
HOURS = 0.15
"""Of each training: three times what the dearest took with nothing beside it."""
NAMES = {"0": "negative", "1": "positive"}
STACK = "comparison"
PIPELINE = "zenml_ftvr.pipelines.compare_approaches.compare_approaches"
CONFIGURATION = """\
parameters:
  data: {{name: reviews.csv, split_column: split}}
  budget: {{hours: {hours}}}
  seeds: {seeds}
  task: {{metric: accuracy, max_length: 64}}
  evaluation: {{forgetting: null}}
"""


def write_rows(pairs: Sequence[Labelled], path: Path) -> None:
    """The rows with their split, as CSV."""
    parts = parts_of("reviews", "reviews", [(text, NAMES[label]) for text, label in pairs])
    splits = {
        "train": parts.pool[:N_TRAIN],
        "validation": parts.select[:N_VALIDATION],
        "test": parts.test[:N_TEST],
    }
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label", "split"])
        for split, rows in splits.items():
            writer.writerows([text, label, split] for text, label in rows)


def run_pipeline(folder: Path, seeds: list[int]) -> None:
    """Register a stack with our tracker, where there is none, and run the pipeline on it."""
    commands = Path(sys.executable).parent
    zenml = str(commands / "zenml")

    def call(*command: str) -> int:
        return subprocess.run(command, cwd=folder, check=False).returncode  # noqa: S603  (ours)

    call(str(commands / "zenml-ftvr"), "setup", "--mode", "offline")
    if call(zenml, "stack", "describe", STACK):
        call(zenml, *f"stack register {STACK} -o default -a default -e ftvr_wandb".split())
    (folder / "compare.yaml").write_text(CONFIGURATION.format(hours=HOURS, seeds=seeds))
    if call(zenml, "pipeline", "run", PIPELINE, "-c", "compare.yaml", "-s", STACK):
        raise SystemExit("The pipeline has failed; what is above says why.")


def read_back() -> tuple[DataProfile, Comparison]:
    """What the newest run found of the data, and of the approaches."""
    from zenml.client import Client

    run = Client().list_pipeline_runs(sort_by="desc:created", size=1, hydrate=True).items[0]
    profile = run.steps["profile_data"].outputs["profile"][0].load()
    comparison = run.steps["compare_models"].outputs["comparison"][0].load()
    return profile, comparison


def written(profile: DataProfile, comparison: Comparison) -> dict[str, Any]:
    """The comparison in figures, with what it was made on."""
    hardware = detect()
    return {
        "data": {
            "name": "customer reviews (Hu and Liu 2004)",
            "fingerprint": profile.fingerprint[:12],
            "n_train": profile.n_train,
            "n_validation": profile.n_validation,
            "n_test": comparison.n_test,
        },
        "budget_hours_of_each_training": HOURS,
        "seeds": list(comparison.seeds),
        "metric": comparison.metric,
        "verdict": comparison.verdict,
        "winner": comparison.winner,
        "not_significantly_worse": [
            one for one in comparison.tied if one != comparison.arms[0].kind
        ],
        "approaches": [of_arm(arm) for arm in comparison.arms],
        "differences": [of_difference(one) for one in comparison.differences],
        "correction": "Holm, over all differences",
        "left_out": dict(comparison.left_out),
        "notes": list(comparison.notes),
        "hours_in_all": round(comparison.ledger.hours, 3),
        "device": hardware.device_name,
        "cores": hardware.cores,
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "date": datetime.date.today().isoformat(),
        "versions": installed_versions(),
    }


def of_arm(arm: ArmResult) -> dict[str, Any]:
    """One approach over its seeds."""
    return {
        "kind": arm.kind,
        "scores": {one.metric: of_score(one) for one in arm.scores},
        "deviation_over_seeds": None if arm.deviation is None else round(arm.deviation, 4),
        "seeds": [
            {
                "seed": one.seed,
                "score": round(one.score, 4),
                "train_seconds": round(one.train_seconds, 1),
                "stopped_by_budget": one.stopped_by_budget,
            }
            for one in arm.seeds
        ],
        "n_params": arm.n_params,
        "n_trainable": arm.n_trainable,
        "serving": [
            {
                "form": cost.form,
                "disk_bytes": cost.disk_bytes,
                "memory_bytes": cost.memory_bytes,
                "latencies": [
                    {
                        "batch_size": one.batch_size,
                        "p50_ms": round(one.p50_ms, 2),
                        "p99_ms": round(one.p99_ms, 2),
                        "rows_per_second": round(one.rows_per_second, 1),
                    }
                    for one in cost.latencies
                ],
            }
            for cost in arm.serving
        ],
    }


def of_score(one: Score) -> list[float]:
    """Mean over seeds, and the 95 % interval's ends."""
    return [round(value, 4) for value in (one.value, one.low, one.high)]


def of_difference(one: ApproachDifference) -> dict[str, Any]:
    """The best minus another."""
    return {
        "first": one.first,
        "second": one.second,
        "mean": round(one.mean, 4),
        "interval": [round(one.low, 4), round(one.high, 4)],
        "p_value": float(f"{one.p_value:.3g}"),
        "p_corrected": float(f"{one.p_corrected:.3g}"),
        "n_comparisons": one.n_comparisons,
        "significant": one.is_significant,
    }


def main() -> None:
    """Compare, and write down what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="a file of `label text` lines")
    parser.add_argument("--folder", type=Path, required=True, help="for the store and the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        {
            "ZENML_CONFIG_PATH": str(folder / "zenml"),
            "ZENML_FTVR_CACHE": str(folder / "cache"),
            "WANDB_DIR": str(folder),
            "ZENML_ANALYTICS_OPT_IN": "false",
            "AUTO_OPEN_DASHBOARD": "false",
        }
    )
    (named,) = of_files([f"reviews={arguments.data}"]).values()
    write_rows(named, folder / "reviews.csv")
    run_pipeline(folder, arguments.seeds)
    RESULT.write_text(json.dumps(written(*read_back()), indent=1) + "\n")


if __name__ == "__main__":
    main()
