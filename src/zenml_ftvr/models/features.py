"""Mean-pooled features of a frozen encoder, computed once and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.approaches import head, most_tokens
from zenml_ftvr.data import Rows
from zenml_ftvr.models.pretrained import load_base
from zenml_ftvr.models.resolve import ResolvedModel, load_tokenizer
from zenml_ftvr.models.store import RowStore, row_key, store_folder
from zenml_ftvr.tasks.text_classification import token_ids
from zenml_ftvr.values import Allowance, Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Encoder", "cached_features", "load_encoder"]

FEATURES_VERSION = 1  # raised when the same rows would give other features


class Encoder:
    """Texts to mean-pooled last hidden states [rows, hidden], 32-bit."""

    def __init__(self, model: Any, tokenizer: Any, max_length: int) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.max_length = max_length

    def features(
        self, rows: Rows, on_batch: Callable[[int, int], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """Features of each row; `on_batch(tokens done, tokens in all)` is called as it goes."""
        return self.features_of(list(token_ids(self.tokenizer, rows, self.max_length)), on_batch)

    def features_of(
        self,
        ids: Sequence[list[int]],
        on_batch: Callable[[int, int], None] | None = None,
    ) -> npt.NDArray[np.float32]:
        """As `features`, of rows of token ids."""
        import numpy as np
        import torch

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


def load_encoder(folder: Path, task: Task, device: str, allow: Sequence[Allowance] = ()) -> Encoder:
    """The encoder of a model folder, in evaluation mode; `allow` is that of its `ModelSource`."""
    from transformers import AutoModel

    model = load_base(AutoModel, folder, allow).to(device).eval()
    return Encoder(model, load_tokenizer(folder, allow), most_tokens(task))


def cached_features(
    base: ResolvedModel,
    rows: Rows,
    task: Task,
    device: str,
    on_batch: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Features of `rows` [rows, hidden]; those that were computed before are not again.

    Kept under the weights, the kind of device, and each row's token ids.
    """
    import numpy as np

    allow = base.source.allow
    ids = list(token_ids(load_tokenizer(base.folder, allow), rows, most_tokens(task)))
    keys = [row_key(row) for row in ids]
    store = RowStore(store_folder("features", FEATURES_VERSION, base.fingerprint, device))
    missing = store.missing(keys)
    if missing:
        encoder = load_encoder(base.folder, task, device, allow)
        features = encoder.features_of([ids[index] for index in missing], on_batch)
        found = ((keys[index], features[place : place + 1]) for place, index in enumerate(missing))
        store.add(found, features.shape[1])
    return np.concatenate([store.get(key) for key in keys])
