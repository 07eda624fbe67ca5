"""Encoder-decoders: a text for each text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from zenml_ftvr.data import Rows
from zenml_ftvr.models.folder import Manifest, allowed_code
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.models.resolve import load_tokenizer
from zenml_ftvr.models.transformer import load_transformer
from zenml_ftvr.tasks.seq2seq import SeqToSeqWork
from zenml_ftvr.tasks.text_classification import token_ids

__all__ = ["TextScorer"]

BATCH_SIZE = 32  # texts at once; no gradients are kept
BEAMS = 1
"""Greedy. Beams cost their number times as much, and every approach that is compared is written
with the same. A judgement."""
OnRows = Callable[[int, int], None]


class TextScorer:
    """A trained encoder-decoder."""

    def __init__(self, folder: Path, manifest: Manifest, work: SeqToSeqWork, device: str) -> None:
        self._work = work
        self._tokenizer = load_tokenizer(folder, allowed_code(manifest))
        self._model = load_transformer(folder, manifest, work).to(device).eval()

    def outputs(self, rows: Rows, on_rows: OnRows | None = None) -> list[str]:
        """A text a row, of at most the task's target length in tokens."""
        ids = list(token_ids(self._tokenizer, rows, self._work.task.max_length))
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]), reverse=True)
        result = [""] * len(ids)
        for start in range(0, len(order), BATCH_SIZE):
            chunk = order[start : start + BATCH_SIZE]
            for index, text in zip(chunk, self._written([ids[i] for i in chunk]), strict=True):
                result[index] = text
            if on_rows is not None:
                on_rows(start + len(chunk), len(order))
        return result

    def _written(self, ids: list[list[int]]) -> list[str]:
        import torch

        batch = self._tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(self._model.device)
        with torch.inference_mode(), quiet():
            new = self._model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                generation_config=self._generation(),
            )
        texts: list[str] = self._tokenizer.batch_decode(new, skip_special_tokens=True)
        return texts

    def _generation(self) -> Any:
        """Greedy; what else the model's own configuration says of starts and ends is kept."""
        import copy

        config = copy.deepcopy(self._model.generation_config)
        config.update(
            do_sample=False,
            num_beams=BEAMS,
            early_stopping=False,
            length_penalty=1.0,
            max_length=None,
            max_new_tokens=self._work.task.max_target_length,
        )
        if config.pad_token_id is None:
            config.pad_token_id = self._tokenizer.pad_token_id
        return config
