"""Frozen lower layers: run once over each row, kept on disk, and left out of every step.

What a frozen layer answers does not change while the layers above it are trained, so that running
it again each epoch is work for nothing. The first layers of a model are replaced by one that hands
in the kept states; masks and positions are made by the model's own code as before, so that what
comes out is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zenml_ftvr.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

__all__ = ["PREFIX_STATES", "cut", "freeze_below", "frozen_states", "layer_stack"]

PREFIX_STATES = "prefix_states"
"""What a batch calls the states that enter the first trained layer, [rows, tokens, hidden]."""

BATCH_SIZE = 32  # rows a forward pass; no gradients are kept

READ_OFF_THE_FIRST_LAYER = ("attention_type", "layer_idx", "is_causal", "is_decoder")
"""What some models' own code asks its first layer for."""
COUNTS_OF_LAYERS = ("num_hidden_layers", "n_layer", "n_layers")  # of BERT, GPT-2, DistilBERT
LAST_NORMS = ("norm", "final_norm", "ln_f", "final_layernorm", "final_layer_norm", "layernorm")
"""What models call a norm after the last layer, beside the list of layers."""


def layer_stack(model: Any) -> tuple[str, Any]:
    """The name and the list of the model's layers: the largest list of modules of one class."""
    from torch import nn

    kind = type(model).__name__
    if getattr(model.config, "is_encoder_decoder", False):
        raise ModelError(
            f"{kind} is an encoder-decoder: which of its layers come last is not one answer, so "
            f"that 'partial' does not take it. Use 'full' or 'lora'."
        )
    stacks = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList)
        and len(module) >= 2
        and len({type(layer) for layer in module}) == 1
    }
    if not stacks:
        raise ModelError(f"no stack of layers was found in {kind}. Use 'full' or 'lora'.")

    def size(name: str) -> int:
        return sum(parameter.numel() for parameter in stacks[name].parameters())

    largest = max(stacks, key=size)
    return largest, stacks[largest]


def freeze_below(model: Any, n_trained: int) -> int:
    """Freeze the embeddings and all but the last `n_trained` layers; returns how many are frozen.

    The frozen part stays in evaluation mode, without dropout, whatever mode the model is in: its
    answer must not change. Raises `ModelError` where the model has fewer layers.
    """
    name, layers = layer_stack(model)
    n_frozen = len(layers) - n_trained
    if not 0 <= n_frozen < len(layers):
        raise ModelError(
            f"layers is {n_trained}, but {type(model).__name__} has {len(layers)}. Set it between "
            f"1 and {len(layers)}, or leave it out."
        )
    holder = name.rpartition(".")[0]
    passed_the_layers = False
    for parameter_name, parameter in model.named_parameters():  # in the order they are used
        if parameter_name.startswith(f"{name}."):
            passed_the_layers = True
            index = int(parameter_name.removeprefix(f"{name}.").split(".")[0])
            trains = index >= n_frozen
        elif passed_the_layers and parameter_name.startswith(f"{holder}.") and holder:
            # Beside the layers: a last norm, or what every layer shares (relative positions).
            trains = parameter_name.removeprefix(f"{holder}.").split(".")[0] in LAST_NORMS
        else:
            trains = passed_the_layers
        parameter.requires_grad_(trains)
    frozen = _frozen_modules(model, name)

    def keep_evaluating(module: Any, arguments: Any) -> None:
        for one in frozen:
            one.eval()

    model.register_forward_pre_hook(keep_evaluating)
    return n_frozen


def _frozen_modules(model: Any, stack_name: str) -> list[Any]:
    """Modules whose weights are all frozen, and those without weights that come before the layers
    (GPT-2 has the dropout of its embeddings there)."""
    frozen = []
    before_the_layers = True
    for name, module in model.named_modules():
        before_the_layers = before_the_layers and name != stack_name
        weights = list(module.parameters())
        trains = any(weight.requires_grad for weight in weights)
        if not trains and (weights or before_the_layers):
            frozen.append(module)
    return frozen


