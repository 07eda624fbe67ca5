"""Every task through the steps: read, train, evaluate and predict, on a real store."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from zenml import pipeline

from zenml_ftvr.steps import evaluate_model, load_data, predict, train_baseline
from zenml_ftvr.values import (
    CausalLM,
    DataSource,
    Evaluation,
    ImageClassification,
    Seq2Seq,
    Task,
    TextClassification,
    TokenClassification,
    metrics_of,
)

COLOURS = ("red", "green", "blue")
WORDS = ("of", "and", "the", "in", "on", "by")


def _rows(make: Callable[[random.Random, int], dict[str, Any]]) -> list[dict[str, Any]]:
    rng = random.Random(0)
    return [make(rng, index) for index in range(120)]


def _sets(rng: random.Random, index: int) -> dict[str, Any]:
    colours = [one for one in COLOURS if rng.random() < 0.5]
    return {"text": " ".join([*colours, *rng.choices(WORDS, k=4), str(index)]), "label": colours}


def _numbers(rng: random.Random, index: int) -> dict[str, Any]:
    row = _sets(rng, index)
    return {"text": row["text"], "label": 10.0 * len(row["label"])}


def _tags(rng: random.Random, index: int) -> dict[str, Any]:
    words = [*rng.choices((*COLOURS, *WORDS), k=5), str(index)]
    return {"text": words, "label": ["B-COLOUR" if one in COLOURS else "O" for one in words]}


def _answers(rng: random.Random, index: int) -> dict[str, Any]:
    text = " ".join([*rng.choices(COLOURS, k=3), str(index)])
    return {"text": text, "label": text.upper()}


def _language(rng: random.Random, index: int) -> dict[str, Any]:
    return {"text": " ".join([*rng.choices(COLOURS, k=8), str(index)])}


TASKS: dict[str, tuple[Task, Callable[[random.Random, int], dict[str, Any]], str]] = {
    "sets": (TextClassification(target="multi"), _sets, "labels"),
    "numbers": (TextClassification(target="regression"), _numbers, "value"),
    "tags": (TokenClassification(), _tags, "tags"),
    "texts": (Seq2Seq(), _answers, "written"),
    "language": (CausalLM(), _language, "written"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("tasks")
    paths = {}
    for name, (_, make, _) in TASKS.items():
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in _rows(make)))
        paths[name] = str(path)
    images = folder / "images"
    rng = np.random.default_rng(0)
    for index in range(60):
        shade = ("dark", "light")[index % 2]
        pixels = rng.integers(0, 100, (6, 6), dtype=np.uint8) + 150 * (index % 2)
        (images / shade).mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(content, "PNG")
        (images / shade / f"{index}.png").write_bytes(content.getvalue())
    paths["images"] = str(images)
    return paths


@pipeline(enable_cache=False)
def one_task(source: DataSource, task: Task) -> None:
    dataset = load_data(source, task)
    baseline = train_baseline(dataset, task=task)
    evaluate_model(dataset, baseline)
    predict(baseline, source.name)


@pytest.mark.parametrize("name", [*TASKS, "images"])
def test_a_task_goes_through_the_steps(name: str, files: dict[str, str]) -> None:
    task, column = (
        (ImageClassification(), "label") if name == "images" else (TASKS[name][0], TASKS[name][2])
    )
    run = one_task(DataSource(name=files[name]), task)
    assert run is not None
    evaluation: Evaluation = run.steps["evaluate_model"].outputs["evaluation"][0].load()
    (model,) = evaluation.models
    assert [score.metric for score in model.scores] == list(metrics_of(task))
    assert all(score.low <= score.value <= score.high for score in model.scores)
    answers: pd.DataFrame = run.steps["predict"].outputs["predictions"][0].load()
    assert column in answers.columns
    assert len(answers) == (60 if name == "images" else 120)
