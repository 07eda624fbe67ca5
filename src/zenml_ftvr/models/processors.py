"""What turns inputs into numbers: a tokenizer for text, an image processor for images."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from zenml_ftvr.errors import ModelError
from zenml_ftvr.models.resolve import load_tokenizer
from zenml_ftvr.tasks import HeadKind
from zenml_ftvr.tasks.image_classification import DEEP_GREY, picture
from zenml_ftvr.values import Allowance

__all__ = ["image_processor", "load_processor", "size_of_images"]

LARGEST_SIDE = 224  # pixels; what most image encoders are trained on (Dosovitskiy et al. 2021)
LOOKED_AT = 1_000  # images; a median of so many is known well enough to be rounded


def load_processor(folder: Path, head: HeadKind, allow: Sequence[Allowance] = ()) -> Any:
    """The tokenizer or image processor of a model folder."""
    if head == "token-classification":
        return _for_single_words(load_tokenizer(folder, allow))
    if head != "image-classification":
        return load_tokenizer(folder, allow)
    from transformers import AutoImageProcessor

    try:
        # Pillow's way of scaling, so that torchvision being installed changes no pixel.
        return AutoImageProcessor.from_pretrained(folder, backend="pil")
    except (ValueError, OSError, ImportError) as error:
        raise ModelError(
            f"the image processor in {folder} does not load ({error}). Give a folder that "
            f"processor.save_pretrained wrote into."
        ) from error


def _for_single_words(tokenizer: Any) -> Any:
    """The tokenizer, which takes a word that is given alone as one with a blank before it.

    Byte-level ones (of GPT-2, RoBERTa) tell a word from the end of another by that blank.
    """
    from tokenizers.pre_tokenizers import ByteLevel, Sequence

    splitter = tokenizer.backend_tokenizer.pre_tokenizer
    parts = cast(Any, splitter) if isinstance(splitter, Sequence) else [splitter]
    for one in parts:
        if isinstance(one, ByteLevel) and not one.add_prefix_space:
            one.add_prefix_space = True
            tokenizer.init_kwargs["add_prefix_space"] = True  # for whoever reads what we save
    return tokenizer


def size_of_images(images: Sequence[bytes], wanted: int | None) -> tuple[int, int]:
    """Pixels a side, and channels (1 for grey, 3 for colours), for a model of our own.

    The side is `wanted`, or the median of the shorter sides, at most 224.
    """
    import statistics

    from PIL import Image

    sides, grey = [], True
    for content in images[:LOOKED_AT]:
        with Image.open(io.BytesIO(content)) as image:
            sides.append(min(image.size))
            grey = grey and image.mode in ("1", "L", *DEEP_GREY)
    side = wanted or min(LARGEST_SIDE, round(statistics.median(sides)))
    return side, 1 if grey else 3


def image_processor(images: Sequence[bytes], size: int, channels: int) -> Any:
    """Scales to `size` pixels a side, and to mean 0 and deviation 1 of the training images."""
    import numpy as np
    from transformers import ViTImageProcessorPil

    sums, squares, n = np.zeros(channels), np.zeros(channels), 0
    for content in images[:LOOKED_AT]:
        values = np.asarray(picture(content, "L" if channels == 1 else "RGB"), dtype=np.float64)
        flat = values.reshape(-1, channels) / 255
        sums, squares, n = sums + flat.sum(0), squares + (flat**2).sum(0), n + len(flat)
    mean = sums / n
    deviation = np.sqrt(np.maximum(squares / n - mean**2, 1e-6))
    return ViTImageProcessorPil(
        size={"height": size, "width": size},
        image_mean=mean.tolist(),
        image_std=deviation.tolist(),
        do_convert_rgb=False,
    )
