"""Rows, and the data set that they are split into."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

from zenml_ftvr.values import DataSource, Task, TextClassification
from zenml_ftvr.values.task import CausalLM, ImageClassification, Seq2Seq, TokenClassification

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

__all__ = [
    "BATCH_ROWS",
    "Dataset",
    "Rows",
    "ids_of",
    "is_among",
    "make_rows",
    "normalise",
    "row_id_of",
    "row_id_of_input",
    "rows_in",
    "schema_of",
    "text_of",
]

ROW_ID_DIGITS = 32  # hexadecimal: 128 bits, so that two texts never share one by chance
TAKEN_FROM_MAP = 1_000
"""Rows up to which they are taken from a mapped file: each brings a page or two into memory, which
stay. More are read, each with its batch, which does not."""
BATCH_ROWS = 1024  # rows that are Python objects at a time: of 10,000 characters each, some 10 MB


def normalise(text: str) -> str:
    """What makes two texts the same: NFKC, case folded, runs of white space made one."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    # Once more: folding takes some letters apart, but not the same letters in capitals.
    return " ".join(unicodedata.normalize("NFKC", folded).split())


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

    Many rows are in a file, which the table maps into memory.
    """

    table: Any
    reader: Any = field(default=None, compare=False, repr=False)
    """Reads the same file batch by batch, where there is one. What is mapped stays in memory once
    looked at, as long as the system has room; what is read leaves it."""

    def __reduce__(self) -> tuple[type[Rows], tuple[Any]]:
        """Another process gets a copy of the rows: it has no such file."""
        return Rows, (self.table,)

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
        """The rows at `indices`, in that order; at most 2 GB of text unless they ascend."""
        import numpy as np
        import pyarrow as pa

        # Batch by batch: of many, Arrow would make one first, which 2 GB of strings do not go into.
        places = np.asarray(indices, np.int64)
        order = np.argsort(places, kind="stable")
        places = places[order]
        mapped = self.table.to_batches()
        sizes = [batch.num_rows for batch in mapped]
        ends = np.cumsum(sizes, dtype=np.int64)
        cuts = np.searchsorted(places, ends)
        reads = self.reader is not None and len(places) > TAKEN_FROM_MAP
        parts = [
            (self.reader.get_batch(n) if reads else mapped[n]).take(
                pa.array(places[start:stop] - (end - size))
            )
            for n, (size, start, stop, end) in enumerate(
                zip(sizes, [0, *cuts], cuts, ends, strict=False)
            )
            if stop > start
        ]
        found = pa.Table.from_batches(parts, self.table.schema)
        if (np.diff(order) < 0).any():
            found = found.combine_chunks().take(pa.array(np.argsort(order, kind="stable")))
        return Rows(found)

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Rows]:
        """These rows in order, at most `size` at a time."""
        import pyarrow as pa

        tables: Iterator[Any] = iter([self.table])
        if self.reader is not None:
            batches = (self.reader.get_batch(n) for n in range(self.reader.num_record_batches))
            tables = (pa.Table.from_batches([batch]) for batch in batches)
        for table in tables:
            for batch in table.to_batches(max_chunksize=size):
                if batch.num_rows:
                    yield Rows(pa.Table.from_batches([batch]))

    def _column(self, name: str) -> list[Any]:
        values: list[Any] = self.table.column(name).to_pylist()
        return values


def rows_in(file: Path) -> Rows:
    """The rows of an Arrow IPC file, mapped into memory; it may be deleted while they are used."""
    import pyarrow as pa

    table = pa.ipc.open_file(pa.memory_map(str(file), "rb")).read_all()
    return Rows(table, pa.ipc.open_file(pa.OSFile(str(file), "rb")))


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


def ids_of(row_ids: Sequence[str]) -> npt.NDArray[np.bytes_]:
    """Row ids as an array of 16 bytes each."""
    import numpy as np

    return np.frombuffer(bytes.fromhex("".join(row_ids)), dtype="S16")


def is_among(values: npt.NDArray[Any], ordered: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Whether each value is one of `ordered`, which are sorted."""
    import numpy as np

    if not len(ordered):
        return np.zeros(len(values), bool)
    places = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    found: npt.NDArray[np.bool_] = ordered[places] == values
    return found
