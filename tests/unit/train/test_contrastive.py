"""Training an encoder on pairs: its loss, its schedule, its features, and what it leaves."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import TrainerCallback

from zenml_ftvr.data import Dataset, rows_of_inputs
from zenml_ftvr.models import Encoder, load_encoder
from zenml_ftvr.train import run_plan
from zenml_ftvr.train.brake import Brake
from zenml_ftvr.train.contrastive import PreparedPairs, _sentence_encoder, train_on_pairs
from zenml_ftvr.train.faults import Diverged
from zenml_ftvr.train.pairs import make_pairs
from zenml_ftvr.train.trainer import Stepping
from zenml_ftvr.values import Contrastive, Hardware, TextClassification, TrainingPlan

FAMILIES = ("bert", "distilbert", "gpt2")
N_ROWS = 48
N_PAIRS = 96

Pair = tuple[int, int, float]


class Recorder(TrainerCallback):
    """Keeps what is logged at each step, and counts the steps."""

    def __init__(self) -> None:
        self.logs: dict[int, dict[str, float]] = {}
        self.n_steps = 0

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in logs:
            self.logs[state.global_step] = logs

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.n_steps += 1


@pytest.fixture
def encoder(bert_folder: Path) -> Encoder:
    return load_encoder(bert_folder, TextClassification(max_length=32), "cpu")


@pytest.fixture
def plan(plan_of: Callable[..., TrainingPlan]) -> TrainingPlan:
    """Few enough steps for each to be logged."""
    return plan_of(
        Contrastive(), max_steps=6, batch_size=8, learning_rate=1e-3, warmup_steps=0, seed=0
    )


@pytest.fixture
def pairs(dataset: Dataset) -> list[Pair]:
    """Of the first rows of the training split."""
    label_ids = dataset.label_ids(dataset.train)[:N_ROWS]
    return make_pairs(label_ids, dataset.train.row_ids[:N_ROWS], N_PAIRS, 0)


@pytest.fixture
def train(
    dataset: Dataset, pairs: list[Pair], plan: TrainingPlan, tmp_path: Path
) -> Callable[..., Recorder]:
    """Trains an encoder on pairs of the training split; what the callback saw."""

    def run(
        encoder: Encoder,
        *,
        of: list[Pair] = pairs,
        **fields: Any,
    ) -> Recorder:
        recorder, texts = Recorder(), dataset.train.texts
        changed = replace(plan, **fields)
        prepared = PreparedPairs(encoder=encoder, texts=texts, pairs=of)
        state = train_on_pairs(prepared, changed, tmp_path / "work", [recorder])
        assert state.global_step == recorder.n_steps
        return recorder

    return run


def cosines(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The cosine similarity [rows, rows] of features [rows, hidden]."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(unit @ unit.T)


def without_dropout(encoder: Encoder) -> Encoder:
    for module in encoder.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return encoder


def digest(encoder: Encoder) -> str:
    """Of every bit of the weights."""
    found = hashlib.sha256()
    for tensor in encoder.model.state_dict().values():
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_trained_is_the_feature_that_the_encoder_gives(
    family: str, base_folders: dict[str, Path], dataset: Dataset, train: Callable[..., Recorder]
) -> None:
    encoder = load_encoder(
        base_folders[family], TextClassification(max_length=8), "cpu"
    )  # most texts are cut
    texts = dataset.train.texts[:40]
    before = encoder.features(rows_of_inputs(texts, TextClassification()))
    train(encoder)
    after = encoder.features(rows_of_inputs(texts, TextClassification()))
    theirs = _sentence_encoder(encoder.model, encoder.tokenizer, 8)
    assert after == pytest.approx(theirs.encode(texts, show_progress_bar=False), abs=1e-5)
    assert np.abs(after - before).max() > 0.01


def test_the_loss_is_the_squared_error_of_the_cosine(
    encoder: Encoder, dataset: Dataset, pairs: list[Pair], train: Callable[..., Recorder]
) -> None:
    similar = cosines(encoder.features(dataset.train.take(range(N_ROWS))))
    errors = [(similar[one, other] - aim) ** 2 for one, other, aim in pairs]
    without_dropout(encoder)
    seen = train(encoder, max_steps=1, batch_size=N_PAIRS, learning_rate=1e-12)
    assert seen.logs[1]["loss"] == pytest.approx(float(np.mean(errors)), abs=1e-5)


def test_texts_that_were_not_trained_on_part_by_label(
    encoder: Encoder, dataset: Dataset, train: Callable[..., Recorder]
) -> None:
    rows = dataset.validation
    truth = np.asarray(dataset.label_ids(rows))
    equal = truth[:, None] == truth[None, :]
    apart = ~np.eye(len(truth), dtype=bool)

    def margin() -> float:
        similar = cosines(encoder.features(rows))
        return float(similar[equal & apart].mean() - similar[~equal].mean())

    pairs = make_pairs(dataset.label_ids(dataset.train), dataset.train.row_ids, 640, 0)
    assert margin() < 0.1
    seen = train(encoder, of=pairs, max_steps=40, batch_size=16, learning_rate=3e-3)
    assert margin() > 0.25
    losses = [log["loss"] for log in seen.logs.values()]
    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:8])


def test_the_rate_rises_for_the_warm_up_and_then_falls_in_a_line(
    encoder: Encoder, train: Callable[..., Recorder]
) -> None:
    seen = train(encoder, max_steps=6, learning_rate=1e-3, warmup_steps=2)
    rates = [seen.logs[step]["learning_rate"] for step in range(1, 7)]
    assert rates == pytest.approx([0, 0.5e-3, 1e-3, 0.75e-3, 0.5e-3, 0.25e-3])


def test_pairs_are_gone_through_again_until_the_steps_are_taken(
    encoder: Encoder, pairs: list[Pair], train: Callable[..., Recorder]
) -> None:
    seen = train(encoder, of=pairs[:10], max_steps=7, batch_size=4)
    assert list(seen.logs) == list(range(1, 8))
    assert seen.logs[7]["epoch"] == pytest.approx(2 + 1 / 3)


def test_one_pass_sees_every_pair_once(
    encoder: Encoder, dataset: Dataset, pairs: list[Pair], train: Callable[..., Recorder]
) -> None:
    similar = cosines(encoder.features(dataset.train.take(range(N_ROWS))))
    errors = [(similar[one, other] - aim) ** 2 for one, other, aim in pairs]
    without_dropout(encoder)
    seen = train(encoder, max_steps=N_PAIRS // 8, batch_size=8, learning_rate=1e-12)
    losses = [logs["loss"] for logs in seen.logs.values()]
    assert len(losses) == 12
    assert np.mean(losses) == pytest.approx(float(np.mean(errors)), abs=1e-5)
    assert np.std(losses) > 1e-3  # of other pairs each


def test_equal_inputs_give_equal_bits_and_another_seed_others(
    bert_folder: Path, train: Callable[..., Recorder]
) -> None:
    def trained(seed: int) -> str:
        torch.manual_seed(np.random.default_rng().integers(2**31))  # whatever went before
        encoder = load_encoder(bert_folder, TextClassification(max_length=32), "cpu")
        train(encoder, seed=seed)
        return digest(encoder)

    assert trained(0) == trained(0) != trained(1)


PROGRAM = """
import base64, hashlib, json, pickle, sys
from pathlib import Path
from zenml_ftvr.models import load_encoder
from zenml_ftvr.train.contrastive import PreparedPairs, train_on_pairs
from zenml_ftvr.values import TextClassification
folder, work, texts, pairs, plan = json.load(sys.stdin)
encoder = load_encoder(Path(folder), TextClassification(max_length=32), "cpu")
plan = pickle.loads(base64.b64decode(plan))
prepared = PreparedPairs(encoder=encoder, texts=texts, pairs=[tuple(pair) for pair in pairs])
train_on_pairs(prepared, plan, Path(work), [])
found = hashlib.sha256()
for tensor in encoder.model.state_dict().values():
    found.update(tensor.numpy().tobytes())
