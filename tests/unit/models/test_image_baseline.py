"""Pixels of small copies, and logistic regression."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zenml_ftvr.data import Dataset, dataset_from, rows_of_inputs
from zenml_ftvr.models.baselines.images import SIDE, fit_image_baseline, load_image_baseline
from zenml_ftvr.tasks import score, work_for
from zenml_ftvr.tasks.image_classification import ImageWork
from zenml_ftvr.values import DataSource, ImageClassification

TASK = ImageClassification()


def half_bright(rng: random.Random) -> dict[str, object]:
    """Bright on the left or on the right, in any size and colour."""
    label = rng.choice(["left", "right"])
    width, height = 2 * rng.randint(8, 20), rng.randint(16, 40)
    levels = np.full((height, width, 3), rng.randint(10, 60), dtype=np.uint8)
    half = slice(None, width // 2) if label == "left" else slice(width // 2, None)
    levels[:, half, rng.randint(0, 2)] = 250
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "PNG")
    return {"text": stream.getvalue(), "label": label}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    rng = random.Random(0)
    rows = [half_bright(rng) for _ in range(120)]
    return dataset_from(rows, DataSource(name="made", fatal=()), task=TASK)


@pytest.fixture(scope="module")
def work(dataset: Dataset) -> ImageWork:
    made = work_for(TASK, dataset)
    assert isinstance(made, ImageWork)
    return made


def test_it_learns_where_images_are_bright(dataset: Dataset, work: ImageWork) -> None:
    baseline = fit_image_baseline(work, dataset.train, 0)
    answers = work.answers(baseline.outputs(dataset.test), dataset.test)
    assert score(answers, "accuracy") > 0.9
    assert baseline.n_params == SIDE * SIDE + 1


def test_what_was_saved_answers_alike(dataset: Dataset, work: ImageWork, tmp_path: Path) -> None:
    baseline = fit_image_baseline(work, dataset.train, 0)
    tmp_path.joinpath("model").mkdir()
    baseline.save(tmp_path / "model")
    again = load_image_baseline(work, tmp_path / "model")
    assert np.array_equal(again.outputs(dataset.test), baseline.outputs(dataset.test))


def test_a_class_without_a_training_row_is_never_said(dataset: Dataset) -> None:
    work = ImageWork(task=TASK, labels=("left", "never", "right"))
    outputs = fit_image_baseline(work, dataset.train, 0).outputs(dataset.test)
    assert outputs.shape == (len(dataset.test), 3)
    assert not (outputs.argmax(1) == 1).any()
    [said] = work.predictions(outputs[:1], dataset.test.inputs[:1])
    assert said.probabilities["never"] == 0.0
    assert 0.5 <= said.probability <= 1.0


def test_progress_is_in_rows(dataset: Dataset, work: ImageWork) -> None:
    seen: list[tuple[int, int]] = []
    rows = rows_of_inputs(dataset.test.inputs, TASK)
    fit_image_baseline(work, dataset.train, 0).outputs(rows, lambda *one: seen.append(one))
    assert seen[-1] == (len(rows), len(rows))
