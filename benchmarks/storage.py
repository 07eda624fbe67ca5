"""What a trained model's artifact is, stored by this package and by ZenML's own materializers.

    python benchmarks/storage.py                    # benchmarks/results/storage.jsonl

The models are MiniLM with a new head, as `full` saves it, and as `lora` saves it with adapters on
all linear layers, both untrained. ZenML stores a model in memory by cloudpickle, and a folder as
tar.gz; the store is on this machine, in a temporary folder. Seconds to load are until the model
has answered one text. MB are 10^6 bytes.
"""

from __future__ import annotations

import os
import pickletools
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appending import RESULTS, Run, append_missing

MB = 10**6
TEXT = "what is the distance between two stars ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to store a model: what is handed to which materializer."""

    name: str
    value: Any
    materializer: type[Any]
    answers: Callable[[Any], Any]
    """Has what was loaded answer a text."""


def is_pickle(file: Path) -> bool:
    """Whether unpickling the file, or one packed in it, would call what it names."""
    contents = [file.read_bytes()]
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as packed:
            contents = [packed.read(one) for one in packed.namelist() if one.endswith(".pkl")]
    return any(_calls(content) for content in contents)


def _calls(content: bytes) -> bool:
    if content[:1] != b"\x80":  # how pickles begin since protocol 2
        return False
    try:
        return any(opcode.name == "REDUCE" for opcode, _, _ in pickletools.genops(content))
    except ValueError:
        return False


def ways(folder: Path) -> Iterator[tuple[str, Way]]:
    """Each model, and each way to store it."""
    from zenml.materializers.cloudpickle_materializer import CloudpickleMaterializer
    from zenml.materializers.path_materializer import PathMaterializer

    from zenml_ftvr.api import plan_for, resolve_base
    from zenml_ftvr.data import dataset_from
    from zenml_ftvr.materializers import TrainedModelMaterializer, work_folder
    from zenml_ftvr.models import load, save_trainable
    from zenml_ftvr.train import prepare
    from zenml_ftvr.values import (
        Budget,
        Full,
        Ledger,
        Lora,
        ModelSource,
        Request,
        TextClassification,
        TrainedModel,
    )

    task = TextClassification(max_length=64)
    rows = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(100)]
    dataset = dataset_from(rows, task=task)
    base = resolve_base(Request(budget=Budget(hours=1), task=task))
    for approach in (Full(), Lora()):
        plan = plan_for(dataset, approach, ModelSource(), task, seed=0)
        made = prepare(plan, dataset, base)
        own = folder / approach.kind
        save_trainable(made.trainable, base, plan, made.work, own)
        with work_folder() as work:
            moved = work / "model"
            save_trainable(made.trainable, base, plan, made.work, moved)
        trained = TrainedModel(
            path=str(moved),
            plan=plan,
            curve=(),
            steps_done=0,
            stopped_by="finished",
            seconds=0.0,
            peak_memory_gib=0.0,
            n_params=0,
            n_trainable=0,
            n_bytes=0,
            ledger=Ledger(),
        )
        tokenizer = made.trainable.tokenizer
        by_folder = {
            "zenml-ftvr": (trained, TrainedModelMaterializer, lambda one: load(one.path)),
            "ZenML, a folder": (own, PathMaterializer, load),
        }
        yield (
            approach.kind,
            Way(
                name="ZenML, the model",
                value=made.trainable.model,
                materializer=CloudpickleMaterializer,
                answers=lambda model, tokenizer=tokenizer: model(
                    **tokenizer([TEXT], return_tensors="pt")
                ),
            ),
        )
        for name, (value, kind, opened) in by_folder.items():
            yield (
                approach.kind,
                Way(
                    name=name,
                    value=value,
                    materializer=kind,
                    answers=lambda one, opened=opened: opened(one).predict([TEXT]),
                ),
            )


def runs(folder: Path) -> Iterator[Run]:
    """One run a model and way."""
    from zenml.client import Client

    store = Client().active_stack.artifact_store
    for kind, way in ways(folder):

        def measure(kind: str = kind, way: Way = way) -> dict[str, Any]:
            uri = f"{store.path}/{kind}/{way.name.replace(', ', '-').replace(' ', '-')}"
            store.makedirs(uri)
            started = time.monotonic()
            way.materializer(uri, store).save(way.value)
            saved = time.monotonic()
            before = set(Path(tempfile.gettempdir()).iterdir())
            way.answers(way.materializer(uri, store).load(type(way.value)))
            loaded = time.monotonic()
            left = set(Path(tempfile.gettempdir()).iterdir()) - before
            files = [file for file in Path(uri).rglob("*") if file.is_file()]
            return {
                "save_seconds": round(saved - started, 2),
                "load_seconds": round(loaded - saved, 2),
                "stored_mb": round(sum(file.stat().st_size for file in files) / MB, 2),
                "files": sorted(str(file.relative_to(uri)) for file in files),
                "pickles": sorted(str(file.relative_to(uri)) for file in files if is_pickle(file)),
                "left_in_temporary_folder_mb": round(sum(map(_size, left)) / MB, 2),
            }

        yield {"model": kind, "way": way.name}, measure


def _size(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def main() -> None:
    """Measure what is missing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "temporary").mkdir()
        os.environ["ZENML_CONFIG_PATH"] = str(folder / "zenml")  # before ZenML is loaded
        os.environ["ZENML_LOCAL_STORES_PATH"] = str(folder / "stores")
        os.environ["ZENML_ANALYTICS_OPT_IN"] = "false"
        os.environ["ZENML_FTVR_CACHE"] = str(folder / "cache")
        tempfile.tempdir = str(folder / "temporary")  # of this run's own: others write to the usual
        append_missing(RESULTS / "storage.jsonl", runs(folder))


if __name__ == "__main__":
    main()
