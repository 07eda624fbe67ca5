"""Load a trained model's folder and use it, whatever the approach."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, assert_never
from zipfile import BadZipFile

from zenml_ftvr.errors import DataError, ModelError
from zenml_ftvr.models.features import Encoder, load_encoder
from zenml_ftvr.models.folder import ADAPTER_FILE, BASELINE_FILE, HEAD_FILE, Manifest, read_manifest
from zenml_ftvr.models.pretrained import load_base, load_whole
from zenml_ftvr.models.quiet import quiet
from zenml_ftvr.models.resolve import load_tokenizer, resolve
from zenml_ftvr.tasks.text_classification import encode
from zenml_ftvr.values import Allowance
from zenml_ftvr.values.written import user_path

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from zenml_ftvr.values import Kind

__all__ = ["LoadedModel", "Prediction", "load"]

BATCH_SIZE = 32  # texts a forward pass; no gradients are kept
OnBatch = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The answer for one row."""

    label: str
    probability: float
    """Of `label`."""
    probabilities: Mapping[str, float]


class _Scorer(Protocol):
    """Texts to a score for each class: log-probabilities of `baseline`, logits of the rest."""

    def logits(self, texts: Sequence[str], on_batch: OnBatch | None) -> npt.NDArray[np.float32]: ...


class LoadedModel:
    """A trained model, ready to predict."""

    def __init__(self, manifest: Manifest, scorer: _Scorer) -> None:
        self._manifest = manifest
        self._scorer = scorer

    @property
    def kind(self) -> Kind:
        return self._manifest.kind

    @property
    def labels(self) -> tuple[str, ...]:
        return self._manifest.labels

    def predict(self, rows: Sequence[str | Mapping[str, Any]]) -> list[Prediction]:
        """One prediction a row; a row is a text or a mapping with the text under `text`."""
        texts = [_text_of(row, index) for index, row in enumerate(rows)]
        answers = []
        for row in self.probabilities(texts):
            best = int(row.argmax())
            answers.append(
                Prediction(
                    label=self.labels[best],
                    probability=float(row[best]),
                    probabilities=dict(zip(self.labels, map(float, row), strict=True)),
                )
            )
        return answers

    def probabilities(
        self, texts: Sequence[str], on_batch: OnBatch | None = None
    ) -> npt.NDArray[np.float64]:
        """Class probabilities [texts, classes], in the order of `labels`."""
        import numpy as np

        scores = self.logits(texts, on_batch).astype(np.float64)
        scores -= scores.max(axis=1, keepdims=True)
        exponentials = np.exp(scores)
        result: npt.NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return result

    def logits(
        self, texts: Sequence[str], on_batch: OnBatch | None = None
    ) -> npt.NDArray[np.float32]:
        """Unnormalised scores [texts, classes]."""
        import numpy as np

        if not texts:
            return np.empty((0, len(self.labels)), dtype=np.float32)
        return self._scorer.logits(texts, on_batch)


def _text_of(row: str | Mapping[str, Any], index: int) -> str:
    text = row.get("text") if isinstance(row, Mapping) else row
    if not isinstance(text, str):
        raise DataError(
            f"row {index} holds no text ({row!r:.80}). Give strings, or mappings with a string "
            f"under 'text'."
        )
    return text


