"""Rows to be answered, of which no target is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from zenml_ftvr.data.rows import Rows, schema_of
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import (
    CausalLM,
    ImageClassification,
    Seq2Seq,
    Task,
    TextClassification,
    TokenClassification,
)

__all__ = ["rows_of_inputs"]


def rows_of_inputs(inputs: Sequence[Any], task: Task) -> Rows:
    """Inputs as rows without targets and ids; `DataError` names the first that is none."""
    import pyarrow as pa

    for index, value in enumerate(inputs):
        if not _is_input(value, task):
            raise DataError(
                f"row {index} holds no {_wanted(task)} ({value!r:.80}). Give {_form(task)}, or "
                f"mappings with one under 'text'."
            )
    empty = pa.array([""] * len(inputs), pa.string())
    texts = pa.array(list(inputs), schema_of(task).field("text").type)
    return Rows(pa.table({"row_id": empty, "text": texts, "label": pa.nulls(len(inputs))}))


def _is_input(value: Any, task: Task) -> bool:
    match task:
        case TokenClassification():
            return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        case ImageClassification():
            return isinstance(value, bytes)
        case CausalLM(form="chat"):
            return isinstance(value, list | tuple) and all(isinstance(one, dict) for one in value)
        case TextClassification() | CausalLM() | Seq2Seq():
            return isinstance(value, str)
        case _:
            assert_never(task)


def _wanted(task: Task) -> str:
    match task:
        case TokenClassification():
            return "words"
        case ImageClassification():
            return "image"
        case CausalLM(form="chat"):
            return "conversation"
        case TextClassification() | CausalLM() | Seq2Seq():
            return "text"
        case _:
            assert_never(task)


def _form(task: Task) -> str:
    match task:
        case TokenClassification():
            return "lists of words"
        case ImageClassification():
            return "the bytes of an image file"
        case CausalLM(form="chat"):
            return "lists of messages with role and content"
        case TextClassification() | CausalLM() | Seq2Seq():
            return "strings"
        case _:
            assert_never(task)
