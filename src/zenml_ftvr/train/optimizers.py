"""The optimiser of a plan: which, and at what rate each weight learns."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from zenml_ftvr.errors import ConfigurationError
from zenml_ftvr.models import layer_stack
from zenml_ftvr.values import Full, Lora, TrainingPlan

__all__ = ["Rate", "layer_rates", "optimizer_for", "parameter_groups", "plus_rates"]

Rate = Callable[[str], float]
"""A weight's name to the factor on the plan's learning rate."""

NOT_DECAYED = re.compile(
    r"bias|layernorm|rmsnorm|(^|\.)norm(\.|$)|_norm(\.|$)|lora_magnitude_vector"
)
"""Weights that are not drawn towards zero: biases and norms, as in transformers' Trainer, and
DoRA's column lengths, for which zero is no pretrained state."""


def optimizer_for(plan: TrainingPlan, model: Any) -> Any:
    """The torch optimiser over the trained weights of `model`."""
    match plan.approach:
        case Full() as approach:
            rate = layer_rates(model, approach.layer_decay)
            groups = parameter_groups(model, plan, rate)
            return (
                _adam_8bit(groups, model) if approach.optimiser == "adamw_8bit" else _adam(groups)
            )
        case Lora() as approach:
            return _adam(parameter_groups(model, plan, plus_rates(approach.plus_ratio)))
        case _:
            return _adam(parameter_groups(model, plan, _the_same))


def _the_same(name: str) -> float:
    return 1.0


def layer_rates(model: Any, decay: float) -> Rate:
    """Layer-wise decay: what lies above the layers learns at the plan's rate, the last layer at
    `decay` times it, the one below at `decay` squared, and the embeddings slowest.

    Howard & Ruder 2018, arXiv 1801.06146, 3.2; Clark et al. 2020, arXiv 2003.10555.
    """
    if decay == 1.0:
        return _the_same
    if getattr(model.config, "is_encoder_decoder", False):
        raise ConfigurationError(
            f"layer_decay is {decay:g}, but {type(model).__name__} is an encoder-decoder, whose "
            f"layers have no single order. Set it to 1."
        )
    stack, layers = layer_stack(model)
    rates = {}
    passed_the_layers = False
    for name, _ in model.named_parameters():  # in the order they are used
        if name.startswith(f"{stack}."):
            passed_the_layers = True
            index = int(name.removeprefix(f"{stack}.").split(".")[0])
            rates[name] = decay ** (len(layers) - index)
        else:
            rates[name] = 1.0 if passed_the_layers else decay ** (len(layers) + 1)
    return rates.__getitem__


def plus_rates(ratio: float) -> Rate:
    """LoRA+: the B matrices learn `ratio` times faster. Hayou et al. 2024, arXiv 2402.12354."""

    def rate(name: str) -> float:
        return ratio if re.search(r"\.lora_(embedding_)?B\b", name) else 1.0

    return rate


def parameter_groups(model: Any, plan: TrainingPlan, rate: Rate) -> list[dict[str, Any]]:
    """Groups of equal rate and decay over the weights that are trained.

    Those at the plan's own rate come first, so that the rate that is logged is the plan's.
    """
    from torch import nn

    norms = {
        f"{module_name}.{name}" if module_name else name
        for module_name, module in model.named_modules()
        if isinstance(module, nn.LayerNorm)
        for name, _ in module.named_parameters(recurse=False)
    }
    base_rate = plan.learning_rate or 0.0
    groups: dict[tuple[float, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        factor = rate(name)
        decays = name not in norms and not NOT_DECAYED.search(name.lower())
        group = groups.setdefault(
            (factor, decays),
            {
                "params": [],
                "lr": base_rate * factor,
                "weight_decay": plan.weight_decay if decays else 0.0,
            },
        )
        group["params"].append(parameter)
    return [groups[key] for key in sorted(groups, key=lambda key: (key[0] != 1.0, -key[0]))]


ADAM_EPSILON = 1e-8  # Kingma & Ba 2015, arXiv 1412.6980, 2, as torch and the Trainer have it


def _adam(groups: list[dict[str, Any]]) -> Any:
    import torch

    return torch.optim.AdamW(groups, eps=ADAM_EPSILON, fused=True)


def _adam_8bit(groups: list[dict[str, Any]], model: Any) -> Any:
    """AdamW with moments of a byte each; those of embeddings keep 32 bits.

    Dettmers et al. 2022, arXiv 2110.02861, 2.3: embeddings are what makes 8-bit moments unstable.
    """
    import bitsandbytes
    from torch import nn

    optimizer = bitsandbytes.optim.AdamW8bit(groups, eps=ADAM_EPSILON)
    manager = bitsandbytes.optim.GlobalOptimManager.get_instance()
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            manager.register_module_override(module, "weight", {"optim_bits": 32})
    return optimizer
