"""What answers without a neural network, one form for each kind of task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from zenml_ftvr.data import Rows
from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.models.baselines.images import fit_image_baseline, load_image_baseline
from zenml_ftvr.models.baselines.ngram import fit_ngrams, load_ngrams
from zenml_ftvr.models.baselines.retrieval import fit_retrieval, load_retrieval
from zenml_ftvr.models.baselines.tags import fit_tag_baseline, load_tag_baseline
from zenml_ftvr.models.baselines.text import fit_text_baseline, load_text_baseline
from zenml_ftvr.tasks import Outputs, Work
from zenml_ftvr.tasks.causal_lm import CausalWork
from zenml_ftvr.tasks.image_classification import ImageWork
from zenml_ftvr.tasks.seq2seq import SeqToSeqWork
from zenml_ftvr.tasks.text_classification import TextWork
from zenml_ftvr.tasks.token_classification import TagWork

__all__ = ["Baseline", "fit_baseline", "load_baseline"]

OnRows = Callable[[int, int], None]
"""Rows done, rows in all."""


class Baseline(Protocol):
    """A fitted baseline."""

    @property
    def n_params(self) -> int: ...

    def outputs(self, rows: Rows, on_rows: OnRows | None = None) -> Outputs:
        """What it says of each row, in the form of its task."""

    def save(self, folder: Path) -> None:
        """Write it without pickle."""


def fit_baseline(work: Work, rows: Rows, seed: int) -> Baseline:
    """The honest simple answer to a task, fitted on `rows`."""
    match work:
        case TextWork():
            return fit_text_baseline(work, rows, seed)
        case TagWork():
            return fit_tag_baseline(work, rows, seed)
        case ImageWork():
            return fit_image_baseline(work, rows, seed)
        case CausalWork():
            return fit_ngrams(work, rows, seed)
        case SeqToSeqWork():
            return fit_retrieval(work, rows, seed)
        case _:
            raise ConfigurationError(f"no baseline is known for '{work.task.kind}'.")


def load_baseline(work: Work, folder: Path) -> Baseline:
    """What `save` wrote; `ModelError` where a file holds what a baseline does not."""
    match work:
        case TextWork():
            return load_text_baseline(work, folder)
        case TagWork():
            return load_tag_baseline(work, folder)
        case ImageWork():
            return load_image_baseline(work, folder)
        case CausalWork():
            return load_ngrams(work, folder)
        case SeqToSeqWork():
            return load_retrieval(work, folder)
        case _:
            raise ConfigurationError(f"no baseline is known for '{work.task.kind}'.")
