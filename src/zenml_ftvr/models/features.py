"""Mean-pooled features of a frozen encoder, computed once and kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from zenml_ftvr.approaches import head, most_tokens
from zenml_ftvr.data import Rows
from zenml_ftvr.models.pretrained import load_base
from zenml_ftvr.models.processors import load_processor
from zenml_ftvr.models.resolve import ResolvedModel, load_tokenizer
from zenml_ftvr.models.store import KEY_DIGITS, RowStore, row_key, store_folder
from zenml_ftvr.tasks.image_classification import pixels
from zenml_ftvr.tasks.text_classification import token_ids
from zenml_ftvr.values import Allowance, ImageClassification, Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

__all__ = [
    "Encoder",
    "ImageEncoder",
    "TextEncoder",
    "cached_features",
    "load_encoder",
    "twin_features",
]

FEATURES_VERSION = 1  # raised when the same rows would give other features


class TextEncoder:
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


class ImageEncoder:
    """Images to mean-pooled last hidden states [rows, hidden], 32-bit."""

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self.tokenizer = processor
        """What turns images into numbers, under the name that text models have for theirs."""

    def features(
        self, rows: Rows, on_batch: Callable[[int, int], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """Features of each row; `on_batch(images done, images in all)` is called as it goes."""
        import numpy as np

        parts: list[Array] = []
        done = 0
        for batch in rows.batches(head.BATCH_SIZE):
            parts.append(self.features_of([pixels(self.tokenizer, one) for one in batch.inputs]))
            done += len(batch)
            if on_batch is not None:
                on_batch(done, len(rows))
        return np.concatenate(parts)

    def features_of(self, images: Sequence[Array]) -> npt.NDArray[np.float32]:
        """As `features`, of one batch of scaled images [channels, height, width].

        A transformer's states are [rows, patches, hidden], of a convolutional network [rows,
        hidden, height, width]; either is averaged over places.
        """
        import numpy as np
        import torch

        with torch.inference_mode():
            values = torch.from_numpy(np.stack(images)).to(self.model.device)
            states = self.model(pixel_values=values).last_hidden_state
        places = (1,) if states.ndim == 3 else (2, 3)
        pooled: Array = states.mean(places).float().cpu().numpy()
        return pooled


Encoder: TypeAlias = TextEncoder | ImageEncoder


def load_encoder(folder: Path, task: Task, device: str, allow: Sequence[Allowance] = ()) -> Encoder:
    """The encoder of a model folder, in evaluation mode; `allow` is that of its `ModelSource`."""
    from transformers import AutoModel

    model = load_base(AutoModel, folder, allow).to(device).eval()
    if isinstance(task, ImageClassification):
        return ImageEncoder(model, load_processor(folder, "image-classification", allow))
    return TextEncoder(model, load_tokenizer(folder, allow), most_tokens(task))


def cached_features(
    base: ResolvedModel,
    rows: Rows,
    task: Task,
    device: str,
    on_batch: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Features of `rows` [rows, hidden]; those that were computed before are not again.

    Kept under the weights, the kind of device, and each row's token ids or pixels.
    """
    if isinstance(task, ImageClassification):
        return _cached_of_images(base, rows, task, device, on_batch)
    return _cached_of_texts(base, rows, task, device, on_batch)


def twin_features(
    base: ResolvedModel, rows: Rows, task: Task, device: str, seed: int
) -> npt.NDArray[np.float32]:
    """Features of `rows` [rows, hidden] from a model of the same shape that has learnt nothing.

    Weights are drawn as transformers begins a training of that architecture, from `seed`.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    allowed = "remote_code" in base.source.allow
    config = AutoConfig.from_pretrained(base.folder, trust_remote_code=allowed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModel.from_config(config, trust_remote_code=allowed)
    model = model.to(device).eval()
    if isinstance(task, ImageClassification):
        processor = load_processor(base.folder, "image-classification", base.source.allow)
        return ImageEncoder(model, processor).features(rows)
    tokenizer = load_tokenizer(base.folder, base.source.allow)
    return TextEncoder(model, tokenizer, most_tokens(task)).features(rows)


def _cached_of_texts(
    base: ResolvedModel,
    rows: Rows,
    task: Task,
    device: str,
    on_batch: Callable[[int, int], None] | None,
) -> npt.NDArray[np.float32]:
    import numpy as np

    allow = base.source.allow
    ids = list(token_ids(load_tokenizer(base.folder, allow), rows, most_tokens(task)))
    keys = [row_key(row) for row in ids]
    store = RowStore(store_folder("features", FEATURES_VERSION, base.fingerprint, device))
    missing = store.missing(keys)
    if missing:
        encoder = cast(TextEncoder, load_encoder(base.folder, task, device, allow))
        features = encoder.features_of([ids[index] for index in missing], on_batch)
        found = ((keys[index], features[place : place + 1]) for place, index in enumerate(missing))
        store.add(found, features.shape[1])
    return np.concatenate([store.get(key) for key in keys])


def _cached_of_images(
    base: ResolvedModel,
    rows: Rows,
    task: Task,
    device: str,
    on_batch: Callable[[int, int], None] | None,
) -> npt.NDArray[np.float32]:
    """Every image is read and scaled, which its key needs, and only new ones are encoded."""
    import numpy as np

    encoder = cast(ImageEncoder, load_encoder(base.folder, task, device, base.source.allow))
    store = RowStore(store_folder("features", FEATURES_VERSION, base.fingerprint, device))
    keys: list[str] = []

    def new() -> Iterator[tuple[str, Array]]:
        written: set[str] = set()
        for batch in rows.batches(head.BATCH_SIZE):
            images = [pixels(encoder.tokenizer, content) for content in batch.inputs]
            of_batch = [_pixels_key(image) for image in images]
            places = [place for place in store.missing(of_batch) if of_batch[place] not in written]
            if places:
                features = encoder.features_of([images[place] for place in places])
                for place, row in zip(places, features, strict=True):
                    yield of_batch[place], row[None]
            written.update(of_batch)
            keys.extend(of_batch)
            if on_batch is not None:
                on_batch(len(keys), len(rows))

    store.add(new(), base.architecture.hidden)
    return np.concatenate([store.get(key) for key in keys])


def _pixels_key(image: Array) -> str:
    """The hash that an image's features are kept under: of its size and pixels, scaled."""
    named = repr(image.shape).encode() + image.tobytes()
    return hashlib.sha256(named).hexdigest()[:KEY_DIGITS]
