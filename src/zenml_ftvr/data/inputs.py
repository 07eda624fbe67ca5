"""What each task's input column holds: checked, one Python value a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zenml_ftvr.data.images import image_of
from zenml_ftvr.data.read import Column
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import Task
from zenml_ftvr.values.task import CausalLM, ImageClassification, TokenClassification

__all__ = ["ROLES", "and_more", "as_list", "checked_inputs", "is_unicode", "refuse_unanswered"]

ROLES = ("system", "user", "assistant", "tool")
"""Who may speak in a conversation: the roles that chat templates know."""


def checked_inputs(task: Task, column: Column, called: str) -> list[Any]:
    """The inputs of rows: texts, lists of words, conversations, or images' bytes.

    Raises `DataError`, which names the first wrong row.
    """
    match task:
        case TokenClassification():
            return [_words(column, index, called) for index in range(len(column.values))]
        case CausalLM(form="chat"):
            return [_messages(column, index, called) for index in range(len(column.values))]
        case ImageClassification():
            return [image_of(column, index, called) for index in range(len(column.values))]
        case _:
            return _texts(column, called)


def _texts(column: Column, called: str) -> list[str]:
    wrong = [
        index
        for index, value in enumerate(column.values)
        if not isinstance(value, str) or not value.strip() or not is_unicode(value)
    ]
    if wrong:
        first = column.values[wrong[0]]
        what = "is missing" if first is None else "is empty"
        if first is not None and not isinstance(first, str):
            what = f"is {first!r:.60}, which is no text"
        elif first is not None and not is_unicode(first):
            what = f"is {first!a:.60}, which holds half a surrogate pair"
        raise DataError(
            f"{column.place(wrong[0])}: '{called}' {what}"
            f"{and_more(wrong)}. Remove such rows, or set text_column to another column."
        )
    return column.values


def is_unicode(text: str) -> bool:
    r"""False for half a surrogate pair, which JSON can spell (`\ud800`) and nothing can store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def and_more(wrong: Sequence[int]) -> str:
    """How many wrong rows there are besides the first."""
    return f" (and so in {len(wrong) - 1:,} more rows)" if len(wrong) > 1 else ""


def as_list(value: Any) -> list[Any] | None:
    """A list, tuple or array as a list; None for anything else."""
    if hasattr(value, "tolist") and not isinstance(value, str | bytes):
        value = value.tolist()
    return list(value) if isinstance(value, list | tuple) else None


def _words(column: Column, index: int, called: str) -> list[str]:
    value = column.values[index]
    words = as_list(value)
    if words is None:
        what = "is missing" if value is None or value == "" else f"is {value!r:.60}"
        raise DataError(
            f"{column.place(index)}: '{called}' {what}, which is no list of words. Give each row a "
            f'list, such as ["Ada", "wrote"]: in JSONL, Parquet or a .conll file.'
        )
    if not words:
        raise DataError(f"{column.place(index)}: '{called}' has no words. Remove such rows.")
    for place, word in enumerate(words):
        if not isinstance(word, str) or not word.strip() or not is_unicode(word):
            raise DataError(
                f"{column.place(index)}: word {place + 1} of '{called}' is {word!a:.60}. A word is "
                f"a text that is not empty: remove it, and its tag."
            )
    return words


def _messages(column: Column, index: int, called: str) -> list[dict[str, str]]:
    turns = as_list(column.values[index])
    if not turns:
        raise DataError(
            f"{column.place(index)}: '{called}' is {column.values[index]!r:.60}, which is no "
            f"conversation. Give each row a list of messages, each with role and content."
        )
    return [
        _message(turn, f"{column.place(index)}: message {place} of '{called}'")
        for place, turn in enumerate(turns, start=1)
    ]


def _message(turn: Any, where: str) -> dict[str, str]:
    if not isinstance(turn, Mapping):
        raise DataError(f"{where} is {turn!r:.60}. A message is an object with role and content.")
    role, content = turn.get("role"), turn.get("content")
    if role not in ROLES:
        raise DataError(f"{where} has the role {role!r:.60}. Known: {', '.join(ROLES)}.")
    if not isinstance(content, str) or not is_unicode(content):
        raise DataError(
            f"{where} has the content {content!a:.60}, which is no text. Write what was said."
        )
    return {"role": role, "content": content}


def refuse_unanswered(column: Column, called: str, inputs: Sequence[Any]) -> None:
    """Raise `DataError` for a conversation without a turn of the assistant's to learn."""
    for index, turns in enumerate(inputs):
        if not any(turn["role"] == "assistant" and turn["content"].strip() for turn in turns):
            raise DataError(
                f"{column.place(index)}: '{called}' has no turn of the assistant, and those are "
                f"what is learnt. Remove such rows."
            )
