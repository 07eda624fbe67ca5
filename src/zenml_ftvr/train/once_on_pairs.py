"""One go at a contrastive plan: the encoder's steps on pairs, then a head on its features."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, cast

from zenml_ftvr.errors import TrainingError
from zenml_ftvr.models import ResolvedModel, load_encoder, save_head
from zenml_ftvr.tasks import RowWork, work_for
from zenml_ftvr.train.attempts import Attempt
from zenml_ftvr.train.contrastive import PreparedPairs
from zenml_ftvr.train.once import Go, Stepped, Surroundings, take_steps
from zenml_ftvr.train.pairs import make_pairs
from zenml_ftvr.train.readings import read_once
from zenml_ftvr.train.solved import choose_strength, fit_head

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.data import Dataset, Rows

__all__ = ["train_once_on_pairs"]


def train_once_on_pairs(
    go: Go, dataset: Dataset, base: ResolvedModel | None, around: Surroundings, attempt: Attempt
) -> Stepped:
    """Take the plan's steps on pairs, solve for the head and write the model.

    Raises `OutOfMemory` where memory did not suffice for the steps.
    """
    if base is None:
        raise TrainingError("approach 'contrastive' needs a base model; name one.")
    plan, progress = go.plan, around.progress
    work = cast(RowWork, work_for(plan.task, dataset))
    encoder = load_encoder(base.folder, plan.task, around.hardware.device, base.source.allow)
    label_ids = work.targets(dataset.train).tolist()
    n_pairs = plan.max_steps * plan.batch_size
    prepared = PreparedPairs(
        encoder=encoder,
        texts=dataset.train.texts,
        pairs=make_pairs(label_ids, dataset.train.row_ids, n_pairs, plan.seed),
        n_features=len(dataset.train) + len(dataset.validation),
    )
    loop = take_steps(go, prepared, around, attempt=attempt)
    encoder.model.eval()

    def features(of: Rows, what: str) -> npt.NDArray[np.float32]:
        return encoder.features(of, lambda done, total: progress(f"features, {what}", done, total))

    trained_on = features(dataset.train, "train")
    c = choose_strength(work, trained_on, dataset.train, plan.seed)
    head = fit_head(work, trained_on, dataset.train, c, plan.seed)
    save_head(encoder, head.weight, head.bias, go.saved_as, work, around.work / "model")
    outputs = head.logits(features(dataset.validation, "validation"))
    read = read_once(work, dataset, outputs, around.log, around.started, loop.steps_done)
    n_params = sum(parameter.numel() for parameter in encoder.model.parameters())
    n_params += int(head.weight.size + head.bias.size)
    return Stepped(
        loop=dataclasses.replace(loop, curve=(*loop.curve, *read)),
        n_params=n_params,
        n_trainable=n_params,
        notes=(),
    )
