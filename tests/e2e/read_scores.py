"""Print the test scores of the newest run, as one line of JSON. A file, because ZenML resolves
sources from the main module's folder."""

from __future__ import annotations

import json
import sys

from zenml.client import Client

run = Client().list_pipeline_runs(sort_by="desc:created", size=1, hydrate=True).items[0]
evaluation = run.steps["evaluate_model"].outputs["evaluation"][0].load()
scores = {
    "accuracy": {model.kind: model.score("accuracy").value for model in evaluation.models},
    "majority": evaluation.majority_accuracy,
}
sys.stdout.write(json.dumps(scores) + "\n")
