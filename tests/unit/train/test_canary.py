"""A word of a test row reaches nothing that is fitted; one of a training row does."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from zenml_ftvr.data import Dataset, Rows, row_id_of, rows_of_inputs, split_of
from zenml_ftvr.models import resolve
from zenml_ftvr.pilot import calibrate, screen
from zenml_ftvr.tasks.text_classification import encode
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    KINDS,
    Approach,
    Hardware,
    Kind,
    ModelSource,
    TextClassification,
    TrainingPlan,
)

TASK = TextClassification(max_length=32)

# Letters that occur in no other row, so that even a piece of the word gives it away.
TEST_WORD = "\u10e5\u10d0\u10e0\u10d7"
TRAIN_WORD = "\u0531\u0575\u0562\u0583".lower()


def _falls_into(where: str, word: str) -> str:
    """A text with the word whose hash puts it into that split."""
    for number in range(1_000):
        text = f"keel mast {word} {number}"
        if split_of(row_id_of(text), 0.2, 0.2) == where:
            return text
    raise AssertionError(f"no text fell into {where}")


@pytest.fixture(scope="module")
def watched(
    make_texts: Callable[..., tuple[list[str], list[str]]], split: Callable[..., Dataset]
) -> Dataset:
    """Rows of which one test row and one training row hold a word of their own."""
    texts, labels = make_texts(150)
    texts += [_falls_into("test", TEST_WORD), _falls_into("train", TRAIN_WORD)]
    made = split(texts, [*labels, "sailing", "sailing"])
    assert sum(TEST_WORD in text for text in made.test.texts) == 1
    assert sum(TRAIN_WORD in text for text in made.train.texts) == 1
    return made


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is tokenised, counted or trained on from now on."""
    texts: list[str] = []

    def recording(inner: Callable[..., Any], place: int) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            found = args[place]
            texts.extend(found.texts if isinstance(found, Rows) else found)
            return inner(*args, **options)

        return call

    places = [
        ("zenml_ftvr.tasks.text_classification", "encode", 1),
        ("zenml_ftvr.train.contrastive", "encode", 1),
        ("zenml_ftvr.models.build", "train_tokenizer", 0),
        ("zenml_ftvr.train.run", "fit_baseline", 1),
        ("zenml_ftvr.pilot.calibrate.solved", "fit_baseline", 1),
        ("zenml_ftvr.pilot.folds", "fit_baseline", 1),
        ("zenml_ftvr.pilot.pilots", "fit_baseline", 1),
    ]
    for module_name, name, place in places:
        module = importlib.import_module(module_name)
        monkeypatch.setattr(module, name, recording(getattr(module, name), place))
    return texts


def reached(word: str, texts: Sequence[str]) -> bool:
    return any(word in text for text in texts)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No features from before, which would keep texts from being read again."""
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("kind", KINDS)
def test_training_reads_no_test_row(
    kind: Kind,
    watched: Dataset,
    seen: list[str],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    plan = plan_of(learns[kind], of=watched)
    if plan.max_steps:
        plan = dataclasses.replace(plan, max_steps=2, eval_every_steps=2)
    run_plan(plan, watched, tmp_path / "model", hardware)
    assert reached(TRAIN_WORD, seen)
    assert not reached(TEST_WORD, seen)
    assert set(seen) <= {*watched.train.texts, *watched.validation.texts}


@pytest.mark.usefixtures("own_cache")
def test_calibrating_and_screening_read_no_test_row(
    watched: Dataset,
    seen: list[str],
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    hardware: Hardware,
    bert_folder: Path,
) -> None:
    from zenml_ftvr.api import basis_for, profile_dataset
    from zenml_ftvr.values import Budget, Request

    base = resolve(ModelSource(name=str(bert_folder)))
    request = Request(
        budget=Budget(hours=1),
        approaches=tuple(learns.values()),
        base_model=base.source,
        task=TASK,
    )
    profile = profile_dataset(watched, base, request)
    basis = basis_for(profile, base, request)
    calibration = calibrate(watched, base, basis, request.approaches, hardware)
    assert {arm.kind for arm in calibration.arms} == set(KINDS)
    screened = screen(watched, base, KINDS, TASK, "cpu", 0)
    assert len(screened.measured) == 2
    assert reached(TRAIN_WORD, seen)
    assert not reached(TEST_WORD, seen)


@pytest.mark.parametrize("kind", ["baseline", "scratch"])
def test_only_training_words_enter_a_vocabulary(
    kind: Kind,
    watched: Dataset,
    plan_of: Callable[..., TrainingPlan],
    learns: dict[Kind, Approach],
    hardware: Hardware,
    tmp_path: Path,
) -> None:
    import skops.io

    from zenml_ftvr.models.resolve import load_tokenizer

    plan = plan_of(learns[kind], of=watched)
    if plan.max_steps:
        plan = dataclasses.replace(plan, max_steps=2, eval_every_steps=2)
    folder = Path(run_plan(plan, watched, tmp_path / "model", hardware).path)
    if kind == "baseline":
        vocabulary = "".join(skops.io.load(folder / "baseline.skops")[0].vocabulary_)
    else:
        tokenizer = load_tokenizer(folder)
        vocabulary = "".join(tokenizer.get_vocab())
        assert tokenizer.unk_token in tokenizer.tokenize(TEST_WORD)
        assert tokenizer.unk_token not in tokenizer.tokenize(TRAIN_WORD)
    assert set(TRAIN_WORD) <= set(vocabulary)
    assert not set(TEST_WORD) & set(vocabulary)


def test_the_recorder_hears_a_text_that_is_encoded(seen: list[str], bert_folder: Path) -> None:
    from zenml_ftvr.models import load_encoder

    load_encoder(bert_folder, TASK, "cpu").features(rows_of_inputs([TEST_WORD], TASK))
    assert seen == [TEST_WORD]
    assert encode is not importlib.import_module("zenml_ftvr.tasks.text_classification").encode
