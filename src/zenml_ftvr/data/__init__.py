"""Load, check and split rows; the built-in corpora."""

from zenml_ftvr.data.alphabet import measure_alphabet
from zenml_ftvr.data.checks import check_rows
from zenml_ftvr.data.columns import columns_of_rows
from zenml_ftvr.data.corpora import CORPORA, read_corpus
from zenml_ftvr.data.halves import halved, hash_order, proportional_order
from zenml_ftvr.data.load import (
    dataset_from,
    load_dataset,
    read_inputs,
    read_texts,
    refuse_local_path,
)
from zenml_ftvr.data.memory import InMemory
from zenml_ftvr.data.read import column_names
from zenml_ftvr.data.rows import (
    Dataset,
    Rows,
    make_rows,
    normalise,
    row_id_of,
    row_id_of_input,
    text_of,
)
from zenml_ftvr.data.split import make_dataset, split_of
from zenml_ftvr.data.store import read_dataset, write_dataset
from zenml_ftvr.data.unanswered import rows_of_inputs
from zenml_ftvr.data.unlabelled import UnlabelledTexts, read_unlabelled, texts_fingerprint

__all__ = [
    "CORPORA",
    "Dataset",
    "InMemory",
    "Rows",
    "UnlabelledTexts",
    "check_rows",
    "column_names",
    "columns_of_rows",
    "dataset_from",
    "halved",
    "hash_order",
    "load_dataset",
    "make_dataset",
    "make_rows",
    "measure_alphabet",
    "normalise",
    "proportional_order",
    "read_corpus",
    "read_dataset",
    "read_inputs",
    "read_texts",
    "read_unlabelled",
    "refuse_local_path",
    "row_id_of",
    "row_id_of_input",
    "rows_of_inputs",
    "split_of",
    "text_of",
    "texts_fingerprint",
    "write_dataset",
]
