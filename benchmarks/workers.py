"""Train the same plan by one process and by several, and compare the curves.

    python benchmarks/workers.py          # benchmarks/results/workers.jsonl
    python benchmarks/workers.py --ray    # the same with two nodes of a Ray cluster; needs Ray

A tiny model without dropout on a part of the built-in corpus: what is left of a difference is
rounding. Seconds are of tiny steps in processes that first load torch, so they say what starting
workers costs, and nothing of how fast several are.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from appending import RESULTS, Run, append_missing
from kill_rounds import a_part_of

from zenml_ftvr.api import plan_for
from zenml_ftvr.data import Dataset, load_dataset
from zenml_ftvr.hardware import detect
from zenml_ftvr.models import quiet, train_tokenizer
from zenml_ftvr.train import granted_team, run_plan
from zenml_ftvr.values import (
    Approach,
    DataSource,
    Full,
    Lora,
    ModelSource,
    Partial,
    TextClassification,
    TrainedModel,
    TrainingPlan,
)
from zenml_ftvr.values.execution import EXECUTION_VARIABLE, Execution, Sharding

STEPS, LOOK_EVERY = 60, 20
COMPARED = ("train/loss", "train/grad_norm", "eval/loss", "eval/accuracy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way of sharing the steps."""

    approach: Approach
    workers: int
    sharding: Sharding = "none"
    target: Literal["local", "ray"] = "local"

    @property
    def key(self) -> dict[str, Any]:
        """What tells it from others."""
        kind = "lora (dora)" if isinstance(self.approach, Lora) else self.approach.kind
        return {
            "kind": kind,
            "workers": self.workers,
            "sharding": self.sharding,
            "target": self.target,
        }


FULL = Full(learning_rate=1e-3, batch_size=16)
LOCAL = (
    Case(approach=FULL, workers=2),
    Case(approach=FULL, workers=3),
    Case(approach=FULL, workers=2, sharding="full"),
    Case(approach=Partial(learning_rate=5e-3, batch_size=16, layers=1), workers=2),
    Case(approach=Lora(learning_rate=4e-3, batch_size=16, rank=4, variant="dora"), workers=2),
)
ON_RAY = (Case(approach=FULL, workers=2, target="ray"),)


def base_without_dropout(dataset: Dataset, folder: Path) -> ModelSource:
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
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with quiet():
        BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return ModelSource(name=str(folder))


def trained(plan: TrainingPlan, dataset: Dataset, granted: Execution) -> tuple[TrainedModel, float]:
    """The model that a step with this grant trains, and its seconds."""
    os.environ[EXECUTION_VARIABLE] = json.dumps(dataclasses.asdict(granted))
    with tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        folder, runs, team = Path(name) / "model", Path(name) / "runs", granted_team(plan, detect())
        model = run_plan(plan, dataset, folder, detect(), runs=runs, team=team)
        return model, time.monotonic() - began


def compared(case: Case, dataset: Dataset, base: ModelSource, granted: Execution) -> dict[str, Any]:
    """The largest differences between the curves of one worker and of the case's."""
    plan = plan_for(dataset, case.approach, base, TextClassification(max_length=48), 0)
    plan = dataclasses.replace(plan, max_steps=STEPS, eval_every_steps=LOOK_EVERY)
    one, seconds_of_one = trained(plan, dataset, Execution(trainer="benchmark", threads=1))
    several, seconds = trained(plan, dataset, granted)
    pairs = list(zip(one.curve, several.curve, strict=True))
    if any((a.step, a.metric) != (b.step, b.metric) for a, b in pairs):
        raise SystemExit(f"{case.key}: the curves have different readings")
    return {
        "largest_difference": {
            metric: max(abs(a.value - b.value) for a, b in pairs if a.metric == metric)
            for metric in COMPARED
        },
        "readings": len(pairs),
        "steps": several.steps_done,
        "seconds_of_one": round(seconds_of_one, 1),
        "seconds_of_several": round(seconds, 1),
    }


@contextlib.contextmanager
def two_nodes() -> Iterator[str]:
    """The address of a Ray cluster of two nodes with a core each, on this machine."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_memory_monitor_refresh_ms": "0"}
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(num_cpus=1)
        yield cluster.address
    finally:
        cluster.shutdown()


def main() -> None:
    """Run the cases that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ray", action="store_true")
    cases = ON_RAY if parser.parse_args().ray else LOCAL
    dataset = a_part_of(load_dataset(DataSource(name="docstrings")))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        base = base_without_dropout(dataset, folder / "base")
        on_ray: dict[str, Any] = {}
        if cases is ON_RAY:
            (folder / "storage").mkdir()
            address = stack.enter_context(two_nodes())
            on_ray = {"ray_address": address, "ray_storage": str(folder / "storage")}

        def runs() -> Iterator[Run]:
            for case in cases:
                granted = Execution(
                    trainer="benchmark",
                    workers=case.workers,
                    threads=case.workers,
                    sharding=case.sharding,
                    target=case.target,
                    **on_ray,
                )

                def measure(case: Case = case, granted: Execution = granted) -> dict[str, Any]:
                    return compared(case, dataset, base, granted)

                yield case.key, measure

        append_missing(RESULTS / "workers.jsonl", runs())


if __name__ == "__main__":
    main()
