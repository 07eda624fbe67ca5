"""What the training runtime costs beyond transformers' Trainer: `runtime_overhead_ratio`.

    python benchmarks/trainer_overhead.py [--pairs 8]   # benchmarks/results/trainer_overhead.jsonl

A pair is the same training twice in one process, one after the other, in an order that alternates:
MiniLM, all weights, with the same rows, batch size, schedule, evaluations, saves and readings. Rows
are cut to one length, so that no order of them costs more padding than another. Ours holds what a
run of a plan holds: the journal, signs of life, whole checkpoints on disk (fsync), the checks of
every loss, gradient and weight, the brake, the memory watch. Both are measured in CPU seconds of
this process and its threads, since the machine may be shared; wall seconds stand beside them. What
both do before the first step (loading, encoding) is not measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appending import RESULTS, Run, append_missing

from zenml_ftvr.api import plan_for
from zenml_ftvr.data import Dataset, dataset_from, load_dataset
from zenml_ftvr.hardware import peak_memory
from zenml_ftvr.models import quiet, resolve
from zenml_ftvr.train import Prepared, no_log, prepare, run_loop, silent
from zenml_ftvr.train.attempts import attempt_at
from zenml_ftvr.values import DataSource, Full, ModelSource, TextClassification, TrainingPlan

TOKENS = 32
WORDS = 40  # of which there are more than TOKENS tokens: every row is cut to the same length
ROWS = 320  # of the corpus, so that an evaluation takes about as long as three steps
STEPS, EVERY, BATCH = 96, 24, 16
"""About a minute of training, with four evaluations and saves: what a run costs once, 0.3 s of
collecting freed memory before the first step, is 3 % of one that takes 12 s."""


def rows() -> Dataset:
    """Texts of the built-in corpus with at least so many words."""
    whole = load_dataset(DataSource(name="docstrings"))
    long = [
        {"text": text, "label": label}
        for split in (whole.train, whole.validation, whole.test)
        for text, label in zip(split.texts, split.labels, strict=True)
        if len(text.split()) >= WORDS
    ]
    every = max(1, len(long) // ROWS)  # rows of all three splits, which are the same again
    return dataset_from(long[::every], DataSource(name="long texts", rare_labels="drop"))


def ours(plan: TrainingPlan, prepared: Prepared, folder: Path) -> None:
    """The steps of a plan as `run_plan` takes them."""
    began = time.monotonic()
    with attempt_at(plan, folder, began) as attempt, peak_memory():
        seed = attempt.folder / f"seed-{plan.seed}"
        seed.mkdir()
        run_loop(plan, prepared, seed, no_log, silent, began, attempt=attempt)


def bare(plan: TrainingPlan, prepared: Prepared, folder: Path) -> None:
    """The same with transformers alone."""
    import numpy as np
    from transformers import Trainer, TrainingArguments
    from transformers.trainer_callback import PrinterCallback

    def accuracy(seen: Any) -> dict[str, float]:
        return {"accuracy": float(np.mean(seen.predictions.argmax(-1) == seen.label_ids))}

    trainer = Trainer(
        model=prepared.trainable.model,
        args=TrainingArguments(
            output_dir=str(folder),
            max_steps=plan.max_steps,
            per_device_train_batch_size=plan.batch_size,
            per_device_eval_batch_size=32,
            learning_rate=plan.learning_rate or 0.0,
            weight_decay=plan.weight_decay,
            warmup_steps=plan.warmup_steps,
            lr_scheduler_type="linear",
            eval_strategy="steps",
            eval_steps=plan.eval_every_steps,
            save_strategy="steps",
            save_steps=plan.eval_every_steps,
            save_total_limit=1,
            load_best_model_at_end=True,
            metric_for_best_model="accuracy",
            logging_steps=1,
            seed=plan.seed,
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
            use_cpu=True,
            remove_unused_columns=False,
        ),
        train_dataset=prepared.train,
        eval_dataset=prepared.validation,
        data_collator=prepared.collate,
        compute_metrics=accuracy,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()


@contextmanager
def measured(into: dict[str, Any], name: str) -> Iterator[None]:
    """CPU and wall seconds of the body."""
    cpu, wall = time.process_time(), time.monotonic()
    yield
    into[f"{name}_cpu_seconds"] = round(time.process_time() - cpu, 3)
    into[f"{name}_wall_seconds"] = round(time.monotonic() - wall, 3)


def pairs(n_pairs: int, n_threads: int) -> Iterator[Run]:
    """Ours first, then bare first, and so on; a few steps before them warm both up."""
    import torch

    torch.set_num_threads(n_threads)
    dataset, model = rows(), ModelSource()
    approach = Full(learning_rate=5e-5, batch_size=BATCH)
    plan = plan_for(dataset, approach, model, TextClassification(max_length=TOKENS), 0)
    plan = dataclasses.replace(plan, max_steps=STEPS, eval_every_steps=EVERY, wall_seconds=36_000.0)
    base = resolve(model)

    few = dataclasses.replace(plan, max_steps=4, eval_every_steps=2)

    def once(
        how: Callable[[TrainingPlan, Prepared, Path], None],
        into: dict[str, Any],
        plan: TrainingPlan = plan,
    ) -> None:
        prepared = prepare(plan, dataset, base)
        lengths = {*prepared.train.lengths, *prepared.validation.lengths}
        if lengths != {TOKENS}:
            raise SystemExit(f"rows of {sorted(lengths)} tokens; all must have {TOKENS}.")
        with tempfile.TemporaryDirectory() as name, quiet(), measured(into, how.__name__):
            how(plan, prepared, Path(name))

    warm = False

    def measure(order: tuple[Callable[[TrainingPlan, Prepared, Path], None], ...]) -> Any:
        nonlocal warm
        if not warm:
            for how in order:
                once(how, {}, few)
            warm = True
        took: dict[str, Any] = {}
        for how in order:
            once(how, took)
        ratio = took["ours_cpu_seconds"] / took["bare_cpu_seconds"]
        return {**took, "ratio": round(ratio, 4), "steps": STEPS, "threads": n_threads}

    for pair in range(n_pairs):
        order = (ours, bare) if pair % 2 == 0 else (bare, ours)
        yield {"pair": pair}, lambda order=order: measure(order)


def main() -> None:
    """Measure the pairs that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    append_missing(RESULTS / "trainer_overhead.jsonl", pairs(given.pairs, given.threads))


if __name__ == "__main__":
    main()
