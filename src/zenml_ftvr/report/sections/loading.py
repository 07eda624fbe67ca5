"""How to load what was trained."""

from __future__ import annotations

from collections.abc import Sequence

from zenml_ftvr.report import wording as w
from zenml_ftvr.report.blocks import Blocks, Code, Details, Paragraph
from zenml_ftvr.report.usage import usage_lines
from zenml_ftvr.report.usage_by_task import answers_plainly
from zenml_ftvr.values import TrainedModel

__all__ = ["usage"]


def usage(models: Sequence[TrainedModel]) -> Blocks:
    """How to load and use the first model; the others folded away."""
    first, *others = models
    folded = tuple(
        Details(f"{w.approach_name(model.kind)}, trained beside it", _lines(model))
        for model in others
    )
    return (*_lines(first), *folded)


def _lines(model: TrainedModel) -> Blocks:
    ours, plain = usage_lines(model, model.path)
    without = "Without this package:"
    if not answers_plainly(model):
        without = "Without this package it can be opened, but not asked:"
    return Code(ours), Paragraph(without), Code(plain)