def frozen_states(
    model: Any,
    n_frozen: int,
    ids: Sequence[list[int]],
    pad: Callable[[list[list[int]]], Any],
    on_batch: Callable[[int, int], None],
) -> Iterator[tuple[int, Array]]:
    """For each row of token ids, its place and the states [tokens, hidden] that enter the first
    trained layer, 32-bit.

    `pad` makes a batch of rows; `on_batch(tokens done, tokens in all)` is called as it goes.
    """
    import torch

    _, layers = layer_stack(model)
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]), reverse=True)
    done, total = 0, sum(map(len, ids))
    seen: list[Any] = []

    def leave(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        seen.append(arguments[0] if arguments else named["hidden_states"])
        raise _Reached

    was_training = model.training
    model.eval()
    hook = layers[n_frozen].register_forward_pre_hook(leave, with_kwargs=True)
    try:
        for start in range(0, len(order), BATCH_SIZE):
            chunk = order[start : start + BATCH_SIZE]
            batch = pad([ids[index] for index in chunk])
            with torch.inference_mode():
                try:
                    model(**batch)
                except _Reached:
                    states = seen.pop().float().cpu().numpy()
            mask = batch["attention_mask"].bool().cpu().numpy()
            for row, index in enumerate(chunk):
                yield index, states[row][mask[row]]
            done += sum(len(ids[index]) for index in chunk)
            on_batch(done, total)
    finally:
        hook.remove()
        model.train(was_training)


class _Reached(Exception):  # noqa: N818  (not an error: the pass has got where it should)
    """The first trained layer is reached; nothing above it is wanted."""


@contextmanager
def cut(model: Any, n_frozen: int) -> Iterator[None]:
    """Leave out the frozen layers while the body runs: every batch brings `PREFIX_STATES`.

    The model is whole again afterwards, with the layers above as the body left them.
    """
    from torch import nn

    name, layers = layer_stack(model)
    holder, _, attribute = name.rpartition(".")
    parent = model.get_submodule(holder)
    handed_in = _handed_in(layers[0], _answer_length(model, layers))
    counts = _set_counts(model, len(layers) - n_frozen + 1, n_frozen)
    setattr(parent, attribute, nn.ModuleList([handed_in, *layers[n_frozen:]]))

    def take_states(
        module: Any, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        named = dict(named)
        handed_in.states = named.pop(PREFIX_STATES)
        return arguments, named

    hook = model.register_forward_pre_hook(take_states, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
        setattr(parent, attribute, layers)
        for config, attribute_name, value in reversed(counts):  # one can be an alias of another
            setattr(config, attribute_name, value)


def _answer_length(model: Any, layers: Any) -> int | None:
    """How long a tuple a layer answers with, None for no tuple: asked of the model, two tokens."""
    import torch

    answered: list[int | None] = []
    hook = layers[0].register_forward_hook(
        lambda module, arguments, answer: answered.append(
            len(answer) if isinstance(answer, tuple) else None
        )
    )
    was_training = model.training
    try:
        model.eval()
        one = torch.ones((1, 2), dtype=torch.long, device=model.device)
        with torch.inference_mode():
            model(input_ids=one, attention_mask=one)
    finally:
        hook.remove()
        model.train(was_training)
    return answered[0]


def _handed_in(first: Any, answer_length: int | None) -> Any:
    """A layer that answers with the states it was handed, in a tuple as long as `first` would."""
    from torch import nn

    class HandedIn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.states: Any = None
            for attribute in READ_OFF_THE_FIRST_LAYER:
                if hasattr(first, attribute):
                    setattr(self, attribute, getattr(first, attribute))

        def forward(self, hidden_states: Any, *arguments: Any, **named: Any) -> Any:
            if answer_length is None:
                return self.states
            return (self.states, *[None] * (answer_length - 1))

    return HandedIn()


def _set_counts(model: Any, n_layers: int, n_frozen: int) -> list[tuple[Any, str, Any]]:
    """Tell the configurations how many layers there are; returns what they said before."""
    configs = {id(one): one for one in (model.config, getattr(model.base_model, "config", None))}
    before: list[tuple[Any, str, Any]] = []
    for config in filter(None, configs.values()):
        for attribute in COUNTS_OF_LAYERS:
            if isinstance(getattr(config, attribute, None), int):
                before.append((config, attribute, getattr(config, attribute)))
                setattr(config, attribute, n_layers)
        kinds = getattr(config, "layer_types", None)
        if kinds:
            before.append((config, "layer_types", kinds))
            config.layer_types = [kinds[0], *kinds[n_frozen:]]
        if getattr(config, "use_cache", None):
            before.append((config, "use_cache", True))
            config.use_cache = False
    return before
