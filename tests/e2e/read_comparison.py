"""Print the comparison of the newest run, and its page, as one line of JSON. A file, because ZenML
resolves sources from the main module's folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import TypeAdapter
from zenml.client import Client

from zenml_ftvr.values import Comparison

run = Client().list_pipeline_runs(sort_by="desc:created", size=1, hydrate=True).items[0]
artifact = run.steps["compare_models"].outputs["comparison"][0]
found = {
    "value": TypeAdapter(Comparison).dump_python(artifact.load(), mode="json"),
    "page": (Path(artifact.uri) / "page.html").read_text(),
}
sys.stdout.write(json.dumps(found) + "\n")
