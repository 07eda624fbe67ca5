"""Memory that loading a trained model takes, against the size of its weights.

    python benchmarks/model_memory.py                   # benchmarks/results/model_memory.jsonl
    python benchmarks/model_memory.py --mb 100 300 --results /tmp/before.jsonl

A model of each size is built from a configuration, with random weights in 32 bits: an encoder
(BERT) whose width grows with the size, and is saved as training saves it. Each run is a process of
its own: it loads and asks a tiny model, then loads the model, and then asks it one text. MB are
10^6 bytes.

Anonymous memory is what a process has for itself. All that is resident counts pages of files
besides: weights that are mapped are there once they are computed with, and the system takes them
back when it needs the memory. At the end: megabytes of either for each megabyte of weights, by
least squares.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from appending import RESULTS, Run, append_missing

SIZES_MB = (100, 300, 1_000)
TINY_MB = 1
N_LAYERS = 12  # as BERT-base and BERT-large have at least
MB = 10**6
TEXT = "what is the distance between two stars ?"
STAGES = ("before", "loaded", "asked")
KINDS = {"anonymous": "RssAnon", "resident": "VmRSS"}


def width_for(weight_bytes: int, vocabulary: int) -> int:
    """The width, a multiple of 64, at which a BERT of `N_LAYERS` comes nearest below the size."""
    width = 64
    while 4 * ((vocabulary + 512) * width + 12 * N_LAYERS * width**2) < weight_bytes:
        width += 64
    return width - 64 if width > 64 else width


def save_model(folder: Path, weight_bytes: int) -> int:
    """Save a model as `full` leaves it, of about so many bytes, and give its bytes."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from zenml_ftvr.api import plan_for, resolve_base
    from zenml_ftvr.data import dataset_from
    from zenml_ftvr.models import Trainable, save_trainable
    from zenml_ftvr.models.resolve import load_tokenizer
    from zenml_ftvr.tasks import work_for
    from zenml_ftvr.values import Budget, Full, ModelSource, Request, TextClassification

    task = TextClassification(max_length=64)
    base = resolve_base(Request(budget=Budget(hours=1), task=task))
    if base is None:
        raise SystemExit("there is no base model here, and so no tokenizer.")
    tokenizer = load_tokenizer(base.folder)
    rows = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(100)]
    dataset = dataset_from(rows, task=task)
    work = work_for(task, dataset)
    width = width_for(weight_bytes, len(tokenizer))
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=N_LAYERS,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        **work.model_settings(),
    )
    torch.manual_seed(0)
    plan = dataclasses.replace(plan_for(dataset, Full(), ModelSource(), task, seed=0), model=None)
    trainable = Trainable(model=BertForSequenceClassification(config), tokenizer=tokenizer)
    save_trainable(trainable, None, plan, work, folder)
    return (folder / "model.safetensors").stat().st_size


def memory_mb() -> dict[str, float]:
    """Memory of this process, by kind, now; and the most that was ever resident."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines)
    wanted = {**KINDS, "peak": "VmHWM"}
    return {
        name: round(int(found[entry].split()[0]) * 1_024 / MB, 1) for name, entry in wanted.items()
    }


def measure(folder: str, tiny: str) -> dict[str, Any]:
    """Load a model and ask it a text, in this process, after a tiny one."""
    from zenml_ftvr.models import load

    load(tiny).predict([TEXT])
    found = {"before": memory_mb()}
    started = time.monotonic()
    model = load(folder)
    seconds = {"load_seconds": round(time.monotonic() - started, 2)}
    found["loaded"] = memory_mb()
    model.predict([TEXT])
    found["asked"] = memory_mb()
    return seconds | {
        f"{stage}_{kind}_mb": found[stage][kind] for stage in STAGES for kind in found[stage]
    }


def runs(sizes_mb: Sequence[int]) -> Iterator[Run]:
    """One run a size, the small ones first."""
    for size_mb in sorted(sizes_mb):

        def run(size_mb: int = size_mb) -> dict[str, Any]:
            with tempfile.TemporaryDirectory(prefix="ftvr-") as name:
                folder, tiny = Path(name) / "model", Path(name) / "tiny"
                weights = int(_printed("--save", str(folder), str(size_mb)))
                _printed("--save", str(tiny), str(TINY_MB))
                return {
                    "weights_mb": round(weights / MB, 1),
                    **json.loads(_printed("--measure", str(folder), str(tiny))),
                }

        yield {"mb": size_mb}, run


def _printed(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603  (this file)
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


def slopes(path: Path) -> dict[str, float]:
    """Megabytes of memory for each megabyte of weights, by stage and kind."""
    import numpy as np

    records = [json.loads(line) for line in path.read_text().splitlines()]
    sizes = [record["weights_mb"] for record in records]
    if len(set(sizes)) < 2:
        return {}
    names = [f"{stage}_{kind}_mb" for kind in (*KINDS, "peak") for stage in STAGES[1:]]
    return {
        name: round(float(np.polyfit(sizes, [record[name] for record in records], 1)[0]), 3)
        for name in names
    }


def main() -> None:
    """Measure what has no line yet, then print the slopes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, nargs="+", default=SIZES_MB)
    parser.add_argument("--results", type=Path, default=RESULTS / "model_memory.jsonl")
    parser.add_argument("--save", nargs=2, metavar=("FOLDER", "MB"), help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "TINY"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.save:
        folder, size_mb = arguments.save
        print(save_model(Path(folder), int(size_mb) * MB))
    elif arguments.measure:
        print(json.dumps(measure(*arguments.measure)))
    else:
        append_missing(arguments.results, runs(arguments.mb))
        for name, slope in slopes(arguments.results).items():
            print(f"{slope} MB of {name} for each MB of weights")


if __name__ == "__main__":
    main()
