"""One label an image: files to pixels."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from zenml_ftvr.errors import DataError
from zenml_ftvr.tasks.answers import Answers, ClassAnswers
from zenml_ftvr.tasks.labelled import LabelledWork
from zenml_ftvr.tasks.text_classification import label_predictions, label_settings
from zenml_ftvr.tasks.work import Collate, HeadKind, TargetKind
from zenml_ftvr.values import ImageClassification

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from zenml_ftvr.data import Rows

__all__ = ["DEEP_GREY", "ImageWork", "PixelRows", "picture", "pixels"]


DEEP_GREY = ("I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's names of grey levels of 16 bits."""


def picture(content: bytes, mode: Literal["L", "RGB"]) -> Image.Image:
    """The image of a file in grey or colours of 8 bits, the way up that it was taken.

    Raises `DataError` for what Pillow cannot read.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode in DEEP_GREY:  # which Pillow would cut off at 255, not scale
                upright = _eight_bits(upright)
            return upright.convert(mode)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise DataError(
            f"an image of {len(content):,} bytes cannot be read ({error}). Give the bytes of a "
            f"PNG, JPEG, BMP, GIF, TIFF or WebP file."
        ) from error


def _eight_bits(deep: Image.Image) -> Image.Image:
    import numpy as np
    from PIL import Image

    levels = np.asarray(deep, dtype=np.float64).clip(0, 65_535) / 257
    return Image.fromarray(levels.round().astype(np.uint8))


def pixels(processor: Any, content: bytes) -> npt.NDArray[np.float32]:
    """The pixels of an image file as the processor scales them, [channels, height, width].

    A processor with one mean looks at grey alone, any other at red, green and blue.
    """
    import numpy as np

    grey = len(processor.image_mean) == 1
    plain = np.asarray(picture(content, "L" if grey else "RGB"))
    if grey:
        plain = plain[:, :, None]
    made = processor(images=[plain], return_tensors="np", input_data_format="channels_last")
    scaled: npt.NDArray[np.float32] = np.asarray(made["pixel_values"][0], dtype=np.float32)
    return scaled


class PixelRows:
    """A map-style data set of images, each read when it is asked for."""

    def __init__(self, processor: Any, rows: Rows, label_ids: Sequence[int]) -> None:
        self._processor = processor
        self._rows = rows
        self._label_ids = list(label_ids)

    def __len__(self) -> int:
        return len(self._label_ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        content = self._rows.table.column("text")[index].as_py()
        return {
            "pixel_values": pixels(self._processor, content),
            "labels": self._label_ids[index],
        }

    @property
    def lengths(self) -> list[int]:
        """Every image takes as long as any other."""
        return [1] * len(self)

    def subset(self, indices: Sequence[int]) -> PixelRows:
        """The rows at `indices`, in that order."""
        labels = [self._label_ids[index] for index in indices]
        return PixelRows(self._processor, self._rows.take(indices), labels)


def _stack(rows: list[dict[str, Any]]) -> dict[str, Any]:
    import numpy as np
    import torch

    return {
        "pixel_values": torch.from_numpy(np.stack([row["pixel_values"] for row in rows])),
        "labels": torch.tensor([row["labels"] for row in rows]),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWork(LabelledWork[ImageClassification]):
    """Image classification on one data set."""

    @property
    def target(self) -> TargetKind:
        return "single"

    @property
    def head(self) -> HeadKind:
        return "image-classification"

    def model_settings(self) -> dict[str, Any]:
        """The classes by name."""
        return {**label_settings(self.labels), "problem_type": "single_label_classification"}

    def targets(self, rows: Rows) -> npt.NDArray[Any]:
        """Class ids [rows]."""
        import numpy as np

        place = {label: index for index, label in enumerate(self.labels)}
        return np.asarray([place[label] for label in rows.targets], dtype=np.int64)

    def encode(self, processor: Any, rows: Rows) -> PixelRows:
        """Images as pixels, scaled when they are asked for."""
        return PixelRows(processor, rows, self.targets(rows).tolist())

    def collator(self, processor: Any, model: Any) -> Collate:
        """Stacks images, which are of one size."""
        return _stack

    def reduced(self, logits: Any, labels: Any) -> Any:
        """All of them: one number a class."""
        return logits

    def answers_in_training(self, kept: Any, labels: Any, rows: Any) -> Answers:
        import numpy as np

        return ClassAnswers(np.asarray(labels, dtype=np.int64), np.asarray(kept, dtype=np.float64))

    def answers(self, outputs: npt.NDArray[np.float32], rows: Rows) -> Answers:
        """Outputs [rows, classes]."""
        return ClassAnswers(self.targets(rows), outputs.astype(float))

    def predictions(self, outputs: npt.NDArray[np.float32], inputs: Sequence[Any]) -> list[Any]:
        """A label for each image."""
        return list(label_predictions(outputs, self.labels))
