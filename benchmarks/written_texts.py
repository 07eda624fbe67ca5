"""Measure seq2seq on sentences that are to be written backwards (generated.py).

    python benchmarks/written_texts.py   # benchmarks/results/written_texts.jsonl

`scratch` with two layers a side and a token a character, and the baseline beside it; scores are of
300 test sentences, none of which was trained on.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from appending import RESULTS, Run, append_missing
from generated import reversed_sentences

from zenml_ftvr.data import Dataset, Rows, row_id_of
from zenml_ftvr.hardware import detect
from zenml_ftvr.models import load
from zenml_ftvr.tasks import score
from zenml_ftvr.train import print_progress, run_plan
from zenml_ftvr.values import (
    Approach,
    Baseline,
    DataSource,
    Scratch,
    Seq2Seq,
    TrainingPlan,
    metrics_of,
)

N_TRAIN, N_VALIDATION, N_TEST = 6_000, 300, 300
DEPTH, STEPS, BATCH_SIZE, LEARNING_RATE, WARMUP_STEPS = 2, 1_500, 32, 1e-3, 100
TASK = Seq2Seq(max_length=48, max_target_length=48)


def dataset_of(seed: int) -> Dataset:
    """Generated sentences, a token a letter; none occurs in two splits."""
    given, wanted = reversed_sentences(N_TRAIN + N_VALIDATION + N_TEST, seed)
    ids = [row_id_of(one) for one in given]
    rows = Rows(pa.table({"row_id": ids, "text": given, "label": wanted}))
    places = range(len(given))
    return Dataset(
        source=DataSource(name="reversed_sentences.csv"),
        train=rows.take(list(places[:N_TRAIN])),
        validation=rows.take(list(places[N_TRAIN : N_TRAIN + N_VALIDATION])),
        test=rows.take(list(places[-N_TEST:])),
        labels=(),
        fingerprint=row_id_of(" ".join(given)) * 2,
        n_duplicates=0,
        n_conflicts=0,
        n_dropped=0,
    )


def measure(approach: Approach, seed: int) -> dict[str, Any]:
    """Train on the generated sentences; scores are of the test split."""
    dataset = dataset_of(seed)
    with tempfile.TemporaryDirectory() as name:
        stepped = isinstance(approach, Scratch)
        plan = TrainingPlan(
            approach=approach,
            task=TASK,
            model=None,
            model_fingerprint=None,
            data_fingerprint=dataset.fingerprint,
            labels=(),
            max_steps=STEPS if stepped else 0,
            batch_size=BATCH_SIZE,
            learning_rate=LEARNING_RATE if stepped else None,
            warmup_steps=WARMUP_STEPS if stepped else 0,
            weight_decay=0.0,
            eval_every_steps=300,
            seed=seed,
            wall_seconds=None,
            predicted_hours=None,
        )
        model = run_plan(plan, dataset, Path(name) / "model", detect(), progress=print_progress())
        loaded = load(model.path)
        answers = loaded.answers(dataset.test)
        first = dataset.test.inputs[0]
        return {
            **{f"test_{metric}": score(answers, metric) for metric in metrics_of(TASK)},
            "n_params": model.n_params,
            "steps": model.steps_done,
            "training_seconds": round(model.seconds, 1),
            "given": first,
            "said": loaded.predict([first])[0].text,
        }


def main() -> None:
    runs: list[Run] = []
    for approach in (Baseline(), Scratch(depth=DEPTH, tokenizer="characters")):

        def run(approach: Approach = approach) -> dict[str, Any]:
            return measure(approach, 0)

        what = "retrieval" if isinstance(approach, Baseline) else "scratch"
        runs.append(({"data": "reversed_sentences", "model": what, "seed": 0}, run))
    append_missing(RESULTS / "written_texts.jsonl", runs)


if __name__ == "__main__":
    main()
