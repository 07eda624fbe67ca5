"""What `hub_server.running_client` starts: calls come as JSON lines, answers go back the same way.

The libraries read HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE when they are imported; this process has
an environment of its own for them.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TEXT = "bishop takes pawn"


def resolved(source: dict[str, Any]) -> Any:
    """Where the base model is, and what it is."""
    from zenml_ftvr.models import resolve

    base = resolve(_model_source(source))
    return {
        "folder": str(base.folder),
        "fingerprint": base.fingerprint,
        "n_params": base.architecture.n_params,
        "files": sorted(path.name for path in base.folder.iterdir()),
    }


def features(source: dict[str, Any]) -> Any:
    """The first feature of a text, from the base model's encoder."""
    from zenml_ftvr.data import rows_of_inputs
    from zenml_ftvr.models import load_encoder, resolve
    from zenml_ftvr.values import TextClassification

    task = TextClassification(max_length=16)

    base = resolve(_model_source(source))
    encoder = load_encoder(base.folder, task, "cpu", base.source.allow)
    return float(encoder.features(rows_of_inputs([TEXT], task))[0, 0])


def saved_adapter(source: dict[str, Any]) -> Any:
    """The logits of a text by an adapter on the base model, which is then saved in a folder."""
    import torch

    from zenml_ftvr.models import build, resolve, save_trainable
    from zenml_ftvr.tasks import TargetScale, make_work
    from zenml_ftvr.values import Lora, TextClassification, TrainingPlan

    folder = Path(source.pop("folder"))
    base = resolve(_model_source(source))
    plan = TrainingPlan(
        approach=Lora(rank=4),
        task=TextClassification(max_length=16),
        model=base.source,
        model_fingerprint=base.fingerprint,
        data_fingerprint="made by hand",
        labels=("a", "b", "c"),
        max_steps=1,
        batch_size=1,
        learning_rate=1e-3,
        warmup_steps=0,
        weight_decay=0.0,
        eval_every_steps=1,
        seed=3,
        wall_seconds=None,
        predicted_hours=None,
    )
    trainable = build(plan, base, [])
    for name, parameter in trainable.model.named_parameters():
        if "lora_B" in name:  # zero until trained: the adapter would change nothing
            torch.nn.init.normal_(parameter, std=0.5)
    batch = trainable.tokenizer([TEXT], return_tensors="pt")
    with torch.inference_mode():
        logits = trainable.model.eval()(**batch).logits[0].tolist()
    work = make_work(plan.task, plan.labels, TargetScale())
    save_trainable(trainable, base, plan, work, folder)
    return logits


def loaded_logits(source: dict[str, Any]) -> Any:
    """The logits that a trained model's folder gives the same text."""
    from zenml_ftvr import load

    return load(source["folder"], source.get("allow", ())).logits([TEXT])[0].tolist()


def rows(source: dict[str, Any]) -> Any:
    """How many rows each split of a data set has, and one of its texts."""
    from zenml_ftvr.data import load_dataset
    from zenml_ftvr.values import DataSource

    dataset = load_dataset(DataSource(**source))
    splits = (dataset.train, dataset.validation, dataset.test)
    return {
        "n_rows": sum(len(split.texts) for split in splits),
        "labels": list(dataset.labels),
        "a_text": min(dataset.train.texts),
    }


def _model_source(source: dict[str, Any]) -> Any:
    from zenml_ftvr.values import ModelSource

    return ModelSource(**{**source, "allow": tuple(source.get("allow", ()))})


def _do_not_wait_between_retries() -> None:
    wait = time.sleep
    time.sleep = lambda seconds: wait(min(seconds, 0.01))


CALLS: dict[str, Callable[[dict[str, Any]], Any]] = {
    function.__name__: function
    for function in (resolved, features, saved_adapter, loaded_logits, rows)
}


def main() -> None:
    """Answer until standard input ends."""
    logging.basicConfig(level=logging.DEBUG)
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    _do_not_wait_between_retries()
    for line in sys.stdin:
        call = json.loads(line)
        os.environ.pop("HF_TOKEN", None)
        if call["token"] is not None:
            os.environ["HF_TOKEN"] = call["token"]
        try:
            answer = CALLS[call["what"]](call["source"])
        except Exception as error:  # every class of error is an answer
            answer = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
