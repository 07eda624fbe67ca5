"""Transformers that sort images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from zenml_ftvr.data import Rows
from zenml_ftvr.models.folder import Manifest, allowed_code
from zenml_ftvr.models.processors import load_processor
from zenml_ftvr.models.scorers.rows import BATCH_SIZE
from zenml_ftvr.models.transformer import load_transformer
from zenml_ftvr.tasks.image_classification import ImageWork, pixels

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["ImageScorer"]


class ImageScorer:
    """A transformer with a head for whole images."""

    def __init__(self, folder: Path, manifest: Manifest, work: ImageWork, device: str) -> None:
        self._processor = load_processor(folder, work.head, allowed_code(manifest))
        self._model = load_transformer(folder, manifest, work).to(device).eval()

    def outputs(
        self, rows: Rows, on_rows: Callable[[int, int], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """[rows, classes]."""
        import numpy as np
        import torch

        result = np.empty((len(rows), self._model.config.num_labels), dtype=np.float32)
        done = 0
        for some in rows.batches(BATCH_SIZE):
            batch = np.stack([pixels(self._processor, content) for content in some.inputs])
            with torch.inference_mode():
                values = torch.from_numpy(batch).to(self._model.device)
                logits = self._model(pixel_values=values).logits
            result[done : done + len(some)] = logits.float().cpu().numpy()
            done += len(some)
            if on_rows is not None:
                on_rows(done, len(rows))
        return result
