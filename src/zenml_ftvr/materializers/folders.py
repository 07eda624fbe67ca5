"""Data sets and trained models as plain files in the artifact store: no pickle, no archive."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from zenml.artifact_stores import BaseArtifactStore, LocalArtifactStore
from zenml.enums import ArtifactType, VisualizationType
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.metadata.metadata_types import MetadataType

from zenml_ftvr import report
from zenml_ftvr.data import Dataset, read_dataset, text_of, write_dataset
from zenml_ftvr.errors import DataError
from zenml_ftvr.materializers.values import page, read_value, write_value
from zenml_ftvr.models import cache_folder
from zenml_ftvr.values import TrainedModel

__all__ = ["DatasetMaterializer", "TrainedModelMaterializer", "work_folder"]

FILES_FOLDER = "files"
CARD_FILE = "README.md"
MEASURED_ROWS = 20_000  # whose length is looked at, from the first on
CLASSES_SHOWN = 10  # on the data set's page
SAMPLE_ROWS = 8  # of each split, on the data set's page
CHUNK_BYTES = 2**22  # read and written at a time


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """A fresh folder for files on their way into the artifact store, which takes it over.

    It is removed where the body fails.
    """
    parent = cache_folder() / "work"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _is_work_folder(folder: Path) -> bool:
    return folder.is_relative_to(cache_folder() / "work")


def _put(folder: Path, uri: str, store: BaseArtifactStore) -> None:
    """Bring every file below `folder` to `uri`; our own work folder is moved where it can be."""
    if isinstance(store, LocalArtifactStore) and _is_work_folder(folder):
        shutil.move(folder, uri)
    else:
        _copy(folder, uri, store)
    if _is_work_folder(folder):
        _remove_work_folder(folder)


def _copy(folder: Path, uri: str, store: BaseArtifactStore) -> None:
    store.makedirs(uri)
    for entry in sorted(folder.iterdir()):
        target = f"{uri}/{entry.name}"
        if entry.is_dir():
            _copy(entry, target, store)
            continue
        with entry.open("rb") as source, store.open(target, "wb") as sink:
            shutil.copyfileobj(source, sink, CHUNK_BYTES)


def _remove_work_folder(folder: Path) -> None:
    """All of it: what was brought may lie below it, and may have been moved."""
    work = cache_folder() / "work"
    own = work / folder.relative_to(work).parts[0]
    if own.exists():
        shutil.rmtree(own)


def _here(uri: str, store: BaseArtifactStore) -> Path:
    """A local folder with the files at `uri`: they themselves, or a copy in our cache."""
    if isinstance(store, LocalArtifactStore):
        return Path(uri)
    folder = cache_folder() / "artifacts" / hashlib.sha256(uri.encode()).hexdigest()[:32]
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        arriving = Path(name) / "files"
        _fetch(uri, arriving, store)
        try:
            arriving.replace(folder)
        except OSError:
            if not folder.exists():  # else another process brought the same files first
                raise
    return folder


def _fetch(uri: str, folder: Path, store: BaseArtifactStore) -> None:
    folder.mkdir(parents=True)
    for entry in store.listdir(uri):
        name = os.fsdecode(entry).rstrip("/").rsplit("/", 1)[-1]
        if name in ("", ".", "..") or "\\" in name or "\0" in name:
            raise DataError(
                f"{uri} in the artifact store has an entry named {name!r}, which is no file's. It "
                f"was not written by zenml-ftvr; run the step that made the artifact again."
            )
        source = f"{uri}/{name}"
        if store.isdir(source):
            _fetch(source, folder / name, store)
            continue
        with store.open(source, "rb") as stream, (folder / name).open("wb") as sink:
            shutil.copyfileobj(stream, sink, CHUNK_BYTES)


class DatasetMaterializer(BaseMaterializer):
    """`Dataset` as Arrow files, memory-mapped when read."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Dataset,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def save(self, data: Dataset) -> None:
        """Write the three splits."""
        with work_folder() as work:
            folder = work / "dataset"  # else its mode would be that of a temporary folder
            write_dataset(data, folder)
            _put(folder, f"{self.uri}/{FILES_FOLDER}", self.artifact_store)

    def load(self, data_type: type[Any]) -> Dataset:
        """Read the three splits; files that were changed are refused."""
        return read_dataset(_here(f"{self.uri}/{FILES_FOLDER}", self.artifact_store))

    def compute_content_hash(self, data: Dataset) -> str | None:
        """Of the rows, so that the same rows keep what follows in the cache."""
        return data.fingerprint

    def extract_metadata(self, data: Dataset) -> dict[str, MetadataType]:
        """What is worth a line beside the artifact."""
        return {
            "train": len(data.train),
            "validation": len(data.validation),
            "test": len(data.test),
            "fingerprint": data.fingerprint,
        }

    def save_visualizations(self, data: Dataset) -> dict[str, VisualizationType]:
        """Statistics, and a few rows of the training and validation split; no test rows."""
        splits = (("train", data.train), ("validation", data.validation))
        facts = {
            "Source": data.source.name,
            "Training rows": f"{len(data.train):,}",
            "Validation rows": f"{len(data.validation):,}",
            "Test rows": f"{len(data.test):,}",
            "Classes": f"{len(data.labels):,}",
            **_statistics(data),
            "Fingerprint": data.fingerprint,
        }
        sample = [
            (name, _shown(target), _shown(one))
            for name, rows in splits
            for some in (rows.take(range(min(SAMPLE_ROWS, len(rows)))),)
            for target, one in zip(some.targets, some.inputs, strict=True)
        ]
        return page(self, report.dataset_page(f"Data set {data.source.name}", facts, sample))


