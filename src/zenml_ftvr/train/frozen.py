"""Train above frozen layers without running them again: each row brings their states."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenml_ftvr.models import (
    PREFIX_STATES,
    ResolvedModel,
    RowStore,
    cache_folder,
    cut,
    frozen_states,
    row_key,
    store_folder,
)
from zenml_ftvr.tasks import PackedRows
from zenml_ftvr.train.progress import Progress

if TYPE_CHECKING:
    from zenml_ftvr.tasks import EncodedRows
    from zenml_ftvr.train.loop import Prepared

__all__ = ["states_folder", "without_frozen_part"]

STATES_VERSION = 1  # raised when the same rows would give other states
SHARE_OF_FREE_DISK = 0.5
"""The states may take up to half of what is free; beyond it the frozen layers run every epoch."""
BYTES = 4  # of a 32-bit number


class _RowsWithStates:
    """Rows, each with the states that the frozen layers make of it."""

    def __init__(self, rows: EncodedRows | PackedRows, store: RowStore) -> None:
        self.rows = rows
        self._store = store
        self._keys = [
            [row_key(ids) for ids in _seen_alone(rows, index)] for index in range(len(rows))
        ]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return self.rows.lengths

    def __getitem__(self, index: int) -> dict[str, Any]:
        import numpy as np

        states = [self._store.get(key) for key in self._keys[index]]
        whole = states[0] if len(states) == 1 else np.concatenate(states)
        return {**self.rows[index], PREFIX_STATES: whole}


def _seen_alone(rows: EncodedRows | PackedRows, index: int) -> list[list[int]]:
    """Token ids of what does not see one another in a row: the documents of a block, or the row."""
    match rows:
        case PackedRows():
            return rows.pieces(index)
        case _:
            return [rows.input_ids[index]]


def _all_alone(rows: EncodedRows | PackedRows) -> Iterator[list[int]]:
    for index in range(len(rows)):
        yield from _seen_alone(rows, index)


def _collate_states(
    collate: Callable[[list[dict[str, Any]]], Any], padding_side: str
) -> Callable[[list[dict[str, Any]]], Any]:
    """Pads the states as the tokens are padded."""

    def together(rows: list[dict[str, Any]]) -> Any:
        import torch

        states = [row[PREFIX_STATES] for row in rows]
        batch = collate(
            [{name: row[name] for name in row if name != PREFIX_STATES} for row in rows]
        )
        length = batch["input_ids"].shape[1]
        padded = torch.zeros((len(rows), length, states[0].shape[1]), dtype=torch.float32)
        for row, own in enumerate(states):
            start = length - len(own) if padding_side == "left" else 0
            padded[row, start : start + len(own)] = torch.from_numpy(own.copy())
        batch[PREFIX_STATES] = padded
        return batch

    return together


def states_folder(base: ResolvedModel, n_frozen: int, device: str) -> Path:
    """Where the states of a base model's first `n_frozen` layers are kept."""
    return store_folder("states", STATES_VERSION, base.fingerprint, n_frozen, device)


@contextmanager
def without_frozen_part(
    prepared: Prepared, folder: Path, device: str, progress: Progress
) -> Iterator[Prepared]:
    """While the body runs, the model is without its frozen layers and the rows bring their states.

    States that `folder` lacks are computed first. Where nothing is frozen, or the states would take
    more than half of the free disk, what was prepared is handed on as it is.
    """
    trainable = prepared.trainable
    if trainable.n_frozen == 0 or not _fits(prepared):
        yield prepared
        return
    store = RowStore(folder)
    ids = [*_all_alone(prepared.train), *_all_alone(prepared.validation)]
    keys = [row_key(row) for row in ids]
    missing = store.missing(keys)
    if missing:
        model, tokenizer = trainable.model.to(device), trainable.tokenizer
        states = frozen_states(
            model,
            trainable.n_frozen,
            [ids[index] for index in missing],
            lambda rows: tokenizer.pad({"input_ids": rows}, return_tensors="pt").to(device),
            lambda done, total: progress("frozen layers", done, total),
        )
        store.add(
            ((keys[missing[place]], array) for place, array in states), model.config.hidden_size
        )
    kept = dataclasses.replace(
        prepared,
        train=_RowsWithStates(prepared.train, store),
        validation=_RowsWithStates(prepared.validation, store),
        collate=_collate_states(prepared.collate, trainable.tokenizer.padding_side),
    )
    with cut(trainable.model, trainable.n_frozen):
        yield kept


def _fits(prepared: Prepared) -> bool:
    tokens = sum(prepared.train.lengths) + sum(prepared.validation.lengths)
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    hidden: int = prepared.trainable.model.config.hidden_size
    return tokens * hidden * BYTES <= SHARE_OF_FREE_DISK * free
