"""Models that give numbers for a whole row: logits, log-odds of labels, or one number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from zenml_ftvr.data import Rows
from zenml_ftvr.models.features import Encoder, load_encoder
from zenml_ftvr.models.folder import HEAD_FILE, Manifest, allowed_code
from zenml_ftvr.models.resolve import load_tokenizer
from zenml_ftvr.models.transformer import load_transformer
from zenml_ftvr.tasks import Work
from zenml_ftvr.tasks.text_classification import TextWork, token_ids

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["FeatureScorer", "RowScorer"]

BATCH_SIZE = 32  # texts a forward pass; no gradients are kept
OnRows = Callable[[int, int], None]


class FeatureScorer:
    """A linear head on the features of a frozen encoder."""

    def __init__(self, folder: Path, manifest: Manifest, work: Work, device: str) -> None:
        from safetensors.numpy import load_file

        arrays = load_file(folder / HEAD_FILE)
        self._weight, self._bias = arrays["weight"], arrays["bias"]
        self._encoder: Encoder = load_encoder(folder, work.task, device, allowed_code(manifest))

    def outputs(self, rows: Rows, on_rows: OnRows | None = None) -> npt.NDArray[np.float32]:
        """[rows, classes]."""
        features = self._encoder.features(rows, on_rows)
        result: npt.NDArray[np.float32] = features @ self._weight.T + self._bias
        return result


class RowScorer:
    """A transformer with a head for whole texts."""

    def __init__(self, folder: Path, manifest: Manifest, work: TextWork, device: str) -> None:
        self._work = work
        self._tokenizer = load_tokenizer(folder, allowed_code(manifest))
        self._model = load_transformer(folder, manifest, work).to(device).eval()

    def outputs(self, rows: Rows, on_rows: OnRows | None = None) -> npt.NDArray[np.float32]:
        """[rows, classes]; numbers in the units of the training rows."""
        import numpy as np
        import torch

        ids = list(token_ids(self._tokenizer, rows, self._work.task.max_length))
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]), reverse=True)
        result = np.empty((len(ids), self._model.config.num_labels), dtype=np.float32)
        for start in range(0, len(order), BATCH_SIZE):
            chunk = order[start : start + BATCH_SIZE]
            batch = self._tokenizer.pad(
                {"input_ids": [ids[index] for index in chunk]}, return_tensors="pt"
            ).to(self._model.device)
            with torch.inference_mode():
                result[chunk] = self._model(**batch).logits.float().cpu().numpy()
            if on_rows is not None:
                on_rows(start + len(chunk), len(order))
        if self._work.task.target == "regression":
            scale = self._work.scale
            result = (result * scale.deviation + scale.mean).astype(np.float32)
        return result
