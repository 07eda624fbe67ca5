"""Build the model and tokenizer that a plan trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zenml_ftvr.approaches import image_shape, most_tokens, scratch
from zenml_ftvr.data import text_of
from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.adapters import base_options, n_weights, with_adapters
from zenml_ftvr.models.from_nothing import model_from_nothing
from zenml_ftvr.models.heads import auto_class
from zenml_ftvr.models.prefix import freeze_below
from zenml_ftvr.models.pretrained import load_base
from zenml_ftvr.models.processors import image_processor, load_processor, size_of_images
from zenml_ftvr.models.resolve import ResolvedModel
from zenml_ftvr.models.tokenizers import train_tokenizer
from zenml_ftvr.tasks import TargetScale, Work, make_work
from zenml_ftvr.values import Full, ImageClassification, Lora, Partial, Scratch, TrainingPlan

__all__ = ["Trainable", "build"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainable:
    """A model with the head of its task, ready to take optimiser steps."""

    model: Any
    tokenizer: Any
    """Of an image model, its image processor."""
    n_frozen: int = 0
    """Lower layers whose answers are kept while the others are trained."""

    @property
    def n_params(self) -> int:
        return sum(map(n_weights, self.model.parameters()))

    @property
    def n_trainable(self) -> int:
        return sum(
            parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad
        )


def build(plan: TrainingPlan, base: ResolvedModel | None, inputs: Sequence[Any]) -> Trainable:
    """The model of a plan that takes steps on labels; its weights follow from `plan.seed`.

    `inputs` are of the training split, by which `scratch` trains its tokenizer or sizes images.
    """
    from transformers import set_seed

    set_seed(plan.seed)
    work = make_work(plan.task, plan.labels, TargetScale())  # a model is built alike at any scale
    match plan.approach:
        case Full():
            return _pretrained(work, _required(plan, base))
        case Partial() as approach:
            whole = _pretrained(work, _required(plan, base))
            n_frozen = freeze_below(whole.model, approach.layers or 1)
            if work.head == "image-classification":
                # Frozen, but run every time: a row's states would be its image's patches, hundreds
                # of kilobytes, and reading and scaling the image would stay.
                n_frozen = 0
            return dataclasses.replace(whole, n_frozen=n_frozen)
        case Lora() as approach:
            options = base_options(approach)
            return with_adapters(_pretrained(work, _required(plan, base), options), approach, work)
        case Scratch() as approach:
            return _from_nothing(plan, work, approach, inputs)
        case _:
            raise ModelError(f"approach '{plan.kind}' takes no optimiser steps.")


def _required(plan: TrainingPlan, base: ResolvedModel | None) -> ResolvedModel:
    if base is None:
        raise ModelError(f"approach '{plan.kind}' needs a base model; set base_model.name.")
    return base


def _pretrained(
    work: Work, base: ResolvedModel, options: dict[str, Any] | None = None
) -> Trainable:
    allow = base.source.allow
    settings = {**work.model_settings(), **(options or {})}
    model = load_base(auto_class(work.head), base.folder, allow, **settings)
    tokenizer = load_processor(base.folder, work.head, allow)
    if work.head != "image-classification" and model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    if work.head == "causal-lm":
        tokenizer.padding_side = "right"  # positions count from the row's first place
    return Trainable(model=model, tokenizer=tokenizer)


def _from_nothing(
    plan: TrainingPlan, work: Work, approach: Scratch, inputs: Sequence[Any]
) -> Trainable:
    depth, form = approach.depth or scratch.MIN_DEPTH, scratch.form_of(plan.task)
    if isinstance(plan.task, ImageClassification):
        side, channels = size_of_images(inputs, plan.task.image_size)
        image = image_shape(side, channels)
        processor = image_processor(inputs, image.image_size, channels)
        shape = scratch.architecture(depth, 0, image.n_patches + 1, form, image)
    else:
        n_tokens = most_tokens(plan.task)
        processor = train_tokenizer(
            [text_of(one) for one in inputs],
            approach.vocabulary_size or scratch.MIN_VOCABULARY,
            n_tokens,
            kind=approach.tokenizer or scratch.tokenizer_for(None, form)[0],
            form=form,
        )
        shape = scratch.architecture(depth, len(processor), n_tokens, form)
    model = model_from_nothing(form, work.head, shape, processor, work.model_settings())
    return Trainable(model=model, tokenizer=processor)
