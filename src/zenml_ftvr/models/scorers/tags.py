"""Transformers that tag words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zenml_ftvr.data import Rows
from zenml_ftvr.models.folder import Manifest, allowed_code
from zenml_ftvr.models.processors import load_processor
from zenml_ftvr.models.scorers.rows import BATCH_SIZE
from zenml_ftvr.models.transformer import load_transformer
from zenml_ftvr.tasks.token_classification import UNTAGGED, TagWork, pieces

__all__ = ["TagScorer"]


class TagScorer:
    """A transformer with a head for every piece; a word has the tag of its first piece."""

    def __init__(self, folder: Path, manifest: Manifest, work: TagWork, device: str) -> None:
        self._work = work
        self._tokenizer = load_processor(folder, work.head, allowed_code(manifest))
        self._model = load_transformer(folder, manifest, work).to(device).eval()

    def outputs(
        self, rows: Rows, on_rows: Callable[[int, int], None] | None = None
    ) -> list[list[str]]:
        """A tag a word."""
        import torch

        pieced = list(pieces(self._tokenizer, rows, self._work.task.max_length))
        order = sorted(
            range(len(pieced)), key=lambda index: len(pieced[index].input_ids), reverse=True
        )
        tags: list[list[str]] = [[] for _ in pieced]
        for start in range(0, len(order), BATCH_SIZE):
            chunk = order[start : start + BATCH_SIZE]
            batch = self._tokenizer.pad(
                {"input_ids": [pieced[index].input_ids for index in chunk]}, return_tensors="pt"
            ).to(self._model.device)
            with torch.inference_mode():
                best = self._model(**batch).logits.argmax(-1).cpu().tolist()
            padded = len(best[0])
            for index, found in zip(chunk, best, strict=True):
                row = pieced[index]
                left = self._tokenizer.padding_side == "left"
                shift = padded - len(row.input_ids) if left else 0
                tags[index] = [
                    UNTAGGED if place is None else self._work.labels[found[shift + place]]
                    for place in row.first_pieces
                ]
            if on_rows is not None:
                on_rows(start + len(chunk), len(order))
        return tags
