"""What a model's folder could make this machine do, and whether the user allowed it by name.

transformers reads `auto_map` in a configuration as "import these Python files from the model", and
asks on standard input whether to; it takes pickled weights where it finds no others; it follows an
adapter's configuration to another model; and it takes `attn_implementation` for a kernel on the Hub
where that looks like one. Here all of this is settled before it is called.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zenml_ftvr.errors import ModelError
from zenml_ftvr.values import ModelSource

__all__ = ["PICKLED_WEIGHTS", "own_code", "refuse_own_code", "weight_files"]

PICKLED_WEIGHTS = "pytorch_model*.bin"
"""What transformers called weights before safetensors; torch.save's format."""
DESCRIPTIONS = ("config.json", "tokenizer_config.json")
"""Files in which transformers looks for `auto_map`."""


def own_code(source: ModelSource, folder: Path) -> list[Path]:
    """The Python files that loading may run: none unless they are allowed."""
    return sorted(folder.glob("*.py")) if "remote_code" in source.allow else []


def refuse_own_code(source: ModelSource, folder: Path, tried: str) -> None:
    """Raise `ModelError` where loading needs code that `source.allow` has not, and for an adapter.

    A model that brings code although transformers has its type is loaded by transformers' own,
    unless its code is allowed. Code in another repository is refused even then: it is not the
    model that was named.
    """
    from transformers import CONFIG_MAPPING

    if (folder / "adapter_config.json").is_file():
        raise ModelError(
            f"{tried}: {folder} holds an adapter (adapter_config.json), which belongs on another "
            f"model. Give the model that it was trained on, or merge the two and save the whole."
        )
    if kernels := sorted(set(_kernels(_description(folder / "config.json")))):
        raise ModelError(
            f"{tried}: its config.json would have compiled code of another repository run "
            f"({', '.join(kernels)[:200]}), which nothing here allows. Copy the model into a "
            f"folder of yours, and take attn_implementation out of its config.json."
        )
    named = sorted(set(_own_code(folder)))
    allowed, known = "remote_code" in source.allow, _model_type(folder) in CONFIG_MAPPING
    if not named or (known and not allowed):
        return
    elsewhere = [one for one in named if "--" in one]
    if elsewhere:
        raise ModelError(
            f"{tried}: it would run {', '.join(elsewhere)[:200]}, code of another repository than "
            f"its own, which nothing here allows. Copy the model with that code into a folder of "
            f"yours, read it, and name the folder."
        )
    if not allowed:
        raise ModelError(
            f"{tried}: transformers has no model of type '{_model_type(folder)}', and this one "
            f"would run its own Python files ({', '.join(named)[:200]}) with your rights. Read "
            f"them; if you trust them, set base_model.allow to [remote_code] and base_model."
            f"revision to the commit that you read."
        )


def weight_files(source: ModelSource, folder: Path, tried: str) -> list[Path]:
    """The files with the weights: safetensors, else pickled ones where they are allowed.

    Raises `ModelError` where there are none.
    """
    found = sorted(folder.glob("*.safetensors"))
    if found:
        return found
    if "pickled_weights" in source.allow:
        found = sorted(folder.glob(PICKLED_WEIGHTS))
        if found:
            return found
        raise ModelError(
            f"{tried}: neither a *.safetensors nor a {PICKLED_WEIGHTS} file in {folder}."
        )
    raise ModelError(
        f"{tried}: no *.safetensors file in {folder}. Weights in other formats can run code when "
        f"loaded; convert them with `model.save_pretrained(folder)` first, or, if you trust their "
        f"author, set base_model.allow to [pickled_weights]."
    )


def _model_type(folder: Path) -> str:
    return str(_description(folder / "config.json").get("model_type"))


def _own_code(folder: Path) -> Iterator[str]:
    """The classes that the folder's descriptions would have imported from Python files."""
    for name in DESCRIPTIONS:
        named = _description(folder / name).get("auto_map")
        for classes in named.values() if isinstance(named, dict) else [named]:
            for one in classes if isinstance(classes, list) else [classes]:
                if one is not None:
                    yield str(one)


def _kernels(config: Any, key: str = "") -> Iterator[str]:
    """Hub kernels that a configuration, or any part of it, names as its attention."""
    if isinstance(config, dict):
        below = key if key.endswith("attn_implementation") else ""  # one for each part of a model
        for name, value in config.items():
            yield from _kernels(value, below or name)
    elif key.endswith("attn_implementation") and "/" in str(config):
        yield str(config)


def _description(path: Path) -> dict[str, Any]:
    """A JSON file; what is absent or damaged has nothing to say here, and is reported later."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
