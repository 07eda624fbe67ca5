"""Models whose weights are divided among workers (FSDP2, through accelerate), and whole again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.models import ResolvedModel, Trainable, build
from zenml_ftvr.train.worker_group import Group
from zenml_ftvr.values import TrainingPlan

__all__ = ["shard_on_any_device", "sharding_of", "whole_model"]


def sharding_of(model: Any) -> dict[str, Any]:
    """transformers' settings: each layer's weights are brought together while it computes.

    A model's own list can name what holds its embeddings, which accelerate divides by themselves:
    a weight that is divided twice ends in an error of torch's.
    """
    embeddings = model.get_input_embeddings()
    named = set(getattr(model, "_no_split_modules", None) or ())
    layers = {
        type(module).__name__
        for module in model.modules()
        if type(module).__name__ in named and not any(one is embeddings for one in module.modules())
    }
    return {
        "version": 2,
        "state_dict_type": "FULL_STATE_DICT",
        "transformer_layer_cls_to_wrap": sorted(layers),
    }


def shard_on_any_device() -> None:
    """Weights are divided on CPUs too: accelerate would leave them whole there without a word.

    It asks its own record of what kind of devices there are several of.
    """
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    if PartialState().distributed_type == DistributedType.MULTI_CPU:
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU


def whole_model(
    trainable: Trainable,
    plan: TrainingPlan,
    base: ResolvedModel | None,
    inputs: Sequence[Any],
    group: Group,
) -> Trainable:
    """At the first worker, the model as it is built for one, with the weights that were trained.

    What is divided has other classes and names than what loads. All workers take part, in the
    memory of their hosts; at the others nothing changes. `inputs` are what the tokenizer of
    `scratch` reads.
    """
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights = get_model_state_dict(trainable.model, options=options)
    if not group.is_first:
        return trainable
    fresh = dataclasses.replace(build(plan, base, inputs), tokenizer=trainable.tokenizer)
    missing, unknown = fresh.model.load_state_dict(weights, strict=False)
    tied = set(getattr(fresh.model, "all_tied_weights_keys", None) or ())
    if unknown or set(missing) - tied:
        names = ", ".join(sorted([*unknown, *(set(missing) - tied)])[:5])
        raise TrainingError(
            f"the weights that the workers hold are not those of the model: {names}. Train "
            f"'{plan.kind}' with sharding=none."
        )
    fresh.model.tie_weights()
    return fresh
