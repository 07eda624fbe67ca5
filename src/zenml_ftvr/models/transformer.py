"""Load the transformer of a trained model's folder, adapters in their base model included."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.folder import Manifest
from zenml_ftvr.models.heads import auto_class
from zenml_ftvr.models.pretrained import load_base, load_whole
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.models.resolve import load_tokenizer, resolve
from zenml_ftvr.tasks import Work

__all__ = ["load_transformer", "with_base"]


def load_transformer(folder: Path, manifest: Manifest, work: Work) -> Any:
    """The whole model; `ModelError` where weights are missing or the base model changed."""
    if manifest.weights == "adapters":
        return with_base(folder, manifest, work)
    return load_whole(auto_class(work.head), folder)


def with_base(folder: Path, manifest: Manifest, work: Work) -> Any:
    """The adapters of a folder in their base model, in 32 bits."""
    from peft import PeftModel

    if manifest.base is None:
        raise ModelError(f"{folder} is a LoRA adapter whose manifest names no base model.")
    base = resolve(manifest.base)
    if base.fingerprint != manifest.base_fingerprint:
        raise ModelError(
            f"{folder} was trained on a base model with sha256 {manifest.base_fingerprint}, but "
            f"'{manifest.base.name}' now has {base.fingerprint}. Pin base_model.revision, or "
            f"train again."
        )
    model = load_base(auto_class(work.head), base.folder, **work.model_settings())
    if model.config.pad_token_id is None:
        model.config.pad_token_id = load_tokenizer(folder).pad_token_id
    with quiet():
        warnings.filterwarnings("error", message="Found missing adapter keys")
        try:
            return PeftModel.from_pretrained(model, folder)
        except (UserWarning, KeyError) as error:  # an adapter's layer, the head
            raise ModelError(
                f"{folder} lacks weights of its adapter: {error}. They would start from random; "
                f"copy or train the model again."
            ) from error
