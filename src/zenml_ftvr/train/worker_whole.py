"""A model whose weights were divided among workers, whole again."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.models import ResolvedModel, Trainable, build
from zenml_ftvr.train.loop import read_by_a_tokenizer
from zenml_ftvr.train.worker_group import Group
from zenml_ftvr.values import TrainingPlan

if TYPE_CHECKING:
    from zenml_ftvr.data import Dataset

__all__ = ["whole_model"]


def whole_model(
    trainable: Trainable,
    plan: TrainingPlan,
    dataset: Dataset,
    base: ResolvedModel | None,
    group: Group,
) -> Trainable:
    """At the first worker, the model as it is built for one, with the weights that were trained.

    What is divided has other classes and names than what loads. All workers take part, in the
    memory of their hosts; at the others nothing changes.
    """
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights = get_model_state_dict(trainable.model, options=options)
    if not group.is_first:
        return trainable
    inputs = read_by_a_tokenizer(plan.task, dataset)
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
