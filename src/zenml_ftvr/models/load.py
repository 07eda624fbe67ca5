"""Load a trained model's folder and use it, whatever the approach and the task."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from zenml_ftvr.data import Rows, rows_of_inputs
from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.folder import Manifest, read_manifest
from zenml_ftvr.models.recorded import refuse_changed
from zenml_ftvr.models.scorers import Scorer, Writer, scorer_for
from zenml_ftvr.tasks import Answers, Outputs, Work, make_work
from zenml_ftvr.values import Allowance, Kind, Task
from zenml_ftvr.values.written import user_path

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["LoadedModel", "load"]

log = logging.getLogger(__name__)

OnRows = Callable[[int, int], None]


class LoadedModel:
    """A trained model, ready to answer."""

    def __init__(self, manifest: Manifest, work: Work, scorer: Scorer) -> None:
        self._manifest = manifest
        self._work = work
        self._scorer = scorer

    @property
    def kind(self) -> Kind:
        return self._manifest.kind

    @property
    def task(self) -> Task:
        return self._manifest.task

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes or tags; empty where the task has none."""
        return self._manifest.labels

    def predict(self, rows: Sequence[Any | Mapping[str, Any]]) -> list[Any]:
        """One prediction a row: of the classes in `zenml_ftvr.tasks.predictions`.

        A row is what the task reads (a text, words, an image's bytes), or a mapping with that under
        `text`.
        """
        inputs = [row.get("text") if isinstance(row, Mapping) else row for row in rows]
        if not inputs:
            return []
        asked = rows_of_inputs(inputs, self.task)
        if isinstance(self._scorer, Writer):
            return self._work.predictions(self._scorer.written(asked), inputs)
        return self._work.predictions(self._scorer.outputs(asked), inputs)

    def outputs(self, rows: Rows, on_rows: OnRows | None = None) -> Outputs:
        """What the model says of every row, in the form of its task."""
        return self._scorer.outputs(rows, on_rows)

    def logits(self, inputs: Sequence[Any], on_rows: OnRows | None = None) -> Outputs:
        """Unnormalised scores [rows, classes] of inputs, in the order of `labels`."""
        if not inputs:
            import numpy as np

            return np.empty((0, len(self.labels)), dtype=np.float32)
        return self._scorer.outputs(rows_of_inputs(inputs, self.task), on_rows)

    def probabilities(
        self, inputs: Sequence[Any], on_rows: OnRows | None = None
    ) -> npt.NDArray[np.float64]:
        """Class probabilities [rows, classes] of inputs, one label a row, in `labels`' order."""
        import numpy as np

        scores = np.asarray(self.logits(inputs, on_rows), dtype=np.float64)
        scores -= scores.max(axis=1, keepdims=True)
        exponentials = np.exp(scores)
        result: npt.NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return result

    def answers(self, rows: Rows, on_rows: OnRows | None = None) -> Answers:
        """The model's answers beside the truth."""
        return self._work.answers(self._scorer.outputs(rows, on_rows), rows)


def load(path: str | Path, allow: Sequence[Allowance] = ()) -> LoadedModel:
    """Load the folder of a trained model; `ModelError` says what is missing and what to do.

    Files are refused that are not those which were saved, by their sha256: a second for each
    gigabyte or so.

    `allow` is for a model whose base has code or pickled weights of its own (`ModelSource.allow`).
    What the folder says was allowed when it was trained counts for nothing here: whoever made it
    wrote that.
    """
    from safetensors import SafetensorError

    folder = user_path(str(path))
    manifest = read_manifest(folder)
    if manifest.base is not None:
        asked, base = manifest.base.allow, dataclasses.replace(manifest.base, allow=tuple(allow))
        manifest = dataclasses.replace(manifest, base=base)
        if "remote_code" in asked and "remote_code" not in allow:
            raise ModelError(
                f"{folder} was trained on '{base.name}', whose own Python files run when it is "
                f"loaded. If you trust whoever made the folder, load it with "
                f'allow=["remote_code"].'
            )
    if manifest.files is None:
        log.warning(
            "%s was saved before the hashes of its files were recorded: whether they are those "
            "that were saved is not known. Train it again, or load it only if you know its way.",
            folder,
        )
    else:
        refuse_changed(folder, manifest.files)
    work = make_work(manifest.task, manifest.labels, manifest.scale)
    try:
        return LoadedModel(manifest, work, scorer_for(folder, manifest, work, _device()))
    except (OSError, ValueError, SafetensorError, BadZipFile) as error:
        raise ModelError(
            f"{folder} is not a whole '{manifest.kind}' model ({error}). Copy all of its files "
            f"again, or train it again."
        ) from error


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
