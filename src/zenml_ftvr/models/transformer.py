"""Load the transformer of a trained model's folder, adapters in their base model included."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.folder import ADAPTER_FILE, Manifest, allowed_code
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
    return load_whole(auto_class(work.head), folder, allowed_code(manifest))


def with_base(folder: Path, manifest: Manifest, work: Work) -> Any:
    """The adapters of a folder in their base model, in 32 bits."""
    from peft import PeftModel

    if manifest.base is None:
        raise ModelError(f"{folder} is a LoRA adapter whose manifest names no base model.")
    if not (folder / ADAPTER_FILE).is_file():  # PEFT would take pickled ones in its place
        raise ModelError(f"{folder} has no {ADAPTER_FILE}. Copy or train the model again.")
    base = resolve(manifest.base)
    if base.fingerprint != manifest.base_fingerprint:
        raise ModelError(
            f"{folder} was trained on a base model with sha256 {manifest.base_fingerprint}, but "
            f"'{manifest.base.name}' now has {base.fingerprint}. Pin base_model.revision, or "
            f"train again."
        )
    model = load_base(
        auto_class(work.head), base.folder, manifest.base.allow, **work.model_settings()
    )
    if work.head != "image-classification" and model.config.pad_token_id is None:
        tokenizer = load_tokenizer(folder, allowed_code(manifest))
        model.config.pad_token_id = tokenizer.pad_token_id
    with quiet():
        warnings.filterwarnings("error", message="Found missing adapter keys")
        try:
            return PeftModel.from_pretrained(model, folder)
        except (UserWarning, KeyError) as error:  # an adapter's layer, the head
            raise ModelError(
                f"{folder} lacks weights of its adapter: {error}. They would start from random; "
                f"copy or train the model again."
            ) from error
