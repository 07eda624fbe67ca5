"""Rows, and the data set that they are split into."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from zenml_ftvr.values import DataSource, Task, TextClassification
from zenml_ftvr.values.task import CausalLM, ImageClassification, Seq2Seq, TokenClassification

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import numpy.typing as npt

__all__ = [
    "BATCH_ROWS",
    "Dataset",
    "Rows",
    "fingerprint_of",
    "make_rows",
    "normalise",
    "row_id_of",
    "row_id_of_input",
    "schema_of",
    "text_of",
]

ROW_ID_DIGITS = 32  # hexadecimal: 128 bits, so that two texts never share one by chance
BATCH_ROWS = 1024  # rows that are Python objects at a time: of 10,000 characters each, some 10 MB


def normalise(text: str) -> str:
    """What makes two texts the same: NFKC, case folded, runs of white space made one."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    # Once more: folding takes some letters apart, but not the same letters in capitals.
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", folded)).strip()


def row_id_of(text: str) -> str:
    """The start of the sha256 of the normalised text, 32 hexadecimal digits."""
    digest = hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:ROW_ID_DIGITS]


def row_id_of_input(value: Any) -> str:
    """The id of a row with this input; inputs of equal text, or images of equal bytes, share one.

    Of words, the text is what they make with blanks between them; of a conversation, its roles and
    contents. An image that was encoded again has another id.
    """
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()[:ROW_ID_DIGITS]
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return row_id_of("\n".join(f"{turn['role']}: {turn['content']}" for turn in value))
    return row_id_of(text_of(value))


def text_of(value: Any) -> str:
    """An input as one text: words with blanks between, contents of messages; none of images."""
    match value:
        case str():
            return value
        case bytes():
            return ""
        case [str(), *_]:
            return " ".join(value)
        case _:
            return "\n".join(turn["content"] for turn in value)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one split: an Arrow table with the columns `row_id`, `text` and `label`.

    `row_id` is a string. What the two others hold follows from the task:

    | task | `text` | `label` |
    |---|---|---|
    | text-classification, single | string | string |
    | text-classification, multi | string | list of strings, sorted |
    | text-classification, regression | string | double |
    | token-classification | list of strings: words | list of strings: tags |
    | causal-lm, text | string | null |
    | causal-lm, completion | string: prompt | string: completion |
    | causal-lm, chat | list of structs of role and content | null |
    | seq2seq | string | string |
    | image-classification | binary: the bytes of a PNG, JPEG, ... file | string |
    """

    table: Any

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def inputs(self) -> list[Any]:
        """What a model is given, as Python values, in the file's order."""
        return self._column("text")

    @property
    def targets(self) -> list[Any]:
        """What it is to answer, as Python values, in the same order."""
        return self._column("label")

    @property
    def texts(self) -> list[str]:
        """`inputs` of tasks whose inputs are texts."""
        return self._column("text")

    @property
    def labels(self) -> list[str]:
        """`targets` of tasks whose targets are texts."""
        return self._column("label")

    @property
    def row_ids(self) -> list[str]:
        """The ids, in the same order; rows of equal input share one (`row_id_of_input`)."""
        return self._column("row_id")

    def take(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Rows:
        """The rows at `indices`, in that order."""
        import pyarrow as pa

        return Rows(self.table.take(pa.array(indices, type=pa.int64())))

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Rows]:
        """These rows, at most `size` at a time, without a copy."""
        for start in range(0, len(self), size):
            yield Rows(self.table.slice(start, size))

    def _column(self, name: str) -> list[Any]:
        values: list[Any] = self.table.column(name).to_pylist()
        return values


def schema_of(task: Task) -> Any:
    """The Arrow schema of a task's rows."""
    import pyarrow as pa

    string, strings = pa.string(), pa.list_(pa.string())
    match task:
        case TextClassification(target="multi"):
            columns = string, strings
        case TextClassification(target="regression"):
            columns = string, pa.float64()
        case TextClassification() | Seq2Seq() | CausalLM(form="completion"):
            columns = string, string
        case TokenClassification():
            columns = strings, strings
        case CausalLM(form="chat"):
            message = pa.struct([("role", string), ("content", string)])
            columns = pa.list_(message), pa.null()
        case CausalLM():
            columns = string, pa.null()
        case ImageClassification():
            columns = pa.binary(), string
        case _:
            assert_never(task)
    return pa.schema([("row_id", string), ("text", columns[0]), ("label", columns[1])])


def make_rows(
    row_ids: Sequence[str],
    inputs: Sequence[Any],
    targets: Sequence[Any],
    task: Task = TextClassification(),  # noqa: B008  (frozen)
) -> Rows:
    """Rows from columns of equal length, of the types of `task`."""
    import pyarrow as pa

    return Rows(pa.table([list(row_ids), list(inputs), list(targets)], schema=schema_of(task)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Rows split into train, validation and test."""

    source: DataSource
    train: Rows
    validation: Rows
    test: Rows
    labels: tuple[str, ...]
    """Every label or tag, sorted, whose place is its id; none of tasks without."""
    fingerprint: str
    """sha256 over the rows of every split, whatever their order; 64 hexadecimal digits."""
    n_duplicates: int
    n_conflicts: int
    n_dropped: int

    def label_ids(self, rows: Rows) -> list[int]:
        """The place in `labels` of each row's label; of tasks with one label a row."""
        place = {label: index for index, label in enumerate(self.labels)}
        return [place[label] for label in rows.labels]


def fingerprint_of(splits: Iterable[tuple[str, Rows]]) -> str:
    """sha256 over split, id, input and target of every row, in sorted order."""
    lines = sorted(
        _digest(name, *row)
        for name, rows in splits
        for batch in rows.batches()
        for row in zip(batch.row_ids, batch.inputs, batch.targets, strict=True)
    )
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _digest(split: str, row_id: str, value: Any, target: Any) -> bytes:
    parts = (split.encode(), row_id.encode(), _canonical(value), _canonical(target))
    return hashlib.sha256(b"\0".join(parts)).digest()


def _canonical(value: Any) -> bytes:
    """Bytes that are the same for equal values of one column, and for no others."""
    match value:
        case str():
            return value.encode("utf-8", "surrogatepass")
        case bytes():
            return hashlib.sha256(value).digest()
        case float():
            return value.hex().encode()
        case _:
            # Escaped, so that no value can hold the byte between two of them.
            return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
