"""Images as bytes: of cells, paths, objects in memory, and folders with a class each."""

from __future__ import annotations

import hashlib
import io
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenml_ftvr.data.files import opened
from zenml_ftvr.data.read import Column
from zenml_ftvr.errors import DataError

__all__ = ["ENDINGS_OF_IMAGES", "image_id_of", "image_of"]

ENDINGS_OF_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
"""Of files that a folder of images is read for; Pillow reads all of them without more packages."""
SMALLEST = (1, 1)  # pixels: of a JPEG, Pillow then decodes every block but keeps an eighth a side


def image_id_of(content: bytes, digits: int) -> str:
    """The start of the sha256 of a file's bytes: a copy that was encoded again is another image."""
    return hashlib.sha256(content).hexdigest()[:digits]


def image_of(column: Column, index: int, called: str) -> bytes:
    """The encoded bytes of an image, which Pillow has decoded to its last row.

    A value is such bytes, a mapping with `bytes` or `path` (as `datasets` stores images), a path
    (relative to its file's folder), a Pillow image or an array [height, width] or [height, width,
    3 or 4] of uint8, both of which become PNG. Raises `DataError`, which names row and file.
    """
    value = column.values[index]
    # A file of a folder is all there is of its row: no column to name.
    where = f"{column.place(index)}: '{called}'" if column.place_name else column.place(index)
    if isinstance(value, Mapping) and {"bytes", "path"} & set(value):
        value = value.get("bytes") or value.get("path")
    if value is None or (isinstance(value, str | bytes) and not value):
        raise DataError(f"{where} is missing. Give each row an image.")
    match value:
        case bytes() | bytearray() | memoryview():
            content = bytes(value)
        case str():
            path = _beside(column.file(index), value)
            where = where if path in where else f"{where} ({path})"
            content = _bytes_at(path, where)
        case _:
            return _encoded(value, where)
    refuse_broken(content, where)
    return content


def _beside(file: str, path: str) -> str:
    """A path that a file names: absolute, or relative to the file's folder."""
    if "://" in path or Path(path).expanduser().is_absolute():
        return path
    if "://" in file:
        return f"{file.rpartition('/')[0]}/{path}"
    return str(Path(file).expanduser().parent / path)


def _bytes_at(path: str, where: str) -> bytes:
    if "://" not in path and not Path(path).expanduser().is_file():
        raise DataError(f"{where} does not exist. Paths start at the folder of the file with them.")
    with opened(path) as stream:
        return stream.read()


def _encoded(value: Any, where: str) -> bytes:
    """A Pillow image or an array as PNG, which loses nothing."""
    import numpy as np

    image = _pillow()
    if "PIL.Image" in sys.modules and isinstance(value, image.Image):
        given = value
    elif isinstance(value, np.ndarray):
        if value.dtype != np.uint8:
            raise DataError(
                f"{where} is an array of {value.dtype}. Give uint8, 0 to 255: "
                f"(255 * array).round().astype('uint8') of values from 0 to 1."
            )
        try:
            given = image.fromarray(value)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{where} is an array of shape {value.shape}, which is no image. Give [height, "
                f"width] or [height, width, 3]."
            ) from error
    else:
        raise DataError(
            f"{where} is {value!r:.60}, which is no image. Give a file's bytes, a path, a Pillow "
            f"image or a NumPy array."
        )
    stream = io.BytesIO()
    try:
        given.save(stream, format="PNG")
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(
            f"{where} cannot be written as PNG ({error}). Convert it to RGB."
        ) from error
    return stream.getvalue()


def refuse_broken(content: bytes, where: str) -> None:
    """Raise `DataError` for what Pillow cannot decode whole."""
    image = _pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of broken metadata; and of size, which raises below
            with image.open(io.BytesIO(content)) as one:
                one.draft("L", SMALLEST)
                one.load()
    except image.DecompressionBombError as error:
        raise DataError(f"{where} is too large ({error}). Scale it down.") from error
    # Pillow raises SyntaxError of broken PNG, and others of other broken headers.
    except (OSError, SyntaxError, ValueError, IndexError, TypeError, EOFError) as error:
        raise DataError(
            f"{where} is no whole image ({str(error).strip()[:80]}). Copy it again, or remove it."
        ) from error


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(
            "images need a package that is not here. Run pip install pillow."
        ) from error
    return Image
