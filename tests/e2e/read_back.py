"""Print what the store says of the newest run, as one line of JSON; with --count, how many runs and
pipelines there are. A file, because ZenML resolves sources from the main module's folder."""

from __future__ import annotations

import json
import sys
from typing import Any

from zenml.client import Client


def newest() -> dict[str, Any]:
    """The newest run's steps, and the values of its artifacts."""
    run = Client().list_pipeline_runs(sort_by="desc:created", size=1, hydrate=True).items[0]

    def value(step: str, output: str) -> Any:
        return run.steps[step].outputs[output][0].load()

    evaluation = value("evaluate_model", "evaluation")
    models = {
        name: step.outputs["model"][0].load()
        for name, step in run.steps.items()
        if "model" in step.outputs
    }
    return {
        "status": run.status.value,
        "steps": {name: step.status.value for name, step in run.steps.items()},
        "choice": value("recommend_approach", "recommendation").choice,
        "accuracy": {model.kind: model.score("accuracy").value for model in evaluation.models},
        "majority": evaluation.majority_accuracy,
        "spent_usd": evaluation.ledger.usd,
        "ledger": [
            [entry.what, entry.kind, entry.seconds, entry.predicted_seconds]
            for entry in evaluation.ledger.entries
        ],
        "paths": {name: model.path for name, model in models.items()},
        "offline": {name: model.tracked.offline_folder for name, model in models.items()},
    }


if __name__ == "__main__":
    client = Client()
    counts = [client.list_pipeline_runs(size=1).total, client.list_pipelines(size=1).total]
    sys.stdout.write(json.dumps(counts if "--count" in sys.argv else newest()) + "\n")
