"""Texts without labels, for a model to learn the language from: none of them may be a test row."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from zenml_ftvr.data.corpora import CORPORA, read_corpus
from zenml_ftvr.data.files import files_of, opened
from zenml_ftvr.data.load import read_texts
from zenml_ftvr.data.rows import Dataset, row_id_of
from zenml_ftvr.errors import DataError

__all__ = ["UnlabelledTexts", "read_unlabelled", "texts_fingerprint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlabelledTexts:
    """Distinct texts, in their file's order, without the validation and test rows."""

    name: str
    texts: tuple[str, ...]
    row_ids: tuple[str, ...]
    n_read: int
    n_repeated: int
    n_of_test: int
    """Texts left out because their normalised text is a test row's."""
    n_of_validation: int
    """The same of validation rows, by which a checkpoint is chosen."""

    @property
    def n_words(self) -> int:
        return sum(len(text.split()) for text in self.texts)

    @property
    def fingerprint(self) -> str:
        """sha256 over the texts in their order, 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for text in self.texts:
            digest.update(hashlib.sha256(text.encode()).digest())
        return digest.hexdigest()[:16]

    @property
    def statement(self) -> str:
        """What was read and what was left out, in a sentence."""
        left_out = [
            f"{n:,} {what}"
            for n, what in (
                (self.n_of_test, "with the text of a test row"),
                (self.n_of_validation, "with that of a validation row"),
                (self.n_repeated, "that repeat another"),
            )
            if n
        ]
        without = f", without {', '.join(left_out)}" if left_out else "; none is a test row"
        return f"{len(self.texts):,} of {self.n_read:,} unlabelled texts of {self.name}{without}."


CHUNK_BYTES = 2**20  # read at a time


def texts_fingerprint(name: str) -> str:
    """sha256 over the bytes of the files that `name` stands for; of a built-in corpus, its name.

    What a corpus holds changes with this package only. Raises `DataError` for what cannot be read.
    """
    if name in CORPORA:
        return name
    digest = hashlib.sha256()
    for file in files_of(name):
        with opened(file) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def read_unlabelled(name: str, dataset: Dataset, text_column: str = "text") -> UnlabelledTexts:
    """The texts of a file or built-in corpus that are no validation or test row of `dataset`.

    Rows are compared by their normalised text, as splitting does; a longer text that quotes a test
    row is not found. Raises `DataError` for what cannot be read, and where nothing is left.
    """
    read = read_corpus(name)[0] if name in CORPORA else read_texts(name, text_column)
    test, validation = set(dataset.test.row_ids), set(dataset.validation.row_ids)
    n_of_test = n_of_validation = n_repeated = 0
    kept: dict[str, str] = {}
    for text in read:
        row_id = row_id_of(text)
        if row_id in test:
            n_of_test += 1
        elif row_id in validation:
            n_of_validation += 1
        elif row_id in kept:
            n_repeated += 1
        else:
            kept[row_id] = text
    if not kept:
        raise DataError(
            f"pretrain_on '{name}': each of its {len(read):,} texts is a validation or test row. "
            f"Name other texts, or leave pretrain_on out."
        )
    return UnlabelledTexts(
        name=name,
        texts=tuple(kept.values()),
        row_ids=tuple(kept),
        n_read=len(read),
        n_repeated=n_repeated,
        n_of_test=n_of_test,
        n_of_validation=n_of_validation,
    )