def _statistics(data: Dataset) -> dict[str, str]:
    """What a look at the training rows and the counts of loading tell; nothing of the test rows."""
    facts = {
        "Rows that repeat another's text": f"{data.n_duplicates:,}",
        "Texts under more than one label": f"{data.n_conflicts:,}",
        "Rows left out": f"{data.n_dropped:,}",
    }
    counts: Counter[str] = Counter()
    lengths: list[int] = []
    for batch in data.train.batches():
        for target in batch.targets if data.labels else ():
            counts.update([target] if isinstance(target, str) else target)
        if len(lengths) < MEASURED_ROWS:
            lengths += [len(text_of(one)) for one in batch.inputs]
    if counts:
        shown = [f"{name} ({n:,})" for name, n in counts.most_common(CLASSES_SHOWN)]
        more = len(counts) - len(shown)
        facts["Most frequent in training"] = ", ".join(shown) + (
            f" and {more:,} more" if more else ""
        )
    if any(lengths):  # images have none
        lengths.sort()
        middle, longest = lengths[len(lengths) // 2], lengths[-1]
        among = "" if len(lengths) == len(data.train) else f", among the first {len(lengths):,}"
        facts["Characters of a training text"] = (
            f"half have at most {middle:,}, the longest {longest:,}{among}"
        )
    return facts


def _shown(value: Any) -> str:
    """An input or a target as people read it."""
    match value:
        case None:
            return "–"
        case bytes():
            return f"an image of {len(value):,} bytes"
        case float():
            return f"{value:g}"
        case list() if all(isinstance(one, str) for one in value):
            return ", ".join(value)
        case _:
            return text_of(value)


class TrainedModelMaterializer(BaseMaterializer):
    """`TrainedModel` as its folder's plain files, and the record of its training as JSON."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (TrainedModel,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.MODEL

    def save(self, data: TrainedModel) -> None:
        """Write the record and bring the folder."""
        write_value(self, data, TrainedModel)
        _put(Path(data.path), f"{self.uri}/{FILES_FOLDER}", self.artifact_store)

    def load(self, data_type: type[Any]) -> TrainedModel:
        """The record, its `path` pointing at the files where they are now."""
        import dataclasses

        model: TrainedModel = read_value(self, TrainedModel)
        folder = _here(f"{self.uri}/{FILES_FOLDER}", self.artifact_store)
        return dataclasses.replace(model, path=str(folder))

    def save_visualizations(self, data: TrainedModel) -> dict[str, VisualizationType]:
        """Curves, plan and how to load it; and the model's card, which is one of its files."""
        shown = page(self, report.trained_model_page(data))
        card = f"{self.uri}/{FILES_FOLDER}/{CARD_FILE}"
        if self.artifact_store.exists(card):
            shown[card] = VisualizationType.MARKDOWN
        return shown

    def extract_metadata(self, data: TrainedModel) -> dict[str, MetadataType]:
        """What is worth a line beside the artifact."""
        return {
            "approach": data.kind,
            "steps": data.steps_done,
            "seconds": data.seconds,
            "stopped_by": data.stopped_by,
            "parameters": data.n_params,
            "trained_parameters": data.n_trainable,
            "plan": data.plan.fingerprint,
        }
