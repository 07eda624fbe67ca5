"""Pretraining on real text: the rest of the docstrings, before a few labelled ones."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest

from zenml_ftvr.api import plan_for
from zenml_ftvr.data import make_dataset, read_corpus
from zenml_ftvr.models import load, save_trainable
from zenml_ftvr.train import prepare, run_loop, silent
from zenml_ftvr.train.pretrain import pretrained_body
from zenml_ftvr.values import DataSource, Scratch, TextClassification

N_LABELLED = 900


@pytest.mark.slow
@pytest.mark.timeout(1200)  # it took 6 minutes beside other work on two cores
def test_masked_language_is_learnt_from_real_text_and_the_fine_tuned_model_loads(
    tmp_path: Path,
) -> None:
    texts, labels = read_corpus("docstrings", 0)
    dataset = make_dataset(DataSource(name="docstrings"), texts[:N_LABELLED], labels[:N_LABELLED])
    approach = Scratch(
        depth=2, vocabulary_size=2_000, epochs=12, pretrain_on="docstrings", pretrain_epochs=3
    )
    task = TextClassification(max_length=64)
    plan = plan_for(dataset, approach, None, task, 0)
    prepared = prepare(plan, dataset, None)

    outcome = pretrained_body(prepared.trainable, plan, dataset, None, tmp_path / "pretraining")

    assert outcome is not None
    # A guess by frequency alone is the entropy of single pieces, some 6 nats here.
    assert outcome.loss_after < outcome.loss_before - 1.5
    assert f"{len(dataset.test):,} with the text of a test row" in outcome.statements[0]
    started = time.monotonic()
    work = tmp_path / "steps"
    run_loop(plan, prepared, work, lambda metrics, step: None, silent, started)
    save_trainable(prepared.trainable, None, plan, prepared.work, tmp_path / "model")
    model = load(tmp_path / "model")
    again = load(tmp_path / "model")
    test = dataset.test.texts
    answers = [one.label for one in model.predict(test)]
    accuracy = float(np.mean([a == b for a, b in zip(answers, dataset.test.labels, strict=True)]))
    majority = max(dataset.test.labels.count(label) for label in dataset.labels) / len(test)
    assert accuracy > majority + 0.2
    np.testing.assert_array_equal(model.logits(test[:20]), again.logits(test[:20]))
    assert dataclasses.asdict(plan.approach)["pretrain_on"] == "docstrings"
