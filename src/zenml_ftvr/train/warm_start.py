"""Start from a solved head: linear probing first, then fine-tuning.

From a random head, the first steps of fine-tuning change the pretrained features by the gradients
of an answer that means nothing yet. A head that is solved for on the features as they are leaves
them less to change: Kumar et al. 2022, arXiv 2202.10054.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zenml_ftvr.errors import ConfigurationError, ModelError
from zenml_ftvr.models import this_device
from zenml_ftvr.train.solved import MAX_ITERATIONS, choose_c, fit_classes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.models import Trainable

    Array = npt.NDArray[np.float32]

__all__ = ["head_inputs", "last_linear", "start_from_solved_head"]

BATCH_SIZE = 32  # rows a forward pass; no gradients are kept
SAME_ANSWER = 1e-4
"""How far a row's answer may lie from what its last layer makes of a position for that position to
be the one that the model pools: float32 noise of other batch shapes, far below the distance between
positions."""


def start_from_solved_head(
    trainable: Trainable, ids: Sequence[list[int]], label_ids: Sequence[int], seed: int
) -> None:
    """Put logistic regression on the features that the last layer sees into its weights.

    `ids` are the token ids of the training rows and `label_ids` their labels, one a row. Classes
    without a training row keep their random weights. Raises `ConfigurationError` for other labels,
    and `ModelError` where the model has no such layer.
    """
    import torch

    if not all(isinstance(label, int) for label in label_ids):
        raise ConfigurationError(
            "start is 'solved_head', which needs one label a row. Use 'random_head'."
        )
    features = head_inputs(trainable, ids, seed)
    groups = [hashlib.sha256(repr(row).encode()).hexdigest() for row in ids]  # equal rows together
    c = choose_c(features, label_ids, groups, seed)
    layer = last_linear(trainable, ids[0])
    known = sorted(set(label_ids))
    if layer.bias is None:
        weight, bias = _fit_without_bias(features, label_ids, layer.out_features, c, seed), None
    else:
        head = fit_classes(features, label_ids, layer.out_features, c, seed)
        weight, bias = head.weight, head.bias
    with torch.no_grad():
        layer.weight[known] = torch.from_numpy(weight[known]).to(layer.weight)
        if bias is not None:
            layer.bias[known] = torch.from_numpy(bias[known]).to(layer.bias)


def last_linear(trainable: Trainable, row: list[int]) -> Any:
    """The linear layer whose answer for a row is the model's, found by running the row."""
    from torch import nn

    called: list[Any] = []
    n_classes = trainable.model.config.num_labels
    hooks = [
        module.register_forward_hook(lambda module, arguments, answer: called.append(module))
        for module in trainable.model.modules()
        if type(module) is nn.Linear and module.out_features == n_classes
    ]
    try:
        _answers(trainable, [row])
    finally:
        for hook in hooks:
            hook.remove()
    if not called:
        raise ModelError(
            f"start is 'solved_head', but no linear layer of {type(trainable.model).__name__} "
            f"answers with its {n_classes} classes. Use 'random_head'."
        )
    return called[-1]


def head_inputs(trainable: Trainable, ids: Sequence[list[int]], seed: int) -> Array:
    """What the last linear layer sees of each row in a training step, [rows, width].

    With the dropout of training, drawn from `seed`: pretrained features can hardly differ beside
    how large they are, and a head that tells such apart to the last digit answers wildly where one
    is dropped. A decoder asks its last layer about every token and pools one of the answers: that
    token's features are meant.
    """
    import numpy as np
    import torch

    layer = last_linear(trainable, ids[0])
    seen: list[Any] = []
    hook = layer.register_forward_hook(
        lambda module, arguments, answer: seen.append((arguments[0], answer))
    )
    features = np.empty((len(ids), layer.in_features), dtype=np.float32)
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]), reverse=True)
    was_training = trainable.model.training
    trainable.model.train()
    try:
        with torch.random.fork_rng():  # what is drawn later does not depend on the start
            torch.manual_seed(seed)
            for start in range(0, len(order), BATCH_SIZE):
                chunk = order[start : start + BATCH_SIZE]
                logits = _answers(trainable, [ids[index] for index in chunk])
                inputs, answers = seen.pop()
                if inputs.ndim == 3:
                    inputs = _pooled(inputs, answers, logits)
                features[chunk] = inputs.float().cpu().numpy()
    finally:
        hook.remove()
        trainable.model.train(was_training)
    return features


def _answers(trainable: Trainable, ids: Sequence[list[int]]) -> Any:
    """Logits [rows, classes] of a batch, without gradients, in the mode that the model is in."""
    import torch

    model, device = trainable.model, this_device().kind
    if model.device.type != device:
        model.to(device)
    batch = trainable.tokenizer.pad({"input_ids": list(ids)}, return_tensors="pt")
    with torch.inference_mode():
        return model(**batch.to(model.device)).logits


def _pooled(inputs: Any, answers: Any, logits: Any) -> Any:
    """Of inputs [rows, tokens, width] those of the token whose answer the model gave."""
    import torch

    distance = (answers - logits.unsqueeze(1)).abs().amax(dim=-1)
    nearest, place = distance.min(dim=1)
    if float(nearest.max()) > SAME_ANSWER * max(1.0, float(logits.abs().max())):
        raise ModelError(
            "start is 'solved_head', but the model's answer is not that of any one token. Use "
            "'random_head'."
        )
    return inputs[torch.arange(len(inputs), device=inputs.device), place]


def _fit_without_bias(
    features: Array, label_ids: Sequence[int], n_classes: int, c: float, seed: int
) -> Array:
    """Logistic regression without an intercept, weight [classes, width]; the scale is folded in."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler(with_mean=False).fit(features)
    classifier = LogisticRegression(
        C=c, max_iter=MAX_ITERATIONS, fit_intercept=False, random_state=seed
    )
    classifier.fit(scaler.transform(features), np.asarray(label_ids))
    coefficients = classifier.coef_
    if len(classifier.classes_) == 2:  # scikit-learn keeps one row for two classes
        coefficients = np.vstack([-coefficients, coefficients]) / 2
    weight = np.zeros((n_classes, features.shape[1]), dtype=np.float32)
    weight[classifier.classes_] = coefficients / scaler.scale_
    return weight
