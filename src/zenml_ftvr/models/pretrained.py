"""Load weights from a folder, and refuse a model of which some stayed random."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.values import Allowance

__all__ = ["HEAD_NAMES", "load_base", "load_whole"]

HEAD_NAMES = ("classifier", "score", "pre_classifier")
"""What transformers calls the classification head of its encoders and decoders."""

MAY_BE_NEW = re.compile(rf"^({'|'.join(HEAD_NAMES)})\.|(^|\.)pooler\.")
"""Weights that a pretrained model need not bring: the head, and the pooler below it, which models
pretrained on masked language alone do not have."""

WEIGHTS_SHOWN = 3  # in an error: enough to see which part is missing


def load_base(
    auto_class: Any, folder: Path, allow: Sequence[Allowance] = (), **options: Any
) -> Any:
    """A pretrained model in 32 bits; its head may be missing or made for other labels.

    `allow` is that of its `ModelSource`. Raises `ModelError` where any other weight is missing: it
    would silently start from random.
    """
    return _load(auto_class, folder, MAY_BE_NEW, allow, options)


def load_whole(
    auto_class: Any, folder: Path, allow: Sequence[Allowance] = (), **options: Any
) -> Any:
    """A trained model in 32 bits; raises `ModelError` where any of its weights is missing."""
    # Those that we save are safetensors, whatever the base model's were.
    code_only = [one for one in allow if one == "remote_code"]
    return _load(auto_class, folder, None, code_only, options)


def _load(
    auto_class: Any,
    folder: Path,
    may_be_new: re.Pattern[str] | None,
    allow: Sequence[Allowance],
    options: dict[str, Any],
) -> Any:
    import torch

    pickled = "pickled_weights" in allow and not any(folder.glob("*.safetensors"))

    try:
        with quiet():
            model, about = auto_class.from_pretrained(
                folder,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=may_be_new is not None,
                trust_remote_code="remote_code" in allow,
                use_safetensors=not pickled,
                **options,
            )
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        raise ModelError(f"{folder} does not load as {auto_class.__name__}: {error}") from error
    absent = {*about["missing_keys"], *(key for key, *_ in about["mismatched_keys"])}
    wrong = sorted(key for key in absent if may_be_new is None or not may_be_new.search(key))
    if wrong:
        more = f" and {len(wrong) - WEIGHTS_SHOWN} more" if len(wrong) > WEIGHTS_SHOWN else ""
        raise ModelError(
            f"{folder} lacks weights of {type(model).__name__} or has them in another shape: "
            f"{', '.join(wrong[:WEIGHTS_SHOWN])}{more}. They would start from random; save the "
            f"whole model again."
        )
    return model
