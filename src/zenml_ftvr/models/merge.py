"""Merge adapters into their base: an ordinary whole model comes out, or nothing."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.approaches import most_tokens
from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.folder import MANIFEST_FILE, Manifest, read_manifest, write_manifest
from zenml_ftvr.models.heads import auto_class
from zenml_ftvr.models.pretrained import load_whole
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.models.recorded import refuse_changed
from zenml_ftvr.models.resolve import load_tokenizer
from zenml_ftvr.models.scorers.rows import BATCH_SIZE
from zenml_ftvr.models.transformer import with_base
from zenml_ftvr.tasks import make_work
from zenml_ftvr.tasks.text_classification import encode

if TYPE_CHECKING:
    import torch

__all__ = ["TOLERANCE", "merge_adapters"]

TOLERANCE = 1e-4
"""The most that a merged model's answer may differ from the adapters', in shares of the largest
answer. PEFT holds its own merges to the same (huggingface/peft#2982); models of two layers were
seen to differ by 1e-6."""

PROBED_ROWS = 32  # one batch: of drawn token ids, beside the texts that are given
PROBE_SEED = 0
README_FILE = "README.md"


def merge_adapters(folder: str | Path, into: str | Path, texts: Sequence[str] = ()) -> Path:
    """Write the model that the adapters of `folder` and their base make together into `into`.

    What was written is read again, and its answers to `texts` and to rows of drawn token ids are
    compared with the adapters'. Raises `ModelError` where they differ by more than rounding, and
    where there is nothing to merge; `into` then does not appear.
    """
    folder, into = Path(folder).expanduser(), Path(into).expanduser()
    manifest = read_manifest(folder)
    if manifest.weights != "adapters":
        raise ModelError(
            f"{folder} holds a whole '{manifest.kind}' model: it has no adapters to merge. Use it "
            f"as it is."
        )
    if manifest.files is not None:
        refuse_changed(folder, manifest.files)
    if into.exists():
        raise ModelError(f"{into} exists already. Name a folder that does not.")
    tokenizer = load_tokenizer(folder)
    work_of = make_work(manifest.task, manifest.labels, manifest.scale)
    model = with_base(folder, manifest, work_of).eval()
    rows = [
        *encode(tokenizer, list(texts), most_tokens(manifest.task)),
        *_probes(tokenizer, manifest),
    ]
    apart = _answers(model, tokenizer, rows)
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".ftvr-", dir=into.parent) as name:
        work = Path(name) / "model"
        with quiet():
            merged = model.merge_and_unload()
            _name_labels(merged.config, manifest)
            merged.save_pretrained(work)
        tokenizer.save_pretrained(work)
        _require_equal(
            apart,
            _answers(load_whole(auto_class(work_of.head), work).eval(), tokenizer, rows),
            folder,
        )
        _write_manifest(folder, work)
        if (folder / README_FILE).is_file():
            shutil.copyfile(folder / README_FILE, work / README_FILE)
        work.replace(into)
    return into


def _probes(tokenizer: Any, manifest: Manifest) -> list[list[int]]:
    """Rows of token ids drawn from the vocabulary, of two tokens up to the longest."""
    import numpy as np

    rng = np.random.default_rng(PROBE_SEED)
    lengths = np.linspace(2, most_tokens(manifest.task), PROBED_ROWS).astype(int)
    special = set(tokenizer.all_special_ids)
    words = np.array([index for index in range(len(tokenizer)) if index not in special])
    return [rng.choice(words, length).tolist() for length in lengths]


def _answers(model: Any, tokenizer: Any, rows: Sequence[list[int]]) -> torch.Tensor:
    """Logits [rows, classes] on the CPU, in 32 bits."""
    import torch

    parts = []
    for start in range(0, len(rows), BATCH_SIZE):
        batch = tokenizer.pad(
            {"input_ids": list(rows[start : start + BATCH_SIZE])}, return_tensors="pt"
        )
        with torch.inference_mode():
            parts.append(model(**batch).logits.float())
    return torch.cat(parts)


def _require_equal(apart: torch.Tensor, merged: torch.Tensor, folder: Path) -> None:
    import torch

    if not bool(torch.isfinite(apart).all()):
        raise ModelError(
            f"the adapters of {folder} answer with numbers that are not finite: some of their "
            f"weights are damaged. Copy or train the model again."
        )
    scale = max(1.0, float(apart.abs().max()))
    worst = float((apart - merged).abs().max())
    if not worst <= TOLERANCE * scale:  # also where it is no number
        raise ModelError(
            f"merged into their base, the adapters of {folder} answer differently: by up to "
            f"{worst:.2g}, where rounding explains {TOLERANCE * scale:.2g}. Nothing was written; "
            f"use the adapters as they are."
        )


def _name_labels(config: Any, manifest: Manifest) -> None:
    """What others read the classes' names from; an adapter has them in our manifest alone."""
    config.id2label = dict(enumerate(manifest.labels))
    config.label2id = {label: index for index, label in enumerate(manifest.labels)}


def _write_manifest(folder: Path, work: Path) -> None:
    content = json.loads((folder / MANIFEST_FILE).read_text())
    write_manifest({**content, "weights": "whole"}, work)
