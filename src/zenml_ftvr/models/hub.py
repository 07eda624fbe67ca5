"""A base model from the Hugging Face Hub: first what describes it, its weights once it may load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zenml_ftvr.errors import ModelError
from zenml_ftvr.hub import is_revision, why_not_had
from zenml_ftvr.models.trust import PICKLED_WEIGHTS, refuse_own_code
from zenml_ftvr.values import ModelSource

__all__ = ["download"]

DESCRIPTION = ("*.json", "*.txt", "*.model")
"""Configuration and tokenizer, with the index of weights that are in several files."""
BELOW_THE_TOP = ("*/*",)
"""Other formats, training states and other tools' files: transformers reads none of them here."""


def download(source: ModelSource, tried: str, elsewhere: str) -> Path:
    """The folder of the local cache with the model's files at its revision.

    Files that run code, or once did, are downloaded only where `source.allow` has them, pickled
    weights only where there are no others. `tried` begins an error about the model, `elsewhere`
    ends it. Raises `ModelError` for what cannot be had or must not be loaded.
    """
    if source.revision is not None and not is_revision(source.revision):
        raise ModelError(
            f"{tried}: {source.revision!r:.80} is no name of a branch, tag or commit. Look at "
            f"those that the model has, {elsewhere}."
        )
    folder = _snapshot(source, source.revision, DESCRIPTION, tried, elsewhere)
    commit = folder.name
    refuse_own_code(source, folder, tried)
    code = ("*.py",) if "remote_code" in source.allow else ()
    folder = _snapshot(source, commit, (*code, "*.safetensors"), tried, elsewhere)
    if "pickled_weights" in source.allow and not any(folder.glob("*.safetensors")):
        folder = _snapshot(source, commit, (PICKLED_WEIGHTS,), tried, elsewhere)
    return folder


def _snapshot(
    source: ModelSource, revision: str | None, patterns: Sequence[str], tried: str, elsewhere: str
) -> Path:
    from httpx2 import HTTPError
    from huggingface_hub.errors import HFValidationError

    try:
        return _from_hub_or_cache(source.name, revision, patterns)
    except HFValidationError as error:
        raise ModelError(
            f"{tried}: that is neither an existing folder nor a valid model id. Model ids look "
            f"like 'organisation/name'; {elsewhere}."
        ) from error
    except (HTTPError, OSError) as error:
        raise ModelError(f"{tried}: it {why_not_had(error)}, {elsewhere}.") from error


def _from_hub_or_cache(name: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """The Hub's files; where the line breaks off, the cache's, if it has them all.

    huggingface_hub falls back on the cache where no connection is made, not where one breaks.
    """
    from httpx2 import TransportError
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    matched, left_out = list(patterns), list(BELOW_THE_TOP)
    try:
        return Path(
            snapshot_download(
                name, revision=revision, allow_patterns=matched, ignore_patterns=left_out
            )
        )
    except TransportError as error:
        try:
            return Path(
                snapshot_download(
                    name,
                    revision=revision,
                    allow_patterns=matched,
                    ignore_patterns=left_out,
                    local_files_only=True,
                )
            )
        except LocalEntryNotFoundError:
            raise error from None
