"""Trains a plan with two workers in a process of its own, which may be ended on the way.

python two_workers.py BASE DATA FOLDER SHARDING
"""

from __future__ import annotations

import sys
from pathlib import Path

from worker_cases import granted, plan_of_few_steps

from zenml_ftvr.data import read_dataset
from zenml_ftvr.hardware import detect
from zenml_ftvr.train import granted_team, run_plan


def main() -> None:
    """Train, and say what happened on the way."""
    base, data, folder, sharding = sys.argv[1:]
    dataset = read_dataset(Path(data))
    with granted(threads=2, workers=2, sharding=sharding):
        plan = plan_of_few_steps(dataset, Path(base))
        team = granted_team(plan, detect())
        model = run_plan(plan, dataset, Path(folder), detect(), team=team)
    sys.stdout.write("\n".join(model.notes))


if __name__ == "__main__":
    main()
