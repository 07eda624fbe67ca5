"""A pretrained body on disk, so that a run that goes on need not pretrain again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenml_ftvr.models import Trainable

__all__ = ["keep_body", "restore_body"]

BODY_FILE = "body.safetensors"
RECORD = "pretrained"


def keep_body(
    folder: Path, key: str, trainable: Trainable, language_model: Any, record: Any
) -> None:
    """Write the weights that pretraining changed, and `record`, a dataclass, of what it did.

    The file appears whole or not at all.
    """
    from safetensors.torch import save_file

    trained = {id(weight) for weight in language_model.parameters() if weight.requires_grad}
    weights = {
        name: weight.detach().cpu().contiguous()
        for name, weight in trainable.model.named_parameters()
        if id(weight) in trained
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / BODY_FILE
    half = path.with_suffix(".half")
    notes = {"key": key, RECORD: json.dumps(dataclasses.asdict(record))}
    save_file(weights, half, metadata=notes)
    half.replace(path)


def restore_body(folder: Path, key: str, trainable: Trainable) -> Mapping[str, Any] | None:
    """Put kept weights into `trainable`, and return the fields of what was recorded with them.

    None, and nothing changed, where `folder` keeps none of this `key`.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / BODY_FILE, framework="pt") as kept:
            notes = kept.metadata() or {}
            if notes.get("key") != key:
                return None
            weights = {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118
    except (FileNotFoundError, SafetensorError):  # none, or one that a failing disk cut short
        return None
    here = dict(trainable.model.named_parameters())
    with torch.no_grad():
        for name, weight in weights.items():
            here[name].copy_(weight)
    fields: dict[str, Any] = json.loads(notes[RECORD])
    return fields
