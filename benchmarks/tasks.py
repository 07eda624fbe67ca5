"""Train the approaches on tasks of several kinds, and score them on rows that none has seen.

    python benchmarks/tasks.py tags digits docstrings-cipher  # nothing to download
    python benchmarks/tasks.py text --train TREC.train.all --test TREC.test.all
    python benchmarks/tasks.py text --train custrev.all

`tags` are sentences made by a rule (benchmarks/generated.py), tagged; `digits` are scikit-learn's
handwritten digits as images. `text` reads files with a line a text, `label text` in Latin-1;
without a test file, a part is held out. The base model of texts is the embedded one; there is none
for `tags`, whose words mean nothing, and none for images. Results: benchmarks/results/tasks.jsonl.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import math
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from appending import RESULTS, Run, append_missing
from generated import tagged_sentences

from zenml_ftvr.api import plan_for, resolve_base
from zenml_ftvr.data import CORPORA, Dataset, dataset_from, load_dataset
from zenml_ftvr.evaluate import scores_with_intervals
from zenml_ftvr.hardware import detect
from zenml_ftvr.models import load
from zenml_ftvr.pilot import screen
from zenml_ftvr.train import print_progress, run_plan
from zenml_ftvr.values import (
    Approach,
    Baseline,
    Budget,
    Contrastive,
    DataSource,
    Full,
    Head,
    ImageClassification,
    Lora,
    ModelSource,
    Partial,
    Request,
    Score,
    Scratch,
    Task,
    TextClassification,
    TokenClassification,
    metrics_of,
)

N_SENTENCES = 1_000
VALIDATION_PERCENT = 15  # as DataSource's default
WITHOUT_BASE: tuple[Approach, ...] = (Baseline(), Scratch())
WITH_BASE: tuple[Approach, ...] = (  # the quick ones first
    Baseline(),
    Head(),
    Scratch(),
    Partial(),
    Contrastive(),
    Lora(),
    Full(),
)
TREC_NAMES = ("description", "entity", "abbreviation", "person", "place", "number")
"""What the numbers 0 to 5 stand for in the question files, after Li and Roth 2002, COLING."""


def sentences() -> tuple[Dataset, Task]:
    """Sentences whose words are tagged by a rule."""
    task = TokenClassification(max_length=64)
    rows = tagged_sentences(N_SENTENCES, seed=0)
    return dataset_from(rows, DataSource(name="tagged sentences", fatal=()), task=task), task


def digits() -> tuple[Dataset, Task]:
    """Handwritten digits of 8 by 8 pixels, as PNG."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    rows = []
    found = load_digits()
    for levels, digit in zip(found.images, found.target, strict=True):
        stream = io.BytesIO()
        Image.fromarray((levels * 255 / 16).round().astype(np.uint8)).save(stream, "PNG")
        rows.append({"text": stream.getvalue(), "label": str(digit)})
    task = ImageClassification()
    return dataset_from(rows, DataSource(name="digits", fatal=()), task=task), task


def texts(train: Path, test: Path | None, names: Sequence[str]) -> tuple[Dataset, Task]:
    """Texts with one label each; those of `test` are the test split, if there are any."""
    task = TextClassification(max_length=64)
    rows = _lines(train, names)
    if test is None:
        return dataset_from(rows, DataSource(name=train.name, fatal=()), task=task), task
    parted = [
        {**row, "split": "validation" if _held_out(row["text"]) else "train"} for row in rows
    ] + [{**row, "split": "test"} for row in _lines(test, names)]
    source = DataSource(name=train.name, fatal=(), split_column="split")
    return dataset_from(parted, source, task=task), task


def _held_out(text: str) -> bool:
    """Whether a text is to validate on: the same texts always, equal ones together."""
    return zlib.crc32(text.encode()) % 100 < VALIDATION_PERCENT


def _lines(path: Path, names: Sequence[str]) -> list[dict[str, str]]:
    rows = []
    for line in path.read_text(encoding="latin-1").splitlines():
        label, _, text = line.partition(" ")
        if text.strip():
            rows.append({"text": text.strip(), "label": names[int(label)] if names else label})
    return rows