print(found.hexdigest())
"""


def test_another_process_gives_the_same_bits_and_prints_nothing(
    bert_folder: Path,
    dataset: Dataset,
    pairs: list[Pair],
    plan: TrainingPlan,
    train: Callable[..., Recorder],
    tmp_path: Path,
) -> None:
    encoder = load_encoder(bert_folder, TextClassification(max_length=32), "cpu")
    train(encoder)
    said = base64.b64encode(pickle.dumps(plan)).decode()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([str(bert_folder), str(tmp_path), dataset.train.texts, pairs, said]),
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            # Another number of threads adds in another order.
            "OMP_NUM_THREADS": str(torch.get_num_threads()),
        },
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"{digest(encoder)}\n"
    assert done.stderr == ""


def test_a_loss_that_is_no_number_ends_the_training_and_names_the_rows_of_the_pairs(
    encoder: Encoder, pairs: list[Pair], train: Callable[..., Recorder]
) -> None:
    with torch.no_grad():
        encoder.model.embeddings.word_embeddings.weight.fill_(math.nan)
    with pytest.raises(Diverged, match="loss of 'contrastive' became nan by step 1") as told:
        train(encoder, max_steps=2)
    named = str(told.value).partition("counted from 0: ")[2].partition(".")[0].split(", ")
    rows = [int(row) for row in named]
    assert len(rows) == 2 * 8
    together = {frozenset(pair[:2]) for pair in pairs}
    assert all(frozenset(two) in together for two in zip(rows[::2], rows[1::2], strict=True))


@pytest.mark.parametrize("part_rows", [1, 4])
def test_a_batch_in_parts_gives_the_readings_and_features_of_a_whole_one(
    bert_folder: Path,
    dataset: Dataset,
    pairs: list[Pair],
    plan: TrainingPlan,
    part_rows: int,
    tmp_path: Path,
) -> None:
    def trained(part: int) -> tuple[list[list[float]], npt.NDArray[np.float32]]:
        # Dropout draws for each part anew.
        encoder = without_dropout(
            load_encoder(bert_folder, TextClassification(max_length=32), "cpu")
        )
        prepared = PreparedPairs(encoder=encoder, texts=dataset.train.texts, pairs=pairs)
        stepping = Stepping(brake=Brake(None, time.monotonic()), part_rows=part)
        recorder = Recorder()
        prepared.trainer(plan, tmp_path / str(part), [recorder], stepping).train()
        read = [[log["loss"], log["grad_norm"]] for log in recorder.logs.values()]
        return read, encoder.features(dataset.validation)

    untrained = load_encoder(bert_folder, TextClassification(max_length=32), "cpu")
    (read, features), (read_in_parts, in_parts) = trained(plan.batch_size), trained(part_rows)
    assert len(read) == plan.max_steps
    np.testing.assert_allclose(read_in_parts, read, rtol=1e-3)
    # Not the weights: a gradient of nothing, as of a key's bias, is rounding made large by Adam.
    assert np.abs(features - untrained.features(dataset.validation)).max() > 0.05
    np.testing.assert_allclose(in_parts, features, atol=1e-3)


def test_the_model_stays_where_it_is_and_ends_ready_to_predict(
    encoder: Encoder, train: Callable[..., Recorder]
) -> None:
    train(encoder)
    assert encoder.model.device == torch.device("cpu")
    assert not encoder.model.training


def test_no_file_is_left(
    encoder: Encoder,
    train: Callable[..., Recorder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    train(encoder)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_importing_it_loads_neither_torch_nor_transformers() -> None:
    program = (
        "import zenml_ftvr.train.contrastive, json, sys\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = set(json.loads(done.stdout))
    heavy = {"torch", "transformers", "sentence_transformers", "datasets", "sklearn"}
    assert "zenml_ftvr" in loaded
    assert loaded & heavy == set()


def test_pairs_that_memory_does_not_hold_are_computed_in_parts(
    plan: TrainingPlan,
    dataset: Dataset,
    hardware: Hardware,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ZENML_FTVR_CACHE", str(tmp_path / "cache"))
    tried, ours = [], PreparedPairs.trainer

    def trainer(
        self: PreparedPairs, plan: TrainingPlan, folder: Path, callbacks: list[Any], by: Stepping
    ) -> Any:
        tried.append(by.part_rows)
        if by.part_rows > 2:
            torch.empty(2**50)  # torch's own error
        return ours(self, plan, folder, callbacks, by)

    monkeypatch.setattr(PreparedPairs, "trainer", trainer)
    model = run_plan(plan, dataset, tmp_path / "model", hardware)
    assert tried == [8, 4, 2]
    assert "computed 2 at a time, 4 times a step" in " ".join(model.notes)
