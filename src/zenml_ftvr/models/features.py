"""Mean-pooled features of a frozen encoder, computed once and kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.approaches import head
from zenml_ftvr.models.pretrained import load_base
from zenml_ftvr.models.resolve import ResolvedModel, load_tokenizer
from zenml_ftvr.tasks.text_classification import encode

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Encoder", "cache_folder", "cached_features", "load_encoder"]

FEATURES_VERSION = 1  # raised when the same texts would give other features


class Encoder:
    """Texts to mean-pooled last hidden states [rows, hidden], 32-bit."""

    def __init__(self, model: Any, tokenizer: Any, max_length: int) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.max_length = max_length

    def features(
        self,
        texts: Sequence[str],
        on_batch: Callable[[int, int], None] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Features of each text; `on_batch(tokens done, tokens in all)` is called as it goes."""
        import numpy as np
        import torch

        ids = encode(self.tokenizer, texts, self.max_length)
        # Batches of like length pad least; the longest come first, so that memory fails early.
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]), reverse=True)
        pooled = np.empty((len(ids), self.model.config.hidden_size), dtype=np.float32)
        done, total = 0, sum(map(len, ids))
        for start in range(0, len(order), head.BATCH_SIZE):
            chunk = order[start : start + head.BATCH_SIZE]
            batch = self.tokenizer.pad(
                {"input_ids": [ids[index] for index in chunk]}, return_tensors="pt"
            ).to(self.model.device)
            with torch.inference_mode():
                states = self.model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
            pooled[chunk] = ((states * mask).sum(1) / mask.sum(1)).float().cpu().numpy()
            done += sum(len(ids[index]) for index in chunk)
            if on_batch is not None:
                on_batch(done, total)
        return pooled


def load_encoder(folder: Path, max_length: int, device: str) -> Encoder:
    """The encoder of a model folder, in evaluation mode."""
    from transformers import AutoModel

    model = load_base(AutoModel, folder).to(device).eval()
    return Encoder(model, load_tokenizer(folder), max_length)


def cache_folder() -> Path:
    """Where features are kept: $ZENML_FTVR_CACHE, or `zenml_ftvr` in the user's cache folder."""
    named = os.environ.get("ZENML_FTVR_CACHE")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "zenml_ftvr"


def cached_features(
    base: ResolvedModel,
    texts: Sequence[str],
    max_length: int,
    device: str,
    on_batch: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Features of `texts` [rows, hidden], from the cache where the same were computed before.

    Keyed by the weights, the tokenizer, `max_length`, the kind of device and the texts. A file is
    written under another name and renamed, so that a killed run leaves no half of one.
    """
    import numpy as np

    key = hashlib.sha256(
        f"{FEATURES_VERSION}\0{base.fingerprint}\0{max_length}\0{device}\0".encode()
    )
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        with contextlib.suppress(FileNotFoundError):
            key.update((base.folder / name).read_bytes())
    for text in texts:
        key.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    folder = cache_folder() / "features"
    path = folder / f"{key.hexdigest()[:32]}.npy"
    if path.exists():
        # A damaged file is computed again; numpy calls an empty one an end of file.
        with contextlib.suppress(ValueError, OSError, EOFError):
            stored: npt.NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
            if stored.shape[0] == len(texts):
                return stored
    features = load_encoder(base.folder, max_length, device).features(texts, on_batch)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as stream:
        try:
            np.save(stream, features, allow_pickle=False)
        except BaseException:
            Path(stream.name).unlink(missing_ok=True)
            raise
    Path(stream.name).replace(path)
    return features
