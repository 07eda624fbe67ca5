"""What a training is told by: everything that decides its weights on one kind of device."""

from __future__ import annotations

import dataclasses
import hashlib
import json

from zenml_ftvr.data import texts_fingerprint
from zenml_ftvr.hardware import installed_versions
from zenml_ftvr.values import Full, Lora, Scratch, TrainingPlan

__all__ = ["training_fingerprint"]

DECIDING = ("zenml-ftvr", "torch", "transformers", "peft", "scikit-learn")
"""Packages whose version may change a weight; the others move data and show results."""


def training_fingerprint(plan: TrainingPlan) -> str:
    """sha256 over plan (data, base model, hyperparameters, steps), texts and versions, 16 digits.

    Texts to pretrain on count by what is in the file now, and not by its name. Raises `DataError`
    where they cannot be read.
    """
    match plan.approach:
        case Full() | Lora() | Scratch() as approach if approach.pretrain_on is not None:
            texts = texts_fingerprint(approach.pretrain_on)
            plan = dataclasses.replace(
                plan, approach=dataclasses.replace(approach, pretrain_on=texts)
            )
        case _:
            pass
    versions = installed_versions()
    what = [plan.fingerprint, {name: versions.get(name) for name in DECIDING}]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
