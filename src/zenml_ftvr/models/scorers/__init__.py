"""What makes a trained model's folder answer: one form for each kind of head."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, assert_never, cast, runtime_checkable

from zenml_ftvr.data import Rows
from zenml_ftvr.models.baselines import Baseline, load_baseline
from zenml_ftvr.models.folder import Manifest
from zenml_ftvr.models.scorers.images import ImageScorer
from zenml_ftvr.models.scorers.language import LanguageScorer
from zenml_ftvr.models.scorers.rows import FeatureScorer, RowScorer
from zenml_ftvr.models.scorers.tags import TagScorer
from zenml_ftvr.models.scorers.texts import TextScorer
from zenml_ftvr.tasks import CausalWork, Outputs, SeqToSeqWork, Work
from zenml_ftvr.tasks.image_classification import ImageWork
from zenml_ftvr.tasks.text_classification import TextWork
from zenml_ftvr.tasks.token_classification import TagWork

__all__ = ["Scorer", "Writer", "scorer_for"]

OnRows = Callable[[int, int], None]
"""Rows done, rows in all."""


class Scorer(Protocol):
    """A model that says something of every row, in the form of its task."""

    def outputs(self, rows: Rows, on_rows: OnRows | None = None) -> Outputs: ...


@runtime_checkable
class Writer(Protocol):
    """A model that is judged by how well it foretells given text, and goes on from a text."""

    def written(self, rows: Rows) -> list[str]:
        """What comes after each row's input."""


def scorer_for(folder: Path, manifest: Manifest, work: Work, device: str) -> Scorer | Baseline:
    """The scorer of a model's folder."""
    match manifest.kind:
        case "baseline":
            return load_baseline(work, folder)
        case "head" | "contrastive":
            return FeatureScorer(folder, manifest, work, device)
        case "partial" | "full" | "scratch" | "lora":
            return _of_transformer(folder, manifest, work, device)
        case _:
            assert_never(manifest.kind)


def _of_transformer(folder: Path, manifest: Manifest, work: Work, device: str) -> Scorer:
    match work.head:
        case "sequence-classification":
            return RowScorer(folder, manifest, cast(TextWork, work), device)
        case "token-classification":
            return TagScorer(folder, manifest, cast(TagWork, work), device)
        case "image-classification":
            return ImageScorer(folder, manifest, cast(ImageWork, work), device)
        case "causal-lm":
            return LanguageScorer(folder, manifest, cast(CausalWork, work), device)
        case "seq2seq":
            return TextScorer(folder, manifest, cast(SeqToSeqWork, work), device)
        case _:
            assert_never(work.head)
