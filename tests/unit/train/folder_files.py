"""A store of files that outlives a machine, as a folder, with the faults that a test asks for."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["FolderFiles"]


class FolderFiles:
    """`train.mirror.RemoteFiles`; `refuses` says which names cannot be sent now."""

    def __init__(self, root: Path, seconds: float = 0.0) -> None:
        self.root, self.seconds = root, seconds
        self.refuses: Callable[[str], bool] = lambda name: False
        self.sent: list[str] = []

    def names(self, below: str) -> list[str]:
        found = [path for path in (self.root / below).rglob("*") if path.is_file()]
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def put(self, file: Path, name: str) -> None:
        if self.refuses(name):
            raise ConnectionError(f"no route to {name}")
        time.sleep(self.seconds)
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, self.root / name)
        self.sent.append(name)

    def get(self, name: str, file: Path) -> None:
        shutil.copyfile(self.root / name, file)

    def remove(self, below: str) -> None:
        path = self.root / below
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
