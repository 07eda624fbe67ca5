"""An artifact store that is not on this machine: a bucket in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

from fsspec.implementations.memory import MemoryFileSystem
from zenml.artifact_stores import BaseArtifactStore, BaseArtifactStoreConfig
from zenml.enums import StackComponentType

__all__ = ["FakeBucket", "make_bucket"]

SCHEME = "s3://"


class _Config(BaseArtifactStoreConfig):
    SUPPORTED_SCHEMES: ClassVar[set[str]] = {SCHEME}


class _Files(MemoryFileSystem):
    """fsspec's own keeps one store for the whole process."""

    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.store = {}
        self.pseudo_dirs = [""]


class FakeBucket(BaseArtifactStore):
    """Takes only URIs of its own scheme, as ZenML's remote stores do."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.files = _Files()
        super().__init__(*args, **kwargs)

    def _register(self) -> None:
        """Only what is given this store uses it."""

    def _inside(self, path: Any) -> str:
        text = str(path)
        if not text.startswith(f"{self.path}/") and text != self.path:
            raise FileNotFoundError(f"{text} is not in {self.path}")
        return text.removeprefix(SCHEME)

    def names(self) -> list[str]:
        """Every object in the bucket, below the store's path."""
        root = self.path.removeprefix(SCHEME)
        return sorted(name.strip("/").removeprefix(f"{root}/") for name in self.files.store)

    def open(self, path: Any, mode: str = "r") -> Any:
        return self.files.open(self._inside(path), mode)

    def exists(self, path: Any) -> bool:
        return bool(self.files.exists(self._inside(path)))

    def isdir(self, path: Any) -> bool:
        return bool(self.files.isdir(self._inside(path)))

    def listdir(self, path: Any) -> list[Any]:
        found = self.files.ls(self._inside(path), detail=False)
        return [name.rstrip("/").rsplit("/", 1)[-1] for name in found]

    def makedirs(self, path: Any) -> None:
        self.files.makedirs(self._inside(path), exist_ok=True)

    def mkdir(self, path: Any) -> None:
        self.files.mkdir(self._inside(path))

    def remove(self, path: Any) -> None:
        self.files.rm_file(self._inside(path))

    def rmtree(self, path: Any) -> None:
        self.files.rm(self._inside(path), recursive=True)

    def size(self, path: Any) -> int | None:
        return int(self.files.size(self._inside(path)))

    def stat(self, path: Any) -> Any:
        return self.files.info(self._inside(path))

    def copyfile(self, src: Any, dst: Any, overwrite: bool = False) -> None:
        self.files.cp_file(self._inside(src), self._inside(dst))

    def rename(self, src: Any, dst: Any, overwrite: bool = False) -> None:
        self.files.mv(self._inside(src), self._inside(dst))

    def glob(self, pattern: Any) -> list[Any]:
        return [f"{SCHEME}{name.lstrip('/')}" for name in self.files.glob(self._inside(pattern))]

    def walk(
        self, top: Any, topdown: bool = True, onerror: Callable[..., None] | None = None
    ) -> Iterable[tuple[Any, list[Any], list[Any]]]:
        for folder, folders, names in self.files.walk(self._inside(top)):
            yield f"{SCHEME}{folder.lstrip('/')}", folders, names


def make_bucket() -> FakeBucket:
    """An empty one."""
    now = datetime.now(UTC)
    return FakeBucket(
        name="bucket",
        id=uuid4(),
        config=_Config(path=f"{SCHEME}bucket/root"),
        flavor="fake",
        type=StackComponentType.ARTIFACT_STORE,
        user=None,
        created=now,
        updated=now,
    )
