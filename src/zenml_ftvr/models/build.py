"""Build the model and tokenizer that a plan trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zenml_ftvr.approaches import most_tokens, scratch
from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.adapters import base_options, n_weights, with_adapters
from zenml_ftvr.models.from_nothing import model_from_nothing
from zenml_ftvr.models.heads import auto_class
from zenml_ftvr.models.prefix import freeze_below
from zenml_ftvr.models.pretrained import load_base
from zenml_ftvr.models.resolve import ResolvedModel, load_tokenizer
from zenml_ftvr.models.tokenizers import train_tokenizer
from zenml_ftvr.tasks import TargetScale, Work, make_work
from zenml_ftvr.values import Full, Lora, Partial, Scratch, TrainingPlan

__all__ = ["Trainable", "build"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainable:
    """A model with the head of its task, ready to take optimiser steps."""

    model: Any
    tokenizer: Any
    n_frozen: int = 0
    """Lower layers whose answers do not change while the others are trained."""

    @property
    def n_params(self) -> int:
        return sum(map(n_weights, self.model.parameters()))

    @property
    def n_trainable(self) -> int:
        return sum(
            parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad
        )


def build(plan: TrainingPlan, base: ResolvedModel | None, texts: Sequence[str]) -> Trainable:
    """The model of a plan that takes steps on labels; its weights follow from `plan.seed`.

    `texts` is the training split, from which `scratch` trains its tokenizer.
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
            return dataclasses.replace(whole, n_frozen=n_frozen)
        case Lora() as approach:
            options = base_options(approach)
            return with_adapters(_pretrained(work, _required(plan, base), options), approach, work)
        case Scratch() as approach:
            return _from_nothing(plan, work, approach, texts)
        case _:
            raise ModelError(f"approach '{plan.kind}' takes no optimiser steps.")


def _required(plan: TrainingPlan, base: ResolvedModel | None) -> ResolvedModel:
    if base is None:
        raise ModelError(f"approach '{plan.kind}' needs a base model; set base_model.name.")
    return base


def _pretrained(
    work: Work, base: ResolvedModel, options: dict[str, Any] | None = None
) -> Trainable:
    settings = {**work.model_settings(), **(options or {})}
    model = load_base(auto_class(work.head), base.folder, **settings)
    tokenizer = load_tokenizer(base.folder)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    return Trainable(model=model, tokenizer=tokenizer)


def _from_nothing(
    plan: TrainingPlan, work: Work, approach: Scratch, texts: Sequence[str]
) -> Trainable:
    form = scratch.form_of(plan.task)
    n_tokens = most_tokens(plan.task)
    tokenizer = train_tokenizer(
        texts,
        approach.vocabulary_size or scratch.MIN_VOCABULARY,
        n_tokens,
        kind=approach.tokenizer or scratch.tokenizer_for(None, form)[0],
        form=form,
    )
    shape = scratch.architecture(
        approach.depth or scratch.MIN_DEPTH, len(tokenizer), n_tokens, form
    )
    model = model_from_nothing(form, work.head, shape, tokenizer, work.model_settings())
    return Trainable(model=model, tokenizer=tokenizer)
