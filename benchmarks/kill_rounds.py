"""Kill trainings at random moments, let them go on, and compare weights with an undisturbed run.

    python benchmarks/kill_rounds.py [--rounds 50]   # benchmarks/results/kill_rounds.jsonl

Each round trains a tiny model on a part of the built-in corpus, in a process that SIGKILL ends up
to three times, at moments drawn over the length of an undisturbed run: in steps, in evaluations, in
saves, in the setting up. Rounds take turns between the approaches. A round is right where sha256
over the trained weights, which are those of the best evaluation, and every reading of the curve to
the last step are those of the undisturbed run.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appending import RESULTS, Run, append_missing

from zenml_ftvr.api import plan_for
from zenml_ftvr.data import Dataset, dataset_from, load_dataset
from zenml_ftvr.hardware import detect
from zenml_ftvr.models import quiet, train_tokenizer
from zenml_ftvr.train import run_plan
from zenml_ftvr.values import (
    Approach,
    DataSource,
    Full,
    Lora,
    ModelSource,
    Partial,
    Scratch,
    TextClassification,
    TrainingPlan,
)

EVERY, N_CLASSES = 3, 3  # row and classes of the built-in corpus: a tiny model learns them
STEPS = 40
KILLS = 3  # a round, at most
APPROACHES: tuple[Approach, ...] = (
    Full(learning_rate=1e-3, batch_size=16),
    Lora(learning_rate=4e-3, batch_size=16, rank=4),
    Partial(learning_rate=5e-3, batch_size=16, layers=1),
    Scratch(batch_size=16, depth=2, vocabulary_size=400),
)


def a_part_of(dataset: Dataset) -> Dataset:
    """Every third row of three classes of each split."""
    return dataset_from(
        [
            {"text": text, "label": label}
            for split in (dataset.train, dataset.validation, dataset.test)
            for text, label in list(zip(split.texts, split.labels, strict=True))[::EVERY]
            if label in dataset.labels[:N_CLASSES]
        ]
    )


def tiny_base(dataset: Dataset, folder: Path) -> ModelSource:
    """Two layers of width 32 with random weights, and a tokenizer of the training texts."""
    from transformers import BertConfig, BertModel, set_seed

    set_seed(7)
    tokenizer = train_tokenizer(dataset.train.texts, 400, 64)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.1,
        pad_token_id=tokenizer.pad_token_id,
    )
    with quiet():
        BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return ModelSource(name=str(folder))


def train_in_a_process(plan: TrainingPlan, dataset: Dataset, root: Path) -> int:
    """The id of a process that trains `plan`; it writes `record.json` at its end."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        (root / "log").touch()
        log = os.open(root / "log", os.O_WRONLY | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        model = run_plan(plan, dataset, root / "model", detect(), runs=root / "runs")
        curve = [[point.step, point.metric, point.value] for point in model.curve]
        failed = len(model.ledger.entries) - 1
        record = {"notes": model.notes, "failed": failed, "curve": curve}
        (root / "record.json").write_text(json.dumps(record))
        code = 0
    finally:
        os._exit(code)


def weights_of(root: Path) -> str:
    """sha256 over the trained weights."""
    files = sorted((root / "model").glob("*.safetensors"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


class Rounds:
    """Plans of the approaches, and what each comes to when it is left alone."""

    def __init__(self, dataset: Dataset, base: ModelSource) -> None:
        self._dataset = dataset
        self._base = base
        self._alone: dict[str, tuple[str, Any, float]] = {}

    def plan(self, approach: Approach) -> TrainingPlan:
        """Few steps, with a look at every fourth."""
        task = TextClassification(max_length=48)
        plan = plan_for(self._dataset, approach, self._base, task, 0)
        return dataclasses.replace(plan, max_steps=STEPS, eval_every_steps=4)

    def alone(self, plan: TrainingPlan) -> tuple[str, Any, float]:
        """The weights and the curve of an undisturbed run, and its seconds."""
        if plan.kind not in self._alone:
            with tempfile.TemporaryDirectory() as name:
                began = time.monotonic()
                status = os.waitpid(train_in_a_process(plan, self._dataset, Path(name)), 0)[1]
                if status:
                    raise SystemExit((Path(name) / "log").read_text())
                seconds = time.monotonic() - began
                curve = json.loads((Path(name) / "record.json").read_text())["curve"]
                self._alone[plan.kind] = weights_of(Path(name)), curve, seconds
        return self._alone[plan.kind]

    def round(self, number: int, approach: Approach) -> dict[str, Any]:
        """Kill, go on, kill, go on, kill, go on to the end."""
        plan = self.plan(approach)
        expected, curve, seconds = self.alone(plan)
        rng = random.Random(number)  # noqa: S311  (moments, no secrets)
        killed_after = []
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            while len(killed_after) < KILLS:
                wait = rng.uniform(0.0, seconds)
                pid = train_in_a_process(plan, self._dataset, root)
                time.sleep(wait)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL:
                    killed_after.append(round(wait, 2))
                elif killed_after:
                    break  # it had ended already
                else:
                    (root / "record.json").unlink()  # too late for a first kill: once more
            if not (root / "record.json").exists():
                status = os.waitpid(train_in_a_process(plan, self._dataset, root), 0)[1]
                if status:
                    return {"equal": False, "killed_after": killed_after, "error": _tail(root)}
            record = json.loads((root / "record.json").read_text())
            return {
                "equal": weights_of(root) == expected and record["curve"] == curve,
                "readings": len(curve),
                "killed_after": killed_after,
                "undisturbed_seconds": round(seconds, 2),
                "failed_attempts": record["failed"],
                "notes": record["notes"],
            }


def _tail(root: Path) -> str:
    return (root / "log").read_text()[-500:]


def main() -> None:
    """Run the rounds that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    n_rounds = parser.parse_args().rounds
    import peft  # noqa: F401  (else every process does, and takes longest over it)
    import transformers.trainer  # noqa: F401

    dataset = a_part_of(load_dataset(DataSource(name="docstrings")))
    with tempfile.TemporaryDirectory() as name:
        rounds = Rounds(dataset, tiny_base(dataset, Path(name)))

        def runs() -> Iterator[Run]:
            for number in range(n_rounds):
                approach = APPROACHES[number % len(APPROACHES)]

                def measure(number: int = number, approach: Approach = approach) -> dict[str, Any]:
                    return rounds.round(number, approach)

                yield {"round": number, "kind": approach.kind}, measure

        append_missing(RESULTS / "kill_rounds.jsonl", runs())


if __name__ == "__main__":
    main()
