"""A data set as a folder of Arrow files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from zenml_ftvr.data.fingerprint import Fingerprint
from zenml_ftvr.data.rows import Dataset, Rows, rows_in
from zenml_ftvr.data.split import SPLITS
from zenml_ftvr.data.spool import rows_of_bytes
from zenml_ftvr.errors import DataError
from zenml_ftvr.values import DataSource

__all__ = ["read_dataset", "write_dataset"]

SCHEMA_VERSION = 2
"""2: other tasks' types of columns; what version 1 wrote is read as it is."""
RECORD_FILE = "dataset.json"


def write_dataset(dataset: Dataset, folder: Path) -> None:
    """Write the splits as Arrow IPC files, and what is known about them as JSON."""
    import pyarrow as pa

    folder.mkdir(parents=True, exist_ok=True)
    for name in SPLITS:
        rows: Rows = getattr(dataset, name)
        path = str(folder / f"{name}.arrow")
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, rows.table.schema) as writer:
            for batch in rows.batches(rows_of_bytes(rows.table)):
                writer.write_table(batch.table)
    record = {
        "schema_version": SCHEMA_VERSION,
        "source": dataclasses.asdict(dataset.source),
        "labels": list(dataset.labels),
        "fingerprint": dataset.fingerprint,
        "n_duplicates": dataset.n_duplicates,
        "n_conflicts": dataset.n_conflicts,
        "n_dropped": dataset.n_dropped,
    }
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (folder / RECORD_FILE).write_text(text, encoding="utf-8")


def _source_of(record: dict[str, Any]) -> DataSource:
    """A source as JSON holds it; settings that are younger than the record have their defaults."""
    fatal = {"fatal": tuple(record["fatal"])} if "fatal" in record else {}
    return DataSource(**record | fatal)


def read_dataset(folder: Path) -> Dataset:
    """Read what `write_dataset` wrote, memory-mapped; changed rows are refused."""
    import pyarrow as pa

    path = folder / RECORD_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["schema_version"] > SCHEMA_VERSION:
            raise DataError(
                f"{path} has schema version {record['schema_version']}; this version of "
                f"zenml-ftvr reads up to {SCHEMA_VERSION}. Upgrade zenml-ftvr."
            )
        splits = {name: rows_in(folder / f"{name}.arrow") for name in SPLITS}
        with Fingerprint() as found:
            for name, rows in splits.items():
                for batch in rows.batches():
                    batch.table.validate(full=True)
                    found.add(name, batch)
            actual = found.hexdigest()
        dataset = Dataset(
            source=_source_of(record["source"]),
            **splits,
            labels=tuple(record["labels"]),
            fingerprint=record["fingerprint"],
            n_duplicates=record["n_duplicates"],
            n_conflicts=record["n_conflicts"],
            n_dropped=record["n_dropped"],
        )
    # ValueError: text that is no UTF-8, text that is no JSON, and pa.ArrowInvalid.
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise DataError(
            f"{folder} is not a whole data set ({type(error).__name__}: {error}). Run load_data "
            f"again."
        ) from error
    if actual != dataset.fingerprint:
        raise DataError(
            f"{folder} was changed after it was written: its rows have fingerprint {actual[:12]}, "
            f"recorded is {dataset.fingerprint[:12]}. Run load_data again."
        )
    return dataset
