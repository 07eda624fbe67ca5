"""The folder of a trained model: plain files that others load too, and a manifest of ours."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_never

from zenml_ftvr.approaches import most_tokens
from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.models.recorded import MANIFEST_FILE, hashes_of
from zenml_ftvr.models.resolve import absolute
from zenml_ftvr.tasks import TargetScale, Work
from zenml_ftvr.values import (
    KINDS,
    Allowance,
    Kind,
    ModelSource,
    Task,
    TextClassification,
    TrainingPlan,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.models.baselines import Baseline
    from zenml_ftvr.models.build import Trainable
    from zenml_ftvr.models.features import Encoder
    from zenml_ftvr.models.resolve import ResolvedModel

__all__ = [
    "ADAPTER_FILE",
    "HEAD_FILE",
    "MANIFEST_FILE",
    "Manifest",
    "allowed_code",
    "folder_bytes",
    "read_manifest",
    "save_baseline",
    "save_head",
    "save_trainable",
    "write_manifest",
]

HEAD_FILE = "head.safetensors"
ADAPTER_FILE = "adapter_model.safetensors"  # PEFT's name
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What loading a model's folder needs to know beyond the files themselves."""

    kind: Kind
    task: Task
    labels: tuple[str, ...]
    scale: TargetScale
    """How the numbers of a regression were scaled for training."""
    plan_fingerprint: str
    base: ModelSource | None
    """For `lora`: where to find the base that the adapters belong to."""
    base_fingerprint: str | None
    weights: Literal["whole", "adapters"]
    """Whether the folder holds all of the model, or of `lora` the adapters and the head alone."""
    files: Mapping[str, str] | None = None
    """The sha256 of each file that loading may read; None in folders from before it was written."""


def _write_manifest(plan: TrainingPlan, work: Work, folder: Path) -> None:
    base = None
    if plan.model is not None:
        base = dataclasses.asdict(absolute(plan.model))
    content = {
        "schema_version": SCHEMA_VERSION,
        "kind": plan.kind,
        "labels": list(plan.labels),
        "max_length": most_tokens(plan.task),
        "task": dataclasses.asdict(plan.task),
        "scale": dataclasses.asdict(work.scale),
        "plan_fingerprint": plan.fingerprint,
        "base": base,
        "base_fingerprint": plan.model_fingerprint,
    }
    write_manifest(content, folder)


def write_manifest(content: Mapping[str, Any], folder: Path) -> None:
    """Write the manifest of a folder that has all its other files, whose hashes go into it."""
    whole = {**content, "files": hashes_of(folder)}
    # ASCII, so that a reader need not know the encoding.
    (folder / MANIFEST_FILE).write_text(json.dumps(whole, indent=2) + "\n", encoding="ascii")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a model folder; `ModelError` where there is none that we understand."""
    path = folder / MANIFEST_FILE
    if not path.is_file():
        what = (
            f"no such folder: {folder}" if not folder.is_dir() else f"{folder} has no {path.name}"
        )
        raise ModelError(f"{what}. Give the folder of a model that zenml-ftvr trained.")
    try:
        content = json.loads(path.read_text())
        version, kind = content["schema_version"], content["kind"]
        if version != SCHEMA_VERSION or kind not in KINDS:
            raise ModelError(
                f"{path} has schema version {version} and kind '{kind}'; this version of "
                f"zenml-ftvr reads version {SCHEMA_VERSION} and {', '.join(KINDS)}. Upgrade it."
            )
        base = content["base"]
        # Written by merging; a folder that does not say holds what training its kind leaves.
        weights = content.get("weights", "adapters" if kind == "lora" else "whole")
        return Manifest(
            kind=kind,
            labels=tuple(content["labels"]),
            task=_task_of(content),
            scale=TargetScale(**content.get("scale", {})),
            plan_fingerprint=content["plan_fingerprint"],
            base=None if base is None else _source(base),
            base_fingerprint=content["base_fingerprint"],
            weights=weights,
            files=_files_of(content),
        )
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} is damaged ({error!r}). Train or copy the model again."
        ) from error


def _files_of(content: dict[str, Any]) -> dict[str, str] | None:
    files = content.get("files")
    return None if files is None else {str(name): str(sha256) for name, sha256 in files.items()}


def _source(content: dict[str, Any]) -> ModelSource:
    return ModelSource(**{**content, "allow": tuple(content.get("allow", ()))})


def _task_of(content: dict[str, Any]) -> Task:
    """The task as written; a manifest of before there were several knows the length alone."""
    from pydantic import TypeAdapter

    if "task" not in content:
        return TextClassification(max_length=content["max_length"])
    task: Task = TypeAdapter(Task).validate_python(content["task"])
    return task


def allowed_code(manifest: Manifest) -> tuple[Allowance, ...]:
    """What may be loaded of the trained model's own folder: it has no pickled weights."""
    allow = () if manifest.base is None else manifest.base.allow
    return tuple(one for one in allow if one == "remote_code")


def save_baseline(baseline: Baseline, plan: TrainingPlan, work: Work, folder: Path) -> None:
    """Write what answers without a network, and the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    baseline.save(folder)
    _write_manifest(plan, work, folder)


def save_head(
    encoder: Encoder,
    weight: npt.NDArray[np.float32],
    bias: npt.NDArray[np.float32],
    plan: TrainingPlan,
    work: Work,
    folder: Path,
) -> None:
    """Write the frozen encoder, its tokenizer, and the head: weight [classes, hidden], bias."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        encoder.model.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)
    save_file({"weight": weight, "bias": bias}, folder / HEAD_FILE)
    _write_manifest(plan, work, folder)


def save_trainable(
    trainable: Trainable,
    base: ResolvedModel | None,
    plan: TrainingPlan,
    work: Work,
    folder: Path,
) -> None:
    """Write the model, or of `lora` the adapters and head alone, with the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    match plan.kind:
        case "lora":
            if base is None:
                raise ModelError("a LoRA adapter cannot be saved without naming its base model.")
            config = trainable.model.peft_config["default"]
            config.base_model_name_or_path = base.reference
            config.revision = base.source.revision
            with quiet():
                trainable.model.save_pretrained(folder, save_embedding_layers=False)
        case "partial" | "full" | "scratch":
            with quiet():
                trainable.model.save_pretrained(folder)
        case "baseline" | "head" | "contrastive":
            raise ModelError(f"'{plan.kind}' has a saving of its own.")
        case _:
            assert_never(plan.kind)
    trainable.tokenizer.save_pretrained(folder)
    _write_manifest(plan, work, folder)


def folder_bytes(folder: Path) -> int:
    """Bytes of every file below `folder`."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