def runs(
    name: str, dataset: Dataset, task: Task, approaches: Sequence[Approach], minutes: float | None
) -> Iterator[Run]:
    """Each approach with its defaults; `minutes` ends the training of any."""
    data = {"data": dataset.fingerprint[:12], "source": name}
    for approach in approaches:

        def measure(approach: Approach = approach) -> dict[str, Any]:
            return _trained(dataset, task, approach, minutes)

        yield {**data, "task": task.kind, "kind": approach.kind, "minutes": minutes}, measure
    if any(approach.kind == "head" for approach in approaches):
        key = {**data, "task": task.kind, "kind": "zero-shot", "minutes": None}
        yield key, lambda: _zero_shot(dataset, task)


def _trained(
    dataset: Dataset, task: Task, approach: Approach, minutes: float | None
) -> dict[str, Any]:
    plan = plan_for(dataset, approach, ModelSource(), task, seed=0)
    if minutes is not None:
        plan = dataclasses.replace(plan, wall_seconds=60 * minutes)
    with tempfile.TemporaryDirectory() as folder:
        model = run_plan(plan, dataset, Path(folder) / "model", detect(), progress=print_progress())
        answers = load(model.path).answers(dataset.test)
    return {
        **_numbers(scores_with_intervals(answers, metrics_of(task), 0)),
        "metric": plan.task.metric,
        "n_train": len(dataset.train),
        "n_test": len(dataset.test),
        "training_seconds": round(model.seconds, 1),
        "steps_done": model.steps_done,
        "max_steps": plan.max_steps,
        "stopped_by": model.stopped_by,
        "n_params": model.n_params,
        "approach": str(plan.approach),
    }


def _zero_shot(dataset: Dataset, task: Task) -> dict[str, Any]:
    base = resolve_base(Request(budget=Budget(hours=1.0), task=task))
    evidence = screen(dataset, base, ["baseline"], task, detect().device, 0)
    if evidence.zero_shot is None:
        return {"skipped": evidence.zero_shot_skipped}
    return {**_numbers(evidence.zero_shot.scores), "of": "training split"}


def _numbers(scores: Sequence[Score]) -> dict[str, Any]:
    numbers: dict[str, Any] = {}
    for score in scores:
        if math.isfinite(score.value):
            numbers[score.metric] = round(score.value, 4)
            numbers[f"{score.metric}_interval"] = [round(score.low, 4), round(score.high, 4)]
    return numbers


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="+", choices=["tags", "digits", "text", *CORPORA])
    parser.add_argument("--train", type=Path, help="a file of `label text` lines")
    parser.add_argument("--test", type=Path, help="a file of rows to test on")
    parser.add_argument("--kind", action="append", help="approaches; all by default")
    parser.add_argument("--minutes", type=float, help="end each training after so many")
    arguments = parser.parse_args()
    path = RESULTS / "tasks.jsonl"

    def chosen(approaches: tuple[Approach, ...]) -> list[Approach]:
        wanted = arguments.kind
        return [approach for approach in approaches if not wanted or approach.kind in wanted]

    for what in arguments.what:
        if what == "tags":
            append_missing(
                path,
                runs("tagged sentences", *sentences(), chosen(WITHOUT_BASE), arguments.minutes),
            )
        elif what == "digits":
            append_missing(path, runs("digits", *digits(), chosen(WITHOUT_BASE), arguments.minutes))
        elif what in CORPORA:
            corpus, task = load_dataset(DataSource(name=what)), TextClassification()
            found = runs(what, corpus, task, chosen(WITH_BASE), arguments.minutes)
            append_missing(path, found)
        elif arguments.train is None:
            parser.error("text needs --train")
        else:
            names = TREC_NAMES if arguments.train.name.startswith("TREC") else ()
            dataset, task = texts(arguments.train, arguments.test, names)
            found = runs(arguments.train.name, dataset, task, chosen(WITH_BASE), arguments.minutes)
            append_missing(path, found)


if __name__ == "__main__":
    main()
