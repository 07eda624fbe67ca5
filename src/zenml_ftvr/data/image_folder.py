"""A folder of images: a folder a class, in a folder a split or without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from zenml_ftvr.data.files import tree_of
from zenml_ftvr.data.images import ENDINGS_OF_IMAGES
from zenml_ftvr.data.split import SPLIT_NAMES
from zenml_ftvr.errors import DataError

__all__ = ["ImageFolder", "image_folder", "images_in", "is_image_folder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFolder:
    """The images of a folder, in sorted order."""

    files: Sequence[str]
    labels: Sequence[str]
    splits: Sequence[str] | None
    """None where the folder has none."""
    n_ignored: int
    """Files that are no images by their ending, or lie outside the folders of classes."""


def is_image_folder(name: str) -> bool:
    """Whether a name means a folder, rather than a file or several with rows."""
    if "://" in name:
        return "*" not in name and not PurePosixPath(name).suffix
    path = Path(name).expanduser()
    return path.is_dir() and not any(path.glob("*.parquet"))


def image_folder(name: str) -> ImageFolder:
    """Every image of `name/<class>/` or `name/<split>/<class>/`, with what the folders say of it.

    Hidden files, other files, and files outside the folders of classes are counted and left out.
    Raises `DataError` where no image is left.
    """
    found = [(PurePosixPath(path).parts, file) for path, file in tree_of(name)]
    tops = {parts[0] for parts, _ in found if len(parts) > 1}
    # `train` may be a class among `plane` and `car`: all folders must name splits, and hold more.
    by_split = bool(tops) and all(top.casefold() in SPLIT_NAMES for top in tops)
    by_split = by_split and any(len(parts) == 3 for parts, _ in found)
    depth = 3 if by_split else 2
    kept = [(parts, file) for parts, file in found if len(parts) == depth and _is_image(parts[-1])]
    if not kept:
        raise DataError(
            f"{name} has no images in folders of classes (of {len(found):,} files, none is "
            f"<class>/*{'|'.join(ENDINGS_OF_IMAGES)}, in train, validation and test or without). "
            f"Put each class's images into a folder of its name."
        )
    return ImageFolder(
        files=[file for _, file in kept],
        labels=[parts[-2] for parts, _ in kept],
        splits=[SPLIT_NAMES[parts[0].casefold()] for parts, _ in kept] if by_split else None,
        n_ignored=len(found) - len(kept),
    )


def images_in(name: str) -> list[str]:
    """Every image of a folder to predict for, however deep, in sorted order."""
    files = [file for path, file in tree_of(name) if _is_image(PurePosixPath(path).name)]
    if not files:
        raise DataError(f"{name} has no images ({', '.join(ENDINGS_OF_IMAGES)}).")
    return files


def _is_image(name: str) -> bool:
    return name.lower().endswith(ENDINGS_OF_IMAGES)