def load(path: str | Path, allow: Sequence[Allowance] = ()) -> LoadedModel:
    """Load the folder of a trained model; `ModelError` says what is missing and what to do.

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
    try:
        return LoadedModel(manifest, _scorer(folder, manifest))
    except (OSError, ValueError, SafetensorError, BadZipFile) as error:
        raise ModelError(
            f"{folder} is not a whole '{manifest.kind}' model ({error}). Copy all of its files "
            f"again, or train it again."
        ) from error


def _scorer(folder: Path, manifest: Manifest) -> _Scorer:
    match manifest.kind:
        case "baseline":
            return _BaselineScorer(folder, len(manifest.labels))
        case "head" | "contrastive":
            return _HeadScorer(folder, manifest)
        case "partial" | "full" | "scratch" | "lora":
            return _ClassifierScorer(folder, manifest)
        case _:
            assert_never(manifest.kind)


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


class _BaselineScorer:
    def __init__(self, folder: Path, n_classes: int) -> None:
        import skops.io

        path = folder / BASELINE_FILE
        if unknown := skops.io.get_untrusted_types(file=path):
            raise ModelError(
                f"{path} holds types that are not part of a baseline: {', '.join(unknown)}. "
                f"It was not loaded; train the model again."
            )
        self._pipeline = skops.io.load(path)
        self._n_classes = n_classes

    def logits(self, texts: Sequence[str], on_batch: OnBatch | None) -> npt.NDArray[np.float32]:
        import numpy as np

        # A class that no training row had keeps a probability of zero.
        result = np.full((len(texts), self._n_classes), -np.inf, dtype=np.float32)
        with np.errstate(divide="ignore"):
            result[:, self._pipeline.classes_] = np.log(self._pipeline.predict_proba(list(texts)))
        if on_batch is not None:
            on_batch(len(texts), len(texts))
        return result


class _HeadScorer:
    def __init__(self, folder: Path, manifest: Manifest) -> None:
        from safetensors.numpy import load_file

        arrays = load_file(folder / HEAD_FILE)
        self._weight, self._bias = arrays["weight"], arrays["bias"]
        self._encoder: Encoder = load_encoder(
            folder, manifest.max_length, _device(), _allowed_code(manifest)
        )

    def logits(self, texts: Sequence[str], on_batch: OnBatch | None) -> npt.NDArray[np.float32]:
        features = self._encoder.features(texts, on_batch)
        result: npt.NDArray[np.float32] = features @ self._weight.T + self._bias
        return result


class _ClassifierScorer:
    def __init__(self, folder: Path, manifest: Manifest) -> None:
        device = _device()
        self._max_length = manifest.max_length
        self._tokenizer = load_tokenizer(folder, _allowed_code(manifest))
        load_model = _with_base if manifest.kind == "lora" else _classifier
        model = load_model(folder, manifest)
        self._model = model.to(device).eval()

    def logits(self, texts: Sequence[str], on_batch: OnBatch | None) -> npt.NDArray[np.float32]:
        import numpy as np
        import torch

        ids = encode(self._tokenizer, texts, self._max_length)
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]), reverse=True)
        result = np.empty((len(ids), self._model.config.num_labels), dtype=np.float32)
        for start in range(0, len(order), BATCH_SIZE):
            chunk = order[start : start + BATCH_SIZE]
            batch = self._tokenizer.pad(
                {"input_ids": [ids[index] for index in chunk]}, return_tensors="pt"
            ).to(self._model.device)
            with torch.inference_mode():
                result[chunk] = self._model(**batch).logits.float().cpu().numpy()
            if on_batch is not None:
                on_batch(start + len(chunk), len(order))
        return result


def _allowed_code(manifest: Manifest) -> list[Allowance]:
    """What may be loaded of the trained model's own folder: it has no pickled weights."""
    allow = () if manifest.base is None else manifest.base.allow
    return [one for one in allow if one == "remote_code"]


def _classifier(folder: Path, manifest: Manifest) -> Any:
    from transformers import AutoModelForSequenceClassification

    return load_whole(AutoModelForSequenceClassification, folder, _allowed_code(manifest))


def _with_base(folder: Path, manifest: Manifest) -> Any:
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    if manifest.base is None:
        raise ModelError(f"{folder} is a LoRA adapter whose manifest names no base model.")
    if not (folder / ADAPTER_FILE).is_file():  # PEFT would take pickled ones in its place
        raise ModelError(f"{folder} has no {ADAPTER_FILE}. Copy or train the model again.")
    base = resolve(manifest.base)
    if base.fingerprint != manifest.base_fingerprint:
        raise ModelError(
            f"{folder} was trained on a base model with sha256 {manifest.base_fingerprint}, but "
            f"'{manifest.base.name}' now has {base.fingerprint}. Pin base_model.revision, or "
            f"train again."
        )
    model = load_base(
        AutoModelForSequenceClassification,
        base.folder,
        manifest.base.allow,
        num_labels=len(manifest.labels),
        pad_token_id=load_tokenizer(folder, _allowed_code(manifest)).pad_token_id,
    )
    with quiet():
        warnings.filterwarnings("error", message="Found missing adapter keys")
        try:
            return PeftModel.from_pretrained(model, folder)
        except (UserWarning, KeyError) as error:  # an adapter's layer, the head
            raise ModelError(
                f"{folder} lacks weights of its adapter: {error}. They would start from random; "
                f"copy or train the model again."
            ) from error
