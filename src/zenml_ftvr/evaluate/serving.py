"""What a model costs in use: latency, throughput, size, and dollars per million answers."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from zenml_ftvr.errors import ModelError
from zenml_ftvr.models import LoadedModel, folder_bytes, load, merge_adapters, resolve
from zenml_ftvr.values import (
    LOWER_IS_BETTER,
    BatchLatency,
    EvaluationSettings,
    ImageClassification,
    Metric,
    ModelEvaluation,
    ParetoPoint,
    Seq2Seq,
    ServingCost,
    ServingForm,
    ServingSettings,
    TrainedModel,
)

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["held_bytes", "latency_of", "pareto_points", "serving_costs", "serving_of"]

SERVED_ROWS = 512  # validation inputs that calls are timed on: enough for a mix of lengths

UNTIMED_CALLS = 2  # the first allocates, the second finds caches warm; a judgement
LEAST_CALLS = 3  # timed, however slow the model is
MOST_CALLS = 1_000  # of which p99 is the tenth slowest
MILLION = 1_000_000
UNMERGED = (Seq2Seq, ImageClassification)
"""Tasks whose merged models are not compared with their adapters by token ids alone."""


def serving_of(
    model: TrainedModel, dataset: Dataset, settings: EvaluationSettings, usd_per_hour: float | None
) -> tuple[tuple[ServingCost, ...], tuple[str, ...]]:
    """As `serving_costs` on validation rows; nothing where it was not asked for."""
    if settings.serving is None:
        return (), ()
    validation = dataset.validation
    inputs = validation.take(range(min(SERVED_ROWS, len(validation)))).inputs
    return serving_costs(model, inputs, settings.serving, usd_per_hour)


def serving_costs(
    model: TrainedModel,
    inputs: Sequence[Any],
    settings: ServingSettings,
    usd_per_hour: float | None,
) -> tuple[tuple[ServingCost, ...], tuple[str, ...]]:
    """Each form of a model timed on `inputs`, and what could not be, in sentences.

    `inputs` are of validation rows: no test row is read for it.
    """
    price = settings.usd_per_hour or usd_per_hour
    costs = [_cost(model, Path(model.path), "as trained", inputs, settings, price)]
    if model.kind != "lora":
        return tuple(costs), ()
    if isinstance(model.plan.task, UNMERGED):
        return tuple(costs), (
            f"The cost of LoRA merged into its base was not measured: merging is not checked for "
            f"{model.plan.task.kind}.",
        )
    with tempfile.TemporaryDirectory(prefix="ftvr-merged-") as name:
        try:
            merged = merge_adapters(model.path, Path(name) / "model")
        except ModelError as error:
            return tuple(costs), (
                f"The cost of LoRA merged into its base was not measured: {error}",
            )
        costs.append(_cost(model, merged, "merged", inputs, settings, price))
    return tuple(costs), ()


def _cost(
    model: TrainedModel,
    folder: Path,
    form: ServingForm,
    inputs: Sequence[Any],
    settings: ServingSettings,
    price: float | None,
) -> ServingCost:
    import torch

    loaded = load(folder, model.plan.allow)
    latencies = tuple(
        latency_of(loaded.predict, inputs, size, settings.seconds)
        for size in sorted(settings.batch_sizes)
    )
    return ServingCost(
        form=form,
        device=_device(),
        n_threads=torch.get_num_threads(),
        latencies=latencies,
        disk_bytes=folder_bytes(folder) + _base_bytes(model, form),
        memory_bytes=held_bytes(loaded),
        usd_per_million=None
        if price is None
        else MILLION / latencies[-1].rows_per_second / 3600 * price,
    )


def _device() -> str:
    """The name of what `load` puts models on."""
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _base_bytes(model: TrainedModel, form: ServingForm) -> int:
    """Of the weights that adapters are useless without."""
    if model.kind != "lora" or form == "merged" or model.plan.model is None:
        return 0
    folder = resolve(model.plan.model).folder
    weights = list(folder.glob("*.safetensors")) or list(folder.glob("pytorch_model*.bin"))
    return sum(file.stat().st_size for file in weights)


def latency_of(
    answer: Callable[[Sequence[Any]], Any],
    inputs: Sequence[Any],
    batch_size: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> BatchLatency:
    """Time calls of `batch_size` inputs, one after another, for about so many seconds.

    Inputs are taken in turn, from the first again after the last, so that their lengths are mixed
    as they are in the data.
    """
    import numpy as np

    def batch(call: int) -> list[Any]:
        start = call * batch_size
        return [inputs[(start + place) % len(inputs)] for place in range(batch_size)]

    for call in range(UNTIMED_CALLS):
        answer(batch(call))
    taken: list[float] = []
    while len(taken) < LEAST_CALLS or (sum(taken) < seconds and len(taken) < MOST_CALLS):
        rows = batch(len(taken))
        started = clock()
        answer(rows)
        taken.append(clock() - started)
    p50, p95, p99 = (1000 * float(one) for one in np.quantile(taken, [0.5, 0.95, 0.99]))
    return BatchLatency(
        batch_size=batch_size,
        n_calls=len(taken),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        rows_per_second=batch_size * len(taken) / sum(taken),
    )


CODE = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)
"""What all models share, and what leads out of a model into the libraries."""


def held_bytes(loaded: LoadedModel | Any) -> int:
    """Bytes of all that a loaded model holds: tensors by their storage, arrays, tables, texts.

    What compiled libraries keep for themselves, such as a fast tokenizer's tables, is not seen.
    """
    import gc

    import numpy as np
    import torch

    total = 0
    seen: set[int] = set()
    waiting = [loaded]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, CODE):
            continue
        seen.add(id(one))
        if isinstance(one, torch.Tensor):
            storage = one.untyped_storage()
            if storage.data_ptr() not in seen:
                seen.add(storage.data_ptr())
                total += storage.nbytes()
            continue
        if isinstance(one, np.ndarray):
            if one.base is not None:
                waiting.append(one.base)
            else:
                total += one.nbytes
            continue
        total += sys.getsizeof(one)
        waiting.extend(gc.get_referents(one))
    return total


def pareto_points(models: Sequence[ModelEvaluation], metric: Metric) -> tuple[ParetoPoint, ...]:
    """Every measured form of every model, best quality first, and which of them are dominated."""
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    found = []
    for model in models:
        for cost in model.serving:
            single = cost.latency(1) or cost.latencies[0]
            found.append((model.kind, cost.form, model.score(metric).value, single, cost))
    points = [
        (kind, form, quality, latency.p50_ms / latency.batch_size, cost.disk_bytes)
        for kind, form, quality, latency, cost in found
    ]

    def beats(one: Any, other: Any) -> bool:
        no_worse = sign * one[2] >= sign * other[2] and one[3] <= other[3] and one[4] <= other[4]
        return no_worse and one[2:] != other[2:]

    ranked = sorted(points, key=lambda point: -sign * point[2])
    return tuple(
        ParetoPoint(
            kind=kind,
            form=form,
            quality=quality,
            p50_ms=p50,
            disk_bytes=size,
            dominated_by=next((one[0] for one in ranked if beats(one, point)), None),
        )
        for point in ranked
        for kind, form, quality, p50, size in (point,)
    )
